// What did it look like before it was ended? A few small facts, kept before the deed, bounded, and without anything that
// can hold a secret: no environment, no command line, no log text.
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Evidence } from "../core/evidence.ts";

const fileLimitChars = 4096;
const listedDescriptors = 4096;

/** Reads facts about the serving process below `procRoot`; what cannot be read is left out. */
export async function keepEvidence(
  procRoot: string,
  e: Evidence,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const kept: Record<string, string> = { stall: JSON.stringify(e.stall), trend: trendFacts(e) };
  if (e.probe !== undefined) kept["probe"] = JSON.stringify(e.probe.reading);
  if (e.work !== undefined) kept["work"] = JSON.stringify(e.work.reading);
  if (e.host !== undefined) kept["host"] = JSON.stringify(e.host.reading);
  const found = e.process?.reading;
  if (found?.found !== true) return kept;
  const dir = join(procRoot, `${found.incarnation.pid}`);
  for (const name of ["status", "smaps_rollup", "wchan", "schedstat"]) {
    signal.throwIfAborted();
    const text = await readFile(join(dir, name), { encoding: "utf8", signal }).catch(() => undefined);
    if (text !== undefined) kept[name] = text.slice(0, fileLimitChars);
  }
  const descriptors = await descriptorSummary(join(dir, "fd"), signal).catch(() => undefined);
  if (descriptors !== undefined) kept["descriptors"] = descriptors;
  return kept;
}

function trendFacts({ trend, limit }: Evidence): string {
  const { verdict, growthBytesPerSecond, exhaustionSeconds, floors } = trend;
  return JSON.stringify({
    verdict,
    growthBytesPerSecond,
    exhaustionSeconds,
    limit,
    lastFloors: floors.slice(-60),
  });
}

/** How many descriptors of each kind are open; their targets may name private paths and are not kept. */
async function descriptorSummary(dir: string, signal: AbortSignal): Promise<string> {
  const names = await readdir(dir);
  const kinds = new Map<string, number>();
  for (const name of names.slice(0, listedDescriptors)) {
    signal.throwIfAborted();
    const target = await readlink(join(dir, name)).catch(() => "gone");
    const kind =
      /^(socket|pipe|anon_inode):/.exec(target)?.[1] ?? (target.startsWith("/dev/") ? "device" : "file");
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return JSON.stringify({ open: names.length, ...Object.fromEntries(kinds) });
}
