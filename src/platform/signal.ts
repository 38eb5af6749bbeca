// How is a signal sent to exactly the process that was looked at, and to no other that the kernel gave its pid?
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isProven, type ProcessIdentity } from "../core/identity.ts";

/** `another`: the pid is in use, by a process that started at another moment or in another boot. */
export type SignalResult = "sent" | "gone" | "another";

/**
 * Sends `signal` when, read at the last moment, the pid still belongs to this incarnation; throws when the kernel
 * refuses. Node has no pidfd, so a few microseconds remain in which a pid could be reused.
 */
export function killVerified(procRoot: string, one: ProcessIdentity, signal: NodeJS.Signals): SignalResult {
  // Signal 0 and negative pids address process groups, pid 1 ends the host or the container.
  if (!Number.isSafeInteger(one.pid) || one.pid <= 1 || one.pid === process.pid) {
    throw new TypeError(`signal process ${one.pid}: not a process that may be signalled`);
  }
  if (!isProven(one)) throw new TypeError(`signal process ${one.pid}: its start ticks are unknown`);
  const boot = readBootId(procRoot);
  const seen = readIdentity(procRoot, one.pid);
  if (seen === undefined) return "gone";
  if (boot !== one.bootId || seen.startTicks !== one.startTicks) return "another";
  try {
    process.kill(one.pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return "gone";
    throw new Error(`signal process ${one.pid}: ${signal} was refused`, { cause: error });
  }
  return "sent";
}

/** The identity of a living process; `undefined` when there is none with this pid. */
export function identify(procRoot: string, pid: number): ProcessIdentity | undefined {
  const seen = readIdentity(procRoot, pid);
  return seen === undefined ? undefined : { bootId: readBootId(procRoot), pid, startTicks: seen.startTicks };
}

/** The random name that the kernel gave this boot. */
export function readBootId(procRoot: string): string {
  return readFileSync(join(procRoot, "sys/kernel/random/boot_id"), "utf8").trim();
}

/** The same, or a word that no process was ever seen in where there is no /proc: nothing is then done to any of them. */
export function bootIdOr(procRoot: string, unknown: string): string {
  return existsSync(join(procRoot, "sys/kernel/random/boot_id")) ? readBootId(procRoot) : unknown;
}

/**
 * The fields of a `/proc/<pid>/stat` line that follow the command name, so that field N of proc(5) is at N - 3.
 * The name may hold blanks, brackets and newlines: only its last closing bracket ends it.
 */
export function fieldsAfterName(stat: string): readonly string[] {
  return stat
    .slice(stat.lastIndexOf(")") + 1)
    .trim()
    .split(/\s+/);
}

/** Start ticks of a living process; a zombie has nothing left to signal and counts as gone. */
function readIdentity(procRoot: string, pid: number): { readonly startTicks: number } | undefined {
  let text: string;
  try {
    text = readFileSync(join(procRoot, `${pid}`, "stat"), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
  const fields = fieldsAfterName(text);
  const startTicks = Number(fields[19]);
  if (fields.length <= 20 || !Number.isSafeInteger(startTicks)) {
    throw new Error(`signal process ${pid}: malformed stat`);
  }
  return fields[0] === "Z" || fields[0] === "X" ? undefined : { startTicks };
}
