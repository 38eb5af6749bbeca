// How much memory is really the gateway's, when shared pages are shared out? From smaps_rollup, which costs the kernel a
// walk through all pages: rarely, and never while the guard's own loop waits.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Incarnation, sameIncarnation } from "../core/identity.ts";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { elapsed, type Instant, type Millis, minutes, ms } from "../core/time.ts";
import { isDenied, isGone, parseProportional } from "./proc.ts";
import type { Sight } from "./process.ts";

/** How old a reading of the same life may be before it is taken anew. */
const keptFor = minutes(5);

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_proportional_memory_bytes",
    type: "gauge",
    help: "Resident memory of the serving process or of its whole tree with shared pages shared out (Pss of smaps_rollup); taken anew every 5 minutes and for a new process.",
    labels: ["scope"],
  },
];

export type MemoryMapReading = {
  readonly incarnation: Incarnation;
  readonly takenAt: Instant;
  readonly selfBytes: number | undefined;
  /** Unknown as soon as one part of it is unknown. */
  readonly treeBytes: number | undefined;
};

/** Reads the proportional memory of the tree that `sight` last saw. */
export function memoryMapCollector(options: {
  readonly procRoot: string;
  readonly sight: () => Sight | undefined;
  readonly now: () => Instant;
  readonly every?: Millis;
}): Collector<MemoryMapReading | undefined> {
  const { procRoot, sight, now } = options;
  const every = options.every ?? ms(15_000);
  let kept: MemoryMapReading | undefined;
  return {
    name: "memory_map",
    every,
    deadline: ms(every * 0.8),
    metrics,
    async read(signal) {
      const seen = sight();
      if (seen === undefined) return undefined;
      const { incarnation, pids } = seen;
      const isKept = kept !== undefined && sameIncarnation(kept.incarnation, incarnation);
      if (isKept && elapsed(kept?.takenAt ?? now(), now()) < keptFor) return kept;
      const takenAt = now();
      const own = await proportionalBytes(procRoot, incarnation.pid, signal);
      if (own === "gone") return undefined;
      let treeBytes = own;
      for (const pid of pids) {
        // One after the other: a wide tree must not take all of the threads that reading files has.
        const bytes = await proportionalBytes(procRoot, pid, signal);
        if (bytes === "gone") continue;
        treeBytes = treeBytes === undefined || bytes === undefined ? undefined : treeBytes + bytes;
      }
      kept = { incarnation, takenAt, selfBytes: own, treeBytes };
      return kept;
    },
    samples(reading) {
      if (reading === undefined || !sameIncarnation(reading.incarnation, sight()?.incarnation)) return [];
      const name = "openclaw_gateway_proportional_memory_bytes";
      const scopes = [
        ["process", reading.selfBytes],
        ["tree", reading.treeBytes],
      ] as const;
      return scopes.flatMap(([scope, value]) =>
        value === undefined ? [] : [{ name, labels: { scope }, value }],
      );
    },
  };
}

/** `undefined` when this user may not look, or the kernel does not say. */
async function proportionalBytes(
  procRoot: string,
  pid: number,
  signal: AbortSignal,
): Promise<number | undefined | "gone"> {
  try {
    return parseProportional(
      await readFile(join(procRoot, `${pid}`, "smaps_rollup"), { encoding: "utf8", signal }),
    );
  } catch (error) {
    if (isDenied(error)) return undefined;
    if (isGone(error)) return "gone";
    throw error;
  }
}
