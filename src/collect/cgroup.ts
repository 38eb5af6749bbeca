// In which unit does a process live, and how much memory may it use there? From /proc/<pid>/cgroup and the cgroup trees.
import { posix } from "node:path";
import { isDenied, isGone, readText, wholeNumber } from "./proc.ts";

/** The kernel's "no limit" of version 1 is the last page below 2^63; from 1 PiB on a number is taken to mean that. */
const unlimitedBytes = 2 ** 50;

/** The cgroup paths of a process that matter here. */
export type Cgroups = {
  /** Path in the unified hierarchy (version 2); also present, without controllers, in a hybrid set-up. */
  readonly unified: string | undefined;
  /** Path in the memory hierarchy of version 1. */
  readonly memory: string | undefined;
  /** Path in the named hierarchy in which systemd of version 1 keeps its units. */
  readonly systemd: string | undefined;
};

/** Parses `/proc/<pid>/cgroup`: version 1, version 2, or both. */
export function parseCgroups(text: string): Cgroups {
  let unified: string | undefined;
  let memory: string | undefined;
  let systemd: string | undefined;
  for (const line of text.split("\n")) {
    // A path may hold colons; the first two of the line end hierarchy and controllers.
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const [, controllers = "", path = ""] = match;
    if (controllers === "") unified = path;
    if (controllers.split(",").includes("memory")) memory = path;
    if (controllers === "name=systemd") systemd = path;
  }
  return { unified, memory, systemd };
}

/** The systemd unit whose cgroup holds the process: the innermost service or scope of its path. */
export function unitOf(cgroups: Cgroups): string | undefined {
  for (const path of [cgroups.unified, cgroups.systemd]) {
    const unit = path?.split("/").findLast((part) => part.endsWith(".service") || part.endsWith(".scope"));
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** Whether the process lives in the unit's cgroup or in one below it. */
export function livesIn(cgroups: Cgroups, unit: string): boolean {
  return [cgroups.unified, cgroups.systemd].some((path) => path?.split("/").includes(unit) === true);
}

/** The smallest memory limit, in bytes, from the process's cgroup up to the root; `undefined` when none is set. */
export function readMemoryLimit(sysRoot: string, cgroups: Cgroups): number | undefined {
  const root = posix.join(sysRoot, "fs/cgroup");
  const limits = [
    ...limitsUpwards(root, cgroups.unified, ["memory.max", "memory.high"]),
    ...limitsUpwards(posix.join(root, "memory"), cgroups.memory, ["memory.limit_in_bytes"]),
  ];
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** Parses a limit file; `max` and the huge number that stands for it are no limit. */
export function parseLimit(text: string): number | undefined {
  const limit = wholeNumber(text);
  return limit === undefined || limit >= unlimitedBytes ? undefined : limit;
}

function limitsUpwards(root: string, path: string | undefined, files: readonly string[]): readonly number[] {
  // A path that climbs is seen from another cgroup namespace: it would name somebody else's limits here.
  if (path === undefined || path.split("/").includes("..")) return [];
  const limits: number[] = [];
  for (let folder = posix.join("/", path); ; folder = posix.dirname(folder)) {
    for (const file of files) {
      const limit = readLimit(posix.join(root, folder, file));
      if (limit !== undefined) limits.push(limit);
    }
    if (folder === "/") return limits;
  }
}

/** Inside a container only the root of the tree is mounted: missing levels are skipped. */
function readLimit(path: string): number | undefined {
  try {
    return parseLimit(readText(path));
  } catch (error) {
    if (isGone(error) || isDenied(error) || isNotFolder(error)) return undefined;
    throw error;
  }
}

function isNotFolder(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOTDIR" || error.code === "ENODEV");
}
