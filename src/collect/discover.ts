// Which process serves the gateway? The owner of its listening port; failing that, whoever claims to be the gateway.
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Incarnation } from "../core/identity.ts";
import type { WayFound } from "../core/readings.ts";
import { instant } from "../core/time.ts";
import { readBootId } from "../platform/signal.ts";
import { belowLauncher, bootTime, livingStat, lockOwner, pidFileOwner, unitMain } from "./claims.ts";
import { type Held, heldBy, linkOf } from "./holders.ts";
import { type Listener, readListeners, serves } from "./net.ts";
import { isDenied, isGone, listPids, type Stat, ticksPerSecond, unlessDenied, unlessLost } from "./proc.ts";

/** How a gateway is configured to be found. */
export type Target = {
  readonly port: number;
  readonly host: string;
  readonly pidFile?: string;
  readonly unit?: string;
  /** The gateway's state directory, which holds its lock files. */
  readonly stateDir?: string;
};

/** The process that serves, or should serve, the gateway. */
export type Serving = {
  readonly incarnation: Incarnation;
  readonly foundBy: WayFound;
  readonly listening: boolean;
  /** The listeners of the port in the process's own network namespace; `undefined` when they cannot be read. */
  readonly listeners: readonly Listener[] | undefined;
};

/**
 * Finds the serving process; `undefined` when it is gone. Rejects when this user cannot tell, since a process that
 * may not be looked at is not gone.
 */
export type Find = (signal: AbortSignal) => Promise<Serving | undefined>;

/** These hold a port for somebody else; ending them would not end the gateway. */
export const forwarders: ReadonlySet<string> = new Set([
  "docker-proxy",
  "rootlesskit",
  "rootlessport",
  "slirp4netns",
  "pasta",
  "systemd",
]);
/** A port held by a process that cannot be seen is looked for again only so often, since a full scan is costly. */
const blindLooks = 12;
/** Full scans give way to other work after this many processes. */
const scanBatch = 16;

type Listening = Pick<Serving, "listening" | "listeners"> & { readonly held: Held | undefined };
type Known = {
  readonly incarnation: Incarnation;
  readonly foundBy: WayFound;
  readonly held: Held | undefined;
};
type Owner = { readonly stat: Stat; readonly held: Held };
type Search = { readonly owner: Owner | undefined; readonly forwarder: string | undefined };

/** Remembers what it found: later looks only verify that the same incarnation still holds the listening socket. */
export function finder(target: Target, procRoot: string): Find {
  const { port, host } = target;
  let known: Known | undefined;
  let unowned: { readonly inodes: string; readonly search: Search; looks: number } | undefined;

  const remember = (stat: Stat, foundBy: WayFound, own: Listening): Serving => {
    const same = known?.incarnation.pid === stat.pid && known.incarnation.startTicks === stat.startTicks;
    const incarnation = same && known !== undefined ? known.incarnation : incarnationOf(procRoot, stat);
    known = { incarnation, foundBy, held: own.held };
    return { incarnation, foundBy, listening: own.listening, listeners: own.listeners };
  };

  return async (signal) => {
    const alive = known === undefined ? undefined : stillAlive(procRoot, known.incarnation);
    if (known !== undefined && alive === undefined) known = undefined;
    if (known?.held !== undefined) {
      const own = listenersOf(procRoot, known.incarnation.pid, known.held, target);
      const { incarnation, foundBy } = known;
      if (own !== undefined) return { incarnation, foundBy, listening: true, listeners: own };
    }

    const { listeners, search } = await ownerOfPort(signal);
    if (search?.owner !== undefined) {
      const { stat, held } = search.owner;
      return remember(stat, "port", { listening: true, held, listeners });
    }

    const claim = (stat: Stat, foundBy: WayFound): Serving =>
      remember(stat, foundBy, listensItself(procRoot, stat.pid, port));
    if (known?.foundBy === "port" && alive !== undefined) return claim(alive, "port");
    const { found, denied } = claims(target, procRoot);
    if (found !== undefined) return claim(found.stat, found.by);
    // An in-process restart takes its lock away and makes it anew.
    if (known !== undefined && alive !== undefined) return claim(alive, known.foundBy);
    if (listeners.length > 0)
      throw new Error(`find gateway: port ${port} is held by ${whoCannotBeSeen(search?.forwarder)}`);
    if (denied !== undefined) throw denied;
    return undefined;
  };

  /** Nobody listening here is common and cheap; listeners without an owner are looked at twice, for a race with its end. */
  async function ownerOfPort(
    signal: AbortSignal,
  ): Promise<{ readonly listeners: readonly Listener[]; readonly search: Search | undefined }> {
    let listeners: readonly Listener[] = [];
    let search: Search | undefined;
    for (let look = 0; look < 2; look++) {
      listeners = readListeners(join(procRoot, "net"), port);
      if (listeners.length === 0) return { listeners, search: undefined };
      const inodes = listeners.map(({ inode }) => inode).join();
      if (unowned?.inodes === inodes && unowned.looks-- > 0) return { listeners, search: unowned.search };
      search = await searchOwner(procRoot, listeners, host, signal);
      if (search.owner !== undefined) {
        unowned = undefined;
        return { listeners, search };
      }
      if (look === 1) unowned = { inodes, search, looks: blindLooks };
    }
    return { listeners, search };
  }
}

