// How much has the gateway piled up on the disk? Sizes and counts of memory files, logs and session stores.
import { lstat, opendir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { type Millis, ms, seconds } from "../core/time.ts";
import { monotonic } from "../platform/clock.ts";
import { isGone } from "./config-file.ts";

export const stores = ["memory", "logs", "sessions"] as const;
export type Store = (typeof stores)[number];

/** What lies below the paths of one store; when not `complete`, there is at least so much. */
export type StoreReading = {
  readonly store: Store;
  readonly complete: boolean;
  /** `undefined` where not even the path itself could be read. */
  readonly found:
    | {
        readonly bytes: number;
        readonly files: number;
        readonly largestBytes: number;
        /** When the file that was left alone longest was last changed, in seconds since the Unix epoch. */
        readonly oldestSeconds: number | undefined;
      }
    | undefined;
};

export type StoragePaths = { readonly [S in Store]?: readonly string[] | undefined };

/** How far the walk of one store goes. Measured: 5000 files take 0.3 s of processor time, spread over 0.5 s. */
export type WalkLimits = { readonly entries: number; readonly depth: number; readonly time: Millis };
const usualLimits: WalkLimits = { entries: 5000, depth: 8, time: seconds(20) };

const labels = ["store"];
const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_storage_bytes",
    type: "gauge",
    help: "Size of all files of the store; at least so much while storage_complete is 0.",
    labels,
  },
  {
    name: "openclaw_gateway_storage_files",
    type: "gauge",
    help: "Number of files in the store; at least so many while storage_complete is 0.",
    labels,
  },
  {
    name: "openclaw_gateway_storage_largest_file_bytes",
    type: "gauge",
    help: "Size of the largest file of the store.",
    labels,
  },
  {
    name: "openclaw_gateway_storage_oldest_file_timestamp_seconds",
    type: "gauge",
    help: "When the file of the store that was left alone longest was last changed, in seconds since the Unix epoch.",
    labels,
  },
  {
    name: "openclaw_gateway_storage_complete",
    type: "gauge",
    help: "Whether everything in the store was counted; 0 when it is too much or may not be read.",
    labels,
  },
];

/** Walks the paths of each store, bounded, without following links; a store of which nothing exists is absent. */
export function workspaceCollector(options: {
  readonly stateDir: string | undefined;
  /** In place of the usual ones below the state directory. */
  readonly paths?: StoragePaths;
  readonly every?: Millis;
  readonly limits?: WalkLimits;
}): Collector<readonly StoreReading[]> {
  const every = options.every ?? seconds(300);
  const limits = options.limits ?? usualLimits;
  // The stores follow each other; each gets its share of a cadence.
  const time = ms(Math.min(limits.time, (every * 0.8) / stores.length));
  return {
    name: "workspace",
    every,
    deadline: ms(every * 0.9),
    metrics,
    async read(signal) {
      const readings: StoreReading[] = [];
      for (const store of stores) {
        const roots = options.paths?.[store] ?? (await usualPaths(store, options.stateDir));
        const reading = await walk(store, roots, { ...limits, time }, signal);
        if (reading !== undefined) readings.push(reading);
      }
      return readings;
    },
    samples: (readings) => readings.flatMap(samplesOf),
  };
}

/** Where the gateway keeps a store when nothing else is configured; every agent may have a workspace of its own. */
async function usualPaths(store: Store, stateDir: string | undefined): Promise<readonly string[]> {
  if (stateDir === undefined) return [];
  switch (store) {
    case "memory": {
      const names = await readdir(stateDir).catch((error: unknown) => {
        if (isGone(error)) return [];
        throw error;
      });
      return names
        .filter((name) => /^workspace(-.+)?$/.test(name))
        .flatMap((name) => [join(stateDir, name, "memory"), join(stateDir, name, "MEMORY.md")]);
    }
    case "logs":
      // Without `logging.file` the gateway writes below /tmp, whatever its state directory is.
      return [join(stateDir, "logs"), "/tmp/openclaw"];
    case "sessions":
      return [join(stateDir, "agents")];
    default:
      return store satisfies never;
  }
}

async function walk(
  store: Store,
  roots: readonly string[],
  limits: WalkLimits,
  signal: AbortSignal,
): Promise<StoreReading | undefined> {
  const startedAt = monotonic();
  let entries = 0;
  let complete = true;
  let exists = false;
  let readable = false;
  let bytes = 0;
  let files = 0;
  let largestBytes = 0;
  let oldest = Number.POSITIVE_INFINITY;
  const count = (file: { readonly size: number; readonly mtimeMs: number }) => {
    files++;
    bytes += file.size;
    largestBytes = Math.max(largestBytes, file.size);
    oldest = Math.min(oldest, file.mtimeMs);
  };
  const enough = () => {
    signal.throwIfAborted();
    if (entries < limits.entries && monotonic() - startedAt < limits.time) return false;
    complete = false;
    return true;
  };
  // What vanishes meanwhile was not there; what may not be read makes the sum a lower bound.
  const missed = (error: unknown) => {
    if (!isGone(error)) complete = false;
  };

  async function folder(path: string, depth: number): Promise<void> {
    if (depth > limits.depth) {
      complete = false;
      return;
    }
    const inside: string[] = [];
    // Read in portions: a folder can hold more names than memory should.
    for await (const entry of await opendir(path)) {
      if (enough()) break;
      entries++;
      const child = join(path, entry.name);
      if (entry.isDirectory()) inside.push(child);
      else if (entry.isFile()) await lstat(child).then(count, missed);
    }
    for (const child of inside) {
      if (enough()) return;
      await folder(child, depth + 1).catch(missed);
    }
  }

  for (const root of roots) {
    try {
      // A path that was configured may be a link; below it none is followed.
      const found = await stat(root);
      exists = true;
      if (found.isFile()) count(found);
      else if (found.isDirectory()) await folder(root, 1);
      readable = true;
    } catch (error) {
      signal.throwIfAborted();
      if (isGone(error)) continue;
      exists = true;
      complete = false;
    }
  }
  if (!exists) return undefined;
  const oldestSeconds = files === 0 ? undefined : oldest / 1000;
  return {
    store,
    complete,
    found: readable ? { bytes, files, largestBytes, oldestSeconds } : undefined,
  };
}

function samplesOf({ store, complete, found }: StoreReading): readonly Sample[] {
  const one = (name: string, value: number | undefined): readonly Sample[] =>
    value === undefined ? [] : [{ name: `openclaw_gateway_storage_${name}`, labels: { store }, value }];
  return [
    ...one("bytes", found?.bytes),
    ...one("files", found?.files),
    ...one("largest_file_bytes", found?.largestBytes),
    ...one("oldest_file_timestamp_seconds", found?.oldestSeconds),
    ...one("complete", Number(complete)),
  ];
}
