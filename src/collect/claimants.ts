// How many living processes claim to be this gateway? More than one at the same port, state directory or unit means that
// two gateways fight for it.
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, ms } from "../core/time.ts";
import { gatewayName, livingStat, lockOwners, memberOf } from "./claims.ts";
import { forwarders, type Target } from "./discover.ts";
import { socketsOf } from "./holders.ts";
import { readListeners, serves } from "./net.ts";
import { hasProc, isGone, listPids, type Stat, unlessDenied, unlessLost } from "./proc.ts";
import type { Sight } from "./process.ts";

export const claims = ["port", "state_dir", "unit"] as const;
export type Claim = (typeof claims)[number];
/** A claim that is not configured, or that this user cannot look into, is absent. */
export type ClaimantsReading = Readonly<Partial<Record<Claim, number>>>;

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_claimants",
    type: "gauge",
    help: "Living processes that claim the same port (as listener or by lock file), state directory (by lock file) or systemd unit; a child of a claimant is none of its own. More than 1 are duplicate gateways.",
    labels: ["claim"],
  },
];
/** Full scans give way to other work after this many processes. */
const scanBatch = 16;

/** Counts who claims what `target` names; everything is looked at anew each time. */
export function claimantsCollector(options: {
  readonly target: Target;
  readonly procRoot: string;
  readonly sight: () => Sight | undefined;
  readonly every?: Millis;
}): Collector<ClaimantsReading> {
  const { target, procRoot, sight } = options;
  const { port, stateDir, unit } = target;
  const every = options.every ?? ms(60_000);
  return {
    name: "claimants",
    every,
    deadline: ms(every * 0.5),
    metrics,
    async read(signal) {
      // Without /proc nobody can be asked: that is not the same as nobody.
      if (!hasProc(procRoot)) return {};
      const locks = stateDir === undefined ? [] : unlessDenied(() => lockOwners(procRoot, stateDir));
      const owners = await listening(signal);
      const named = unit === undefined ? undefined : await members(unit, signal);
      const reading: Partial<Record<Claim, number>> = {};
      if (owners !== undefined && locks !== undefined) {
        const atPort = locks.filter((lock) => lock.port === port).map(({ stat }) => stat);
        reading.port = independent([...owners, ...atPort]);
      }
      if (stateDir !== undefined && locks !== undefined) {
        const serving = servingStat();
        const all = locks.map(({ stat }) => stat);
        reading.state_dir = independent(serving === undefined ? all : [...all, serving]);
      }
      if (named !== undefined) {
        const sure = new Set(
          [...(owners ?? []), ...(locks ?? []).map(({ stat }) => stat)].map(({ pid }) => pid),
        );
        reading.unit = independent(named.filter((one) => one.name === gatewayName || sure.has(one.pid)));
      }
      return reading;
    },
    samples: (reading) =>
      claims.flatMap((claim) => {
        const value = reading[claim];
        return value === undefined ? [] : [{ name: "openclaw_gateway_claimants", labels: { claim }, value }];
      }),
  };

  function servingStat(): Stat | undefined {
    const seen = sight();
    const stat = seen === undefined ? undefined : livingStat(procRoot, seen.incarnation.pid);
    return stat?.startTicks === seen?.incarnation.startTicks ? stat : undefined;
  }

  /** Who holds the port's listeners: usually the serving process holds them all, and nobody else has to be asked. */
  async function listening(signal: AbortSignal): Promise<readonly Stat[] | undefined> {
    const serving = servingStat();
    const net = serving === undefined ? "net" : `${serving.pid}/net`;
    const listeners = unlessLost(() => readListeners(join(procRoot, net), port));
    if (listeners === undefined) return undefined;
    const ours = listeners.filter((one) => serves(one, target.host) || serves(one, "localhost"));
    const open = new Set(ours.map(({ inode }) => inode));
    const owners: Stat[] = [];
    if (serving !== undefined && open.size > 0) {
      const held = unlessLost(() => socketsOf(procRoot, serving.pid)) ?? new Set();
      const before = open.size;
      for (const inode of held) open.delete(inode);
      if (open.size < before) owners.push(serving);
    }
    if (open.size === 0) return owners;
    // A child that inherited a listener holds it too: all holders are kept, and descent sorts them out.
    const seen = new Set<number>();
    for await (const pid of everybody(signal)) {
      const held = [...(unlessLost(() => socketsOf(procRoot, pid)) ?? [])].filter((inode) => open.has(inode));
      if (held.length === 0) continue;
      const stat = livingStat(procRoot, pid);
      if (stat !== undefined && !forwarders.has(stat.name)) owners.push(stat);
      for (const inode of held) seen.add(inode);
    }
    // A listener whose owner cannot be seen may be one more, or the one we know.
    return seen.size === open.size ? owners : undefined;
  }

  async function members(name: string, signal: AbortSignal): Promise<readonly Stat[]> {
    const found: Stat[] = [];
    for await (const pid of everybody(signal)) {
      const stat = memberOf(procRoot, name, pid);
      if (stat !== undefined) found.push(stat);
    }
    return found;
  }

  async function* everybody(signal: AbortSignal): AsyncGenerator<number> {
    for (const [index, pid] of listPids(procRoot).entries()) {
      if (index % scanBatch === scanBatch - 1) {
        await turn();
        signal.throwIfAborted();
      }
      yield pid;
    }
  }

  /** How many of them do not descend from another one. */
  function independent(all: readonly Stat[]): number {
    const byPid = new Map(all.map((one) => [one.pid, one]));
    return [...byPid.values()].filter((one) => !descendsFrom(one, byPid)).length;
  }

  function descendsFrom(one: Stat, others: ReadonlyMap<number, Stat>): boolean {
    const passed = new Set([one.pid]);
    for (
      let at: Stat | undefined = one;
      at !== undefined && !passed.has(at.parent);
      at = ancestor(at.parent)
    ) {
      if (others.has(at.parent)) return true;
      passed.add(at.parent);
    }
    return false;
  }

  function ancestor(pid: number): Stat | undefined {
    try {
      return unlessDenied(() => livingStat(procRoot, pid));
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }
}