function whoCannotBeSeen(forwarder: string | undefined): string {
  if (forwarder !== undefined)
    return `${forwarder}, which only forwards it: name the unit, the pid file or the state directory`;
  return "a process this user cannot inspect: run the guard as the gateway's user";
}

/** Names the life of the process that `stat` was read from. */
function incarnationOf(procRoot: string, stat: Stat): Incarnation {
  const startedAt = instant(Math.round((bootTime(procRoot) + stat.startTicks / ticksPerSecond) * 1000));
  return { bootId: readBootId(procRoot), pid: stat.pid, startTicks: stat.startTicks, startedAt };
}

function stillAlive(procRoot: string, { pid, startTicks }: Incarnation): Stat | undefined {
  const stat = livingStat(procRoot, pid);
  return stat?.startTicks === startTicks ? stat : undefined;
}

/**
 * The listeners of the port, if this process still holds one of them through the same descriptor. Asked in the
 * process's own network namespace, which need not be ours.
 */
function listenersOf(
  procRoot: string,
  pid: number,
  { fd, inode }: Held,
  { port, host }: Target,
): readonly Listener[] | undefined {
  const isHeld = (listener: Listener) => listener.inode === inode;
  // Probes of an IPv4 address queue there: nothing waiting means that nothing is wrong, and IPv6 need not be asked.
  const isWell = (v4: readonly Listener[]) =>
    isIPv4(host) && v4.some(isHeld) && v4.every((one) => one.queued === 0);
  return unlessLost(() => {
    const listeners = readListeners(join(procRoot, `${pid}`, "net"), port, isWell);
    return listeners.some(isHeld) && linkOf(procRoot, pid, fd) === inode ? listeners : undefined;
  });
}

/** Whether a process found by a claim listens; one whose descriptors are hidden is given the benefit of the doubt. */
function listensItself(procRoot: string, pid: number, port: number): Listening {
  const listeners = unlessLost(() => readListeners(join(procRoot, `${pid}`, "net"), port));
  if (listeners === undefined || listeners.length === 0)
    return { listening: false, held: undefined, listeners };
  const inodes = new Set(listeners.map(({ inode }) => inode));
  const held = unlessLost(() => heldBy(procRoot, pid, inodes)) ?? "denied";
  if (held === "denied") return { listening: true, held: undefined, listeners };
  return { listening: held !== "none", held: held === "none" ? undefined : held, listeners };
}

/** Among several owners the listener for our host decides, then age: a child may have inherited the socket. */
async function searchOwner(
  procRoot: string,
  listeners: readonly Listener[],
  host: string,
  signal: AbortSignal,
): Promise<Search> {
  const inodes = new Set(listeners.map(({ inode }) => inode));
  const ours = new Set(listeners.filter((one) => serves(one, host)).map(({ inode }) => inode));
  let best: Owner | undefined;
  let forwarder: string | undefined;
  const rank = ({ stat, held }: Owner) =>
    (ours.has(held.inode) ? 0 : Number.MAX_SAFE_INTEGER / 2) + stat.startTicks;
  for (const [index, pid] of listPids(procRoot).entries()) {
    if (index % scanBatch === scanBatch - 1) {
      await turn();
      signal.throwIfAborted();
    }
    try {
      const held = unlessDenied(() => heldBy(procRoot, pid, inodes)) ?? "none";
      if (held === "none") continue;
      const stat = livingStat(procRoot, pid);
      if (stat === undefined) continue;
      if (forwarders.has(stat.name)) forwarder = stat.name;
      else if (best === undefined || rank({ stat, held }) < rank(best)) best = { stat, held };
    } catch (error) {
      // Processes come and go while we look.
      if (!isGone(error)) throw error;
    }
  }
  return { owner: best, forwarder };
}

type Claims = {
  readonly found: { readonly stat: Stat; readonly by: WayFound } | undefined;
  readonly denied: Error | undefined;
};

/** The first claim that holds. A claim that may not be read leaves open whether the gateway is gone, unless the unit tells. */
function claims(target: Target, procRoot: string): Claims {
  const { stateDir, unit, pidFile, port } = target;
  const ways: readonly [WayFound, () => Stat | undefined][] = [
    ["lock_file", () => (stateDir === undefined ? undefined : lockOwner(procRoot, stateDir, port))],
    ["systemd_unit", () => (unit === undefined ? undefined : unitMain(procRoot, unit))],
    ["pid_file", () => (pidFile === undefined ? undefined : pidFileOwner(procRoot, pidFile))],
  ];
  let denied: Error | undefined;
  for (const [by, look] of ways) {
    try {
      const stat = look();
      if (stat !== undefined)
        return { found: { stat: belowLauncher(procRoot, stat), by }, denied: undefined };
    } catch (error) {
      if (!isDenied(error)) throw error;
      denied ??= new Error(`find gateway: its ${by.replace("_", " ")} may not be read by this user`, {
        cause: error,
      });
    }
  }
  return { found: undefined, denied: unit === undefined ? denied : undefined };
}
