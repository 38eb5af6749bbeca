// Is the process behind this pid still the one that was meant? A pid is reused by the kernel, pid and start ticks are not.
import { readFileSync } from "node:fs";

/** One life of a process, as it is kept in a pid file. */
export type Life = { readonly pid: number; readonly startTicks: number };

/** State letter (R, S, D, T, t, Z) and field 22 of /proc/<pid>/stat; undefined when there is no such process. */
export function lookAt(
  pid: number,
): { readonly state: string; readonly startTicks: number; readonly parent: number } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // gone, or gone while it was read
  }
  // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTicks = Number(rest[17]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) return undefined;
  return { state, startTicks, parent: Number(parent) };
}

/** The life of a running process; undefined for none and for one that has ended but was not yet reaped. */
export function lifeOf(pid: number): Life | undefined {
  const seen = lookAt(pid);
  return seen === undefined || seen.state === "Z" || seen.state === "X"
    ? undefined
    : { pid, startTicks: seen.startTicks };
}

/** Whether exactly this life goes on. */
export function lives(life: Life): boolean {
  return lifeOf(life.pid)?.startTicks === life.startTicks;
}

/** Signals exactly this life; false when it has ended. */
export function signal(life: Life, name: NodeJS.Signals): boolean {
  if (!lives(life)) return false;
  try {
    return process.kill(life.pid, name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Reads `pid` and start ticks, one per line; undefined for a file that is missing or holds anything else. */
export function readLife(path: string): Life | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const found = /^(\d+)\n(\d+)\n$/.exec(text);
  return found === null ? undefined : { pid: Number(found[1]), startTicks: Number(found[2]) };
}

/** What {@link readLife} reads. */
export const lifeText = (life: Life): string => `${life.pid}\n${life.startTicks}\n`;
