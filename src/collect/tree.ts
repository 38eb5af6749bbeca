// Which processes descend from the gateway, what do they use together, and is a young one of them at work?
import { join } from "node:path";
import type { Incarnation } from "../core/identity.ts";
import type { ProcessReading, Usage } from "../core/readings.ts";
import { instant } from "../core/time.ts";
import {
  isDenied,
  isGone,
  listPids,
  parseParent,
  parseStat,
  parseStatus,
  readText,
  type Status,
  ticksPerSecond,
  unlessLost,
} from "./proc.ts";

/** A gateway has a handful of children; a fork bomb must not make the guard read thousands of files. */
export const treeLimit = 128;

/** Parents are asked for anew after so many looks, in case a pid changed hands between two of them. */
const rescanAfter = 60;

/** Up to this many descendants are read every time, twice as many every other time, and so on. */
const affordable = 16;

/** A process's descendants, nearest first, without the process itself. */
export type Descent = {
  readonly pids: readonly number[];
  readonly parentOf: (pid: number) => number | undefined;
  /** Whether there are more than `treeLimit` processes. */
  readonly cut: boolean;
};

export type Descendants = (pid: number) => Descent;

/** What a tree says beside its usage. */
export type Tree = Pick<
  Extract<ProcessReading, { readonly found: true }>,
  "tree" | "children" | "treeCut" | "youngBusyChild"
> & {
  /** Living descendants. */
  readonly pids: readonly number[];
};

/**
 * Finds descendants by everybody's parent, which it remembers: a look costs one listing, and one small file per
 * process that is new. (A list of children per thread exists too; a Node process has a dozen threads to ask.)
 */
export function descendantsIn(procRoot: string): Descendants {
  let parents = new Map<number, number | undefined>();
  let looks = 0;
  return (root) => {
    if (looks++ % rescanAfter === 0) parents = new Map();
    const before = parents;
    parents = new Map();
    const children = new Map<number, number[]>();
    for (const pid of listPids(procRoot)) {
      const parent = before.has(pid) ? before.get(pid) : parentIn(procRoot, pid);
      parents.set(pid, parent);
      if (parent === undefined) continue;
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [pid]);
      else siblings.push(pid);
    }
    const pids: number[] = [];
    const seen = new Set([root]);
    let cut = false;
    for (let next: number | undefined = root, at = 0; next !== undefined; next = pids[at++]) {
      for (const child of children.get(next) ?? []) {
        if (seen.has(child)) continue;
        seen.add(child);
        if (pids.length >= treeLimit - 1) cut = true;
        else pids.push(child);
      }
    }
    return { pids, parentOf: (pid) => parents.get(pid), cut };
  };
}

/** What the descendants use together, without the root. */
type Below = Omit<Tree, "tree"> & { readonly usage: Usage };

/**
 * Reads a process's tree again and again; it remembers the CPU time of direct children from one reading to the next. A
 * wide tree is read less often, and its last numbers are used in between: 127 children cost 6 ms.
 */
export function treeReader(procRoot: string): (root: Incarnation, own: Status) => Tree {
  const descendants = descendantsIn(procRoot);
  let last: { readonly root: string; readonly cpu: ReadonlyMap<string, number> } | undefined;
  let kept: { readonly root: string; readonly below: Below; left: number } | undefined;

  return (root, own) => {
    const life = `${root.pid}:${root.startTicks}`;
    if (kept?.root !== life || kept.left-- <= 0) {
      const below = readBelow(root, life);
      kept = { root: life, below, left: Math.floor(below.usage.processes / affordable) };
    }
    const { usage, ...rest } = kept.below;
    const tree: Usage = {
      residentBytes: sum(own.residentBytes, usage.residentBytes),
      swappedBytes: sum(own.swappedBytes, usage.swappedBytes),
      processes: usage.processes + 1,
      zombies: usage.zombies,
    };
    return { tree, ...rest };
  };

  function readBelow(root: Incarnation, life: string): Below {
    const { pids, parentOf, cut } = descendants(root.pid);
    const living: number[] = [];
    const direct: number[] = [];
    let residentBytes: number | undefined = 0;
    let swappedBytes: number | undefined = 0;
    let zombies = 0;
    for (const pid of pids) {
      const status = readStatus(procRoot, pid);
      if (status === "gone") continue;
      if (status !== "denied" && (status.state === "Z" || status.state === "X")) {
        zombies++;
        continue;
      }
      living.push(pid);
      if (parentOf(pid) === root.pid) direct.push(pid);
      residentBytes = sum(residentBytes, status === "denied" ? undefined : status.residentBytes);
      swappedBytes = sum(swappedBytes, status === "denied" ? undefined : status.swappedBytes);
    }
    return {
      usage: { residentBytes, swappedBytes, processes: living.length, zombies },
      children: direct.length,
      treeCut: cut,
      youngBusyChild: youngestBusy(root, life, direct),
      pids: living,
    };
  }

  /** A child that was not there at the last reading has used all of its time since. */
  function youngestBusy(root: Incarnation, life: string, direct: readonly number[]): Tree["youngBusyChild"] {
    const before = last?.root === life ? last.cpu : undefined;
    const cpu = new Map<string, number>();
    let youngest: number | undefined;
    for (const pid of direct) {
      const text = unlessLost(() => readText(join(procRoot, `${pid}`, "stat")));
      const child = text === undefined ? undefined : parseStat(text);
      if (child === undefined) continue;
      const name = `${pid}:${child.startTicks}`;
      cpu.set(name, child.cpuSeconds);
      const rose = before !== undefined && child.cpuSeconds > (before.get(name) ?? 0);
      if (rose && (youngest === undefined || child.startTicks > youngest)) youngest = child.startTicks;
    }
    last = { root: life, cpu };
    if (youngest === undefined) return undefined;
    const after = ((youngest - root.startTicks) / ticksPerSecond) * 1000;
    return { startedAt: instant(Math.round(root.startedAt + after)) };
  }
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

/** A process whose line cannot be read is nobody's child: it must not end the reading of all others. */
function parentIn(procRoot: string, pid: number): number | undefined {
  const text = unlessLost(() => readText(join(procRoot, `${pid}`, "stat")));
  return text === undefined ? undefined : parseParent(text);
}
