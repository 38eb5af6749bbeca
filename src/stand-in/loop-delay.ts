// How late does this program's own event loop run? Windows of about a second, in the words of a real gateway.
import { performance } from "node:perf_hooks";
import { monotonic } from "../platform/clock.ts";
import type { LoopWindow } from "./condition.ts";

const windowMs = 1000;
/** The resolution of a real gateway: an idle loop shows delays of about 20 ms. */
const tickMs = 20;
/** What a real gateway calls degraded: a second of delay, 95 % utilization, 90 % of a core. */
const degradedAt = { delayMs: 1000, utilization: 0.95, cpuCoreRatio: 0.9 };

/**
 * Hands over each window when it ends; a stall makes its window longer. Never keeps the program alive. Ticks are timed
 * here because `monitorEventLoopDelay` forgets a stall that begins before its first tick after a reset.
 */
export function measureLoop(ended: (window: LoopWindow) => void): void {
  let start = monotonic();
  let tick = start;
  let delays: number[] = [];
  let cpu = process.cpuUsage();
  let utilization = performance.eventLoopUtilization();
  let degradedSince: number | undefined;
  setInterval(() => {
    const end = monotonic();
    delays.push(end - tick);
    tick = end;
    if (end - start < windowMs) return;
    const used = process.cpuUsage(cpu);
    const seen = {
      intervalMs: end - start,
      ...worstOf(delays),
      utilization: round(performance.eventLoopUtilization(utilization).utilization, 1000),
      cpuCoreRatio: round((used.user + used.system) / 1000 / (end - start), 1000),
    };
    const reasons = reasonsFor(seen);
    degradedSince = reasons.length === 0 ? undefined : (degradedSince ?? end);
    ended({
      degraded: reasons.length > 0,
      degradedSinceMs: degradedSince === undefined ? null : Math.round(end - degradedSince),
      reasons,
      ...seen,
    });
    start = end;
    delays = [];
    cpu = process.cpuUsage();
    utilization = performance.eventLoopUtilization();
  }, tickMs).unref();
}

function worstOf(delays: readonly number[]): { readonly delayP99Ms: number; readonly delayMaxMs: number } {
  const sorted = delays.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
  return { delayP99Ms: round(p99, 10), delayMaxMs: round(sorted.at(-1) ?? 0, 10) };
}

function reasonsFor(
  seen: Pick<LoopWindow, "delayMaxMs" | "utilization" | "cpuCoreRatio">,
): readonly string[] {
  const reasons: string[] = [];
  if (seen.delayMaxMs >= degradedAt.delayMs) reasons.push("event_loop_delay");
  if (seen.utilization >= degradedAt.utilization) reasons.push("event_loop_utilization");
  if (seen.cpuCoreRatio >= degradedAt.cpuCoreRatio) reasons.push("cpu");
  return reasons;
}

const round = (value: number, steps: number): number => Math.round(value * steps) / steps;
