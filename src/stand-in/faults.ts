// How does the stand-in fall ill? One real fault per name: memory is really held, the loop really blocked.
import { openSync, closeSync, readFileSync } from "node:fs";
import { z } from "zod";
import { monotonic } from "../platform/clock.ts";
import type { Condition } from "./condition.ts";

const mib = 1024 * 1024;
/** A forgotten stand-in must not take the machine with it: no leak, hang or run is without an end. */
const bounds = { leakBytes: 2048 * mib, ms: 600_000, descriptors: 1_000_000, runs: 1000 };
/** Descriptors left free, so that a stand-in near its limit still accepts connections. */
const descriptorsSpared = 32;
const tickMs = 100;

const upTo = (most: number, fallback: number) => z.int().min(1).max(most).default(fallback);

/** The faults and their settings; an unknown setting is refused. */
export const faultShape = z.discriminatedUnion("fault", [
  z.strictObject({
    fault: z.literal("leak"),
    bytesPerSecond: upTo(1024 * mib, 20 * mib),
    capBytes: upTo(bounds.leakBytes, bounds.leakBytes),
  }),
  z.strictObject({
    fault: z.literal("fds"),
    perSecond: upTo(100_000, 50),
    cap: upTo(bounds.descriptors, bounds.descriptors),
  }),
  z.strictObject({ fault: z.literal("hang"), forMs: upTo(bounds.ms, bounds.ms) }),
  z.strictObject({ fault: z.literal("deadlock"), forMs: upTo(bounds.ms, bounds.ms) }),
  z.strictObject({ fault: z.literal("stop") }),
  z.strictObject({ fault: z.literal("crash"), how: z.enum(["kill", "exit"]).default("kill") }),
  z.strictObject({ fault: z.literal("busy"), runs: upTo(bounds.runs, 1), forMs: upTo(bounds.ms, 60_000) }),
  z.strictObject({ fault: z.literal("mute") }),
  z.strictObject({ fault: z.literal("slow"), delayMs: upTo(bounds.ms, 1000) }),
  z.strictObject({ fault: z.literal("deaf") }),
  z.strictObject({ fault: z.literal("well") }),
]);
export type Fault = z.infer<typeof faultShape>;
export type FaultName = Fault["fault"];

/** The listening socket of the probes, which the fault `deaf` closes and `well` opens again. */
export type Ears = { close(): void; open(): void };

/** Returns the function that makes this process ill; faults add up until `well` ends those that leave it able to hear. */
export function faults(condition: Condition, ears: Ears): (fault: Fault) => void {
  const cures: (() => void)[] = [];
  return (fault) => {
    switch (fault.fault) {
      case "leak":
        return void cures.push(leak(fault.bytesPerSecond, fault.capBytes));
      case "fds":
        return void cures.push(openDescriptors(fault.perSecond, fault.cap));
      case "hang":
        return hang(fault.forMs);
      case "deadlock":
        return deadlock(fault.forMs);
      case "stop":
        return void process.kill(process.pid, "SIGSTOP");
      case "crash":
        return fault.how === "exit" ? process.exit(1) : void process.kill(process.pid, "SIGKILL");
      case "busy":
        return void cures.push(work(condition, fault.runs, fault.forMs));
      case "mute":
        condition.mute = true;
        return;
      case "slow":
        condition.slowMs = fault.delayMs;
        return;
      case "deaf":
        ears.close();
        return void cures.push(() => ears.open());
      case "well":
        condition.mute = false;
        condition.slowMs = 0;
        for (const cure of cures.splice(0)) cure();
        return;
      default:
        return fault satisfies never;
    }
  };
}

/** Calls `step` with the number of units due since the last call, until `cap` units are reached. */
function atRate(perSecond: number, cap: number, step: (units: number) => void): () => void {
  const start = monotonic();
  let done = 0;
  const timer = setInterval(() => {
    const due = Math.min(cap, Math.floor(((monotonic() - start) / 1000) * perSecond));
    if (due > done) step(due - done);
    done = due;
    if (done >= cap) clearInterval(timer);
  }, tickMs);
  return () => clearInterval(timer);
}

function leak(bytesPerSecond: number, capBytes: number): () => void {
  const held: Buffer[] = [];
  // Written to, since memory that was never touched is not resident.
  const stop = atRate(bytesPerSecond, capBytes, (bytes) => held.push(Buffer.alloc(bytes, 1)));
  return () => {
    stop();
    held.length = 0;
  };
}

function openDescriptors(perSecond: number, cap: number): () => void {
  const held: number[] = [];
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  const most = Math.min(cap, Math.max(0, limit - descriptorsSpared));
  const stop = atRate(perSecond, most, (count) => {
    for (let opened = 0; opened < count && held.length < most; opened++) {
      const descriptor = openSync("/dev/null", "r");
      // A descriptor's number is the lowest free one: near the limit means near the end of the table.
      if (descriptor >= limit - descriptorsSpared) return closeSync(descriptor);
      held.push(descriptor);
    }
  });
  return () => {
    stop();
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  };
}

function hang(forMs: number): void {
  const end = monotonic() + forMs;
  while (monotonic() < end);
}

function deadlock(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

function work(condition: Condition, runs: number, forMs: number): () => void {
  let left = runs;
  const finish = (): void => {
    condition.runs -= left;
    left = 0;
  };
  condition.runs += runs;
  const timer = setTimeout(finish, forMs);
  return () => {
    clearTimeout(timer);
    finish();
  };
}
