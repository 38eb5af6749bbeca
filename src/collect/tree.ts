// Which processes descend from the gateway, and what do they use together?
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Usage } from "../core/readings.ts";
import {
  isDenied,
  isGone,
  listPids,
  parseChildren,
  parseStat,
  parseStatus,
  readText,
  type Status,
  unlessLost,
  wholeNumber,
} from "./proc.ts";

/** A gateway has a handful of children; a fork bomb must not make the guard read thousands of files. */
export const treeLimit = 128;

/** Lists a process's descendants, nearest first, without the process itself; at most `treeLimit` - 1 of them. */
export type Descendants = (pid: number) => readonly number[];

/** Reads `task/<tid>/children` where the kernel has it, otherwise the parent of every process. */
export function descendantsIn(procRoot: string): Descendants {
  let hasChildren: boolean | undefined;
  return (pid) => {
    hasChildren ??= hasChildrenFiles(procRoot, pid);
    const childrenOf = hasChildren
      ? (parent: number) => listedChildren(procRoot, parent)
      : scanParents(procRoot);
    const found: number[] = [];
    const seen = new Set([pid]);
    for (let next: number | undefined = pid, at = 0; next !== undefined; next = found[at++]) {
      for (const child of childrenOf(next)) {
        if (found.length >= treeLimit - 1) return found;
        if (seen.has(child)) continue;
        seen.add(child);
        found.push(child);
      }
    }
    return found;
  };
}

/** What the process, whose status is given, and its descendants use together; unknown as soon as one part is unknown. */
export function usageOfTree(procRoot: string, own: Status, descendants: readonly number[]): Usage {
  let residentBytes = own.residentBytes;
  let swappedBytes = own.swappedBytes;
  let processes = 1;
  let zombies = 0;
  for (const pid of descendants) {
    const status = readStatus(procRoot, pid);
    if (status === "gone") continue;
    if (status !== "denied" && (status.state === "Z" || status.state === "X")) {
      zombies++;
      continue;
    }
    processes++;
    residentBytes = sum(residentBytes, status === "denied" ? undefined : status.residentBytes);
    swappedBytes = sum(swappedBytes, status === "denied" ? undefined : status.swappedBytes);
  }
  return { residentBytes, swappedBytes, processes, zombies };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function readStatus(procRoot: string, pid: number): Status | "gone" | "denied" {
  try {
    return parseStatus(readText(join(procRoot, `${pid}`, "status")));
  } catch (error) {
    if (isGone(error)) return "gone";
    if (isDenied(error)) return "denied";
    throw error;
  }
}

/** Only kernels built with CONFIG_PROC_CHILDREN have the file; `undefined` when the process ended meanwhile. */
function hasChildrenFiles(procRoot: string, pid: number): boolean | undefined {
  return unlessLost(() => readdirSync(join(procRoot, `${pid}`, "task", `${pid}`)))?.includes("children");
}

/** A child belongs to the thread that started it, so every thread is asked. */
function listedChildren(procRoot: string, parent: number): readonly number[] {
  const tasks = join(procRoot, `${parent}`, "task");
  const threads = unlessLost(() => readdirSync(tasks)) ?? [];
  return threads
    .filter((thread) => wholeNumber(thread) !== undefined)
    .flatMap((thread) => parseChildren(unlessLost(() => readText(join(tasks, thread, "children"))) ?? ""));
}

function scanParents(procRoot: string): (parent: number) => readonly number[] {
  const children = new Map<number, number[]>();
  for (const pid of listPids(procRoot)) {
    const parent = parentOf(procRoot, pid);
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  return (parent) => children.get(parent) ?? [];
}

/** A process whose line cannot be read is nobody's child: it must not end the reading of all others. */
function parentOf(procRoot: string, pid: number): number | undefined {
  const text = unlessLost(() => readText(join(procRoot, `${pid}`, "stat")));
  return text === undefined ? undefined : parseStat(text)?.parent;
}
