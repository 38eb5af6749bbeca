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

/** A pid file is written after its process started; more than this, in seconds, and the pid is somebody else's. */
const pidFileSlackSeconds = 5;

/** The gateway pads its lock files with blanks and keeps the start ticks beside the pid: together they prove identity. */
const lockFile = z.object({
  pid: z.number().int().positive(),
  startTime: z.number().int().nonnegative(),
  port: z.number().int(),
});

/** The living process that a lock file below `stateDir` proves to be the gateway of `port`; throws when they may not be read. */
export function lockOwner(procRoot: string, stateDir: string, port: number): Stat | undefined {
  const tmp = join(stateDir, "tmp");
  for (const folder of list(tmp).filter((name) => name.startsWith("openclaw-"))) {
    for (const name of list(join(tmp, folder)).filter((file) => /^gateway\..+\.lock$/.test(file))) {
      const lock = parseLock(textOf(join(tmp, folder, name)) ?? "");
      if (lock === undefined || lock.port !== port) continue;
      const owner = livingStat(procRoot, lock.pid);
      // A lock that SIGKILL left behind names a pid that may be in use again.
      if (owner?.startTicks === lock.startTime) return owner;
    }
  }
  return undefined;
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

/** The oldest living process in the unit's cgroup: the main one, unless that has handed over to a child. */
export function unitMain(procRoot: string, unit: string): Stat | undefined {
  const name = unit.includes(".") ? unit : `${unit}.service`;
  let main: Stat | undefined;
  for (const pid of listPids(procRoot)) {
    const text = readOther(join(procRoot, `${pid}`, "cgroup"));
    if (text === undefined || !livesIn(parseCgroups(text), name)) continue;
    const member = livingStat(procRoot, pid);
    if (member !== undefined && (main === undefined || member.startTicks < main.startTicks)) main = member;
  }
  return main;
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
