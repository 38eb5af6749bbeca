// What do the small files of /proc/<pid> say? Bounded reading, and parsers that answer "unknown" to what they cannot read.
import { closeSync, existsSync, openSync, readdirSync, readSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fieldsAfterName } from "../platform/signal.ts";

/** USER_HZ, the unit of every tick in /proc: 100 on all platforms that Node supports. */
export const ticksPerSecond = 100;

/** `/proc/stat` of a host with hundreds of cores is the longest file read here. */
const textLimitBytes = 256 * 1024;
const buffer = Buffer.allocUnsafe(textLimitBytes);

/** statfs type of a real procfs, from linux/magic.h. */
const procMagic = 0x9fa0;

/** One process or thread, from its `stat` line. */
export type Stat = {
  readonly pid: number;
  readonly name: string;
  /** R running, S sleeping, D disk, T stopped, t traced, Z zombie, X dead. */
  readonly state: string;
  readonly parent: number;
  readonly cpuSeconds: number;
  readonly threads: number;
  readonly startTicks: number;
};

/** The parts of `status` that are measured; a kernel thread or a zombie has no memory lines. */
export type Status = {
  readonly state: string | undefined;
  readonly residentBytes: number | undefined;
  readonly swappedBytes: number | undefined;
  readonly threads: number | undefined;
};

/** The first 256 KiB of a file; throws what the file system throws. */
export function readText(path: string): string {
  const file = openSync(path, "r");
  try {
    let length = 0;
    while (length < buffer.length) {
      const got = readSync(file, buffer, length, buffer.length - length, null);
      if (got === 0) break;
      length += got;
    }
    return buffer.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}

/** Reads and parses `<pid>/stat`; throws when the process is gone or the line is malformed. */
export function readStat(procRoot: string, pid: number): Stat {
  const stat = parseStat(readText(join(procRoot, `${pid}`, "stat")));
  if (stat === undefined) throw new Error(`read process ${pid}: malformed stat`);
  return stat;
}

/** Parses a `stat` line of a process or thread; `undefined` when it is cut short or not one. */
export function parseStat(text: string): Stat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const fields = fieldsAfterName(text);
  // The start ticks must be followed by something: a line cut within them would name another life.
  if (fields.length <= 20) return undefined;
  const [state] = fields;
  const [pid, parent, user, system, threads, startTicks] = [
    text.slice(0, open),
    fields[1],
    fields[11],
    fields[12],
    fields[17],
    fields[19],
  ].map(wholeNumber);
  if (state === undefined || pid === undefined || parent === undefined) return undefined;
  if (user === undefined || system === undefined || threads === undefined || startTicks === undefined)
    return undefined;
  const name = text.slice(open + 1, close);
  return { pid, name, state, parent, cpuSeconds: (user + system) / ticksPerSecond, threads, startTicks };
}

/** The parent in a `stat` line; `undefined` when it is cut short. */
export function parseParent(text: string): number | undefined {
  return wholeNumber(/^ \S (\d+) /.exec(text.slice(text.lastIndexOf(")") + 1))?.[1]);
}

/** Parses `status`; memory is in bytes. */
export function parseStatus(text: string): Status {
  return {
    state: /^State:\s+(\S)/m.exec(text)?.[1],
    residentBytes: kibibytes(/^VmRSS:\s+(\d+) kB$/m.exec(text)),
    swappedBytes: kibibytes(/^VmSwap:\s+(\d+) kB$/m.exec(text)),
    threads: wholeNumber(/^Threads:\s+(\d+)$/m.exec(text)?.[1]),
  };
}

/** The soft limit of open files in `limits`; `undefined` when it is unlimited or not given. */
export function parseMaxFds(text: string): number | undefined {
  return wholeNumber(/^Max open files\s+(\d+)\s/m.exec(text)?.[1]);
}

/** Seconds since the epoch at which the kernel booted, from `/proc/stat`. */
export function parseBootTime(text: string): number | undefined {
  return wholeNumber(/^btime (\d+)$/m.exec(text)?.[1]);
}

/** The pids in a `children` file. */
export function parseChildren(text: string): readonly number[] {
  return text
    .trim()
    .split(/\s+/)
    .map(wholeNumber)
    .filter((pid) => pid !== undefined);
}

/** Whether there is a /proc worth reading: the host's boot time is where it should be. */
export function hasProc(procRoot: string): boolean {
  return existsSync(join(procRoot, "stat")) && existsSync(join(procRoot, "sys/kernel/random/boot_id"));
}

/** The proportional share of resident memory in a `smaps_rollup`, in bytes. */
export function parseProportional(text: string): number | undefined {
  return kibibytes(/^Pss:\s+(\d+) kB$/m.exec(text));
}

/** Every process id listed in `procRoot`. */
export function listPids(procRoot: string): readonly number[] {
  return readdirSync(procRoot)
    .map(wholeNumber)
    .filter((pid) => pid !== undefined);
}

/** How many descriptors a process holds open. */
export function countFds(procRoot: string, pid: number): number {
  const folder = join(procRoot, `${pid}`, "fd");
  // Since Linux 6.2 the folder's size is the count, which spares listing tens of thousands of entries of a leak.
  if (statfsSync(folder).type === procMagic) {
    const { size } = statSync(folder);
    if (size > 0) return size;
  }
  return readdirSync(folder).length;
}

/** Whether the error says that a process, or this file of it, is not there (any more). */
export function isGone(error: unknown): boolean {
  return hasCode(error, "ENOENT", "ESRCH");
}

/** Whether the error says that this user may not look. */
export function isDenied(error: unknown): boolean {
  return hasCode(error, "EACCES", "EPERM");
}

/** The result of `read`, or `undefined` when this user may not look. */
export function unlessDenied<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}

/** The result of `read`, or `undefined` when the file is not there or this user may not look. */
export function unlessLost<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error) || isDenied(error)) return undefined;
    throw error;
  }
}

/** The result of `read`, or `undefined` when the kernel has the file but not what it would say. */
export function unlessUnsupported<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "EOPNOTSUPP", "ENOTSUP", "ENODEV", "ENOTDIR", "EINVAL")) return undefined;
    throw error;
  }
}

/** A non-negative whole number written in digits; `undefined` for anything else. */
export function wholeNumber(text: string | undefined): number | undefined {
  const digits = text?.trim() ?? "";
  if (!/^\d+$/.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : undefined;
}

function kibibytes(match: RegExpExecArray | null): number | undefined {
  const count = wholeNumber(match?.[1]);
  return count === undefined ? undefined : count * 1024;
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}
