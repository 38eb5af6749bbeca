// Who says that it is the gateway, when nobody listens? Lock files, the cgroup of a systemd unit, a pid file.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { livesIn, parseCgroups } from "./cgroup.ts";
import {
  isDenied,
  isGone,
  listPids,
  parseBootTime,
  parseStat,
  readText,
  type Stat,
  ticksPerSecond,
  wholeNumber,
} from "./proc.ts";
import { descendantsIn } from "./tree.ts";

/** A pid file is written after its process started; more than this, in seconds, and the pid is somebody else's. */
const pidFileSlackSeconds = 5;

/** The gateway pads its lock files with blanks and keeps the start ticks beside the pid: together they prove identity. */
const lockFile = z.object({
  pid: z.number().int().positive(),
  startTime: z.number().int().nonnegative(),
  port: z.number().int(),
});

/** The name that a serving gateway gives itself, cut by the kernel at 15 characters; its arguments are gone then. */
export const gatewayName = "openclaw-gatewa";

/** The living process that a lock file below `stateDir` proves to be the gateway of `port`; throws when they may not be read. */
export function lockOwner(procRoot: string, stateDir: string, port: number): Stat | undefined {
  return lockOwners(procRoot, stateDir).find((owner) => owner.port === port)?.stat;
}

/** Every living process that a lock file below `stateDir` proves to be a gateway; throws when they may not be read. */
export function lockOwners(
  procRoot: string,
  stateDir: string,
): readonly { readonly stat: Stat; readonly port: number }[] {
  const owners: { readonly stat: Stat; readonly port: number }[] = [];
  const tmp = join(stateDir, "tmp");
  for (const folder of list(tmp).filter((name) => name.startsWith("openclaw-"))) {
    for (const name of list(join(tmp, folder)).filter((file) => /^gateway\..+\.lock$/.test(file))) {
      const lock = parseLock(textOf(join(tmp, folder, name)) ?? "");
      if (lock === undefined) continue;
      const stat = livingStat(procRoot, lock.pid);
      // A lock that SIGKILL left behind names a pid that may be in use again.
      if (stat?.startTicks === lock.startTime) owners.push({ stat, port: lock.port });
    }
  }
  return owners;
}

/** Parses a lock file; `undefined` when it is cut short or holds something else. */
export function parseLock(text: string): z.infer<typeof lockFile> | undefined {
  try {
    return lockFile.safeParse(JSON.parse(text.replaceAll("\0", " "))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The oldest living process in the unit's cgroup that calls itself the gateway; where none does, the oldest of all. */
export function unitMain(procRoot: string, unit: string): Stat | undefined {
  const members = listPids(procRoot).map((pid) => memberOf(procRoot, unit, pid));
  return oldest(members.filter((one) => one?.name === gatewayName)) ?? oldest(members);
}

/** The living process with this pid when it is in the unit's cgroup. */
export function memberOf(procRoot: string, unit: string, pid: number): Stat | undefined {
  const name = unit.includes(".") ? unit : `${unit}.service`;
  const text = readOther(join(procRoot, `${pid}`, "cgroup"));
  return text === undefined || !livesIn(parseCgroups(text), name) ? undefined : livingStat(procRoot, pid);
}

function oldest(all: readonly (Stat | undefined)[]): Stat | undefined {
  let first: Stat | undefined;
  for (const one of all)
    if (one !== undefined && (first === undefined || one.startTicks < first.startTicks)) first = one;
  return first;
}

/** The gateway itself where a claim names its launcher: the oldest descendant that calls itself the gateway. */
export function belowLauncher(procRoot: string, claimed: Stat): Stat {
  if (claimed.name === gatewayName) return claimed;
  const below = descendantsIn(procRoot)(claimed.pid).pids.map((pid) => livingStat(procRoot, pid));
  return oldest(below.filter((one) => one?.name === gatewayName)) ?? claimed;
}

/** The living process that the pid file names, unless it started after the file was written: then the pid was reused. */
export function pidFileOwner(procRoot: string, pidFile: string): Stat | undefined {
  const pid = wholeNumber(textOf(pidFile)?.split("\n")[0]);
  if (pid === undefined || pid === 0) return undefined;
  const owner = livingStat(procRoot, pid);
  if (owner === undefined) return undefined;
  const startedAtSeconds = bootTime(procRoot) + owner.startTicks / ticksPerSecond;
  const writtenAtSeconds = statSync(pidFile).mtimeMs / 1000;
  return startedAtSeconds > writtenAtSeconds + pidFileSlackSeconds ? undefined : owner;
}

/** Stat of a process that lives; a zombie is dead and only waits for its parent. */
export function livingStat(procRoot: string, pid: number): Stat | undefined {
  const text = textOf(join(procRoot, `${pid}`, "stat"));
  if (text === undefined) return undefined;
  const stat = parseStat(text);
  if (stat === undefined) throw new Error(`read process ${pid}: malformed stat`);
  return stat.state === "Z" || stat.state === "X" ? undefined : stat;
}

/** Seconds since the epoch at which the kernel booted. */
export function bootTime(procRoot: string): number {
  const seconds = parseBootTime(readText(join(procRoot, "stat")));
  if (seconds === undefined) throw new Error("read boot time: no btime in stat");
  return seconds;
}

function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** A foreign process that this user may not look at is not in a unit of ours. */
function readOther(path: string): string | undefined {
  try {
    return textOf(path);
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
