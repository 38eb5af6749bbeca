// What can be known about the gateway where there is no /proc? What systeminformation tells, and nothing that it cannot.
// It starts programs for it (ps, netstat or ss; PowerShell on Windows), hence the slower cadence.
import { readFileSync, statSync } from "node:fs";
import { availableParallelism, platform } from "node:os";
import { isProven, unprovenBoot, type Incarnation } from "../core/identity.ts";
import type { ProcessReading } from "../core/readings.ts";
import type { Collector } from "../core/sample.ts";
import { elapsed, type Instant, instant, type Millis, ms, seconds } from "../core/time.ts";
import type { Target } from "./discover.ts";
import { wholeNumber } from "./proc.ts";
import { processMetrics, samplesOf, type Sight } from "./process.ts";
import { treeLimit } from "./tree.ts";

/** Each reading starts two to four programs. */
const leastEvery = seconds(15);
/** The library tells starts in whole seconds, computed from an age in whole seconds. */
const startSlack = seconds(3);
/** A pid file is written after its process started; more than this and the pid is somebody else's. */
const pidFileSlack = seconds(5);

/** The parts of the library's process list that are used. */
export type ListedProcess = {
  readonly pid: number;
  readonly parentPid: number;
  /** Percent, of all cores or of one, as the platform's own tools count. */
  readonly cpu: number;
  /** KiB. */
  readonly memRss: number;
  /** Local time: 2026-11-20 06:12:08. */
  readonly started: string;
  readonly state: string;
};

/** The parts of its connection list that are used. */
export type ListedConnection = {
  readonly localAddress: string;
  readonly localPort: string;
  readonly state: string;
  readonly pid: number | null;
};

/** What the machine tells at one moment. */
export type Listing = {
  readonly processes: readonly ListedProcess[];
  readonly connections: readonly ListedConnection[];
};

/** Reads the serving process without /proc; its identity is unproven, so no remedy ever ends it by pid. */
export function portableProcessCollector(options: {
  readonly target: Target;
  readonly now: () => Instant;
  /** The real one asks systeminformation. */
  readonly list?: () => Promise<Listing>;
  readonly every?: Millis;
}): Collector<ProcessReading> & { readonly sight: () => Sight | undefined } {
  const { target, now } = options;
  const list = options.list ?? ask;
  const every = ms(Math.max(leastEvery, options.every ?? 0));
  let known: { readonly incarnation: Incarnation; readonly at: Instant } | undefined;
  return {
    name: "process",
    every,
    deadline: ms(every * 0.8),
    metrics: processMetrics,
    sight: () => undefined,
    async read(signal) {
      const listing = await list();
      signal.throwIfAborted();
      const found = servingIn(listing, target);
      const at = now();
      if (found === undefined) {
        known = undefined;
        return { found: false };
      }
      const startedAt = startOf(found.process);
      // Its start is told anew each time and wavers; only a start after the last look is another life.
      const before = known?.incarnation.pid === found.process.pid ? known : undefined;
      const same = before !== undefined && elapsed(before.at, startedAt) <= startSlack;
      const incarnation = same ? before.incarnation : lifeOf(found.process.pid, startedAt);
      const reading = readingOf(listing, found, incarnation, same);
      known = { incarnation, at };
      return reading;
    },
    samples: samplesOf,
  };
}

/** Start ticks that no kernel gave: they tell lives apart and prove nothing. */
function lifeOf(pid: number, startedAt: Instant): Incarnation {
  const life = { bootId: unprovenBoot, pid, startTicks: Math.round(startedAt / 10), startedAt };
  if (isProven(life))
    throw new TypeError("find gateway: an identity without start ticks must not pass for proven");
  return life;
}

type FoundIn = {
  readonly process: ListedProcess;
  readonly foundBy: "port" | "pid_file";
  readonly listening: boolean;
};

/** The serving process of a listing, `undefined` when it is gone; throws when the listing cannot tell. */
export function servingIn(listing: Listing, { port, host, pidFile }: Target): FoundIn | undefined {
  const { processes, connections } = listing;
  // The library gives empty lists when its programs are missing.
  if (processes.length === 0) throw new Error("find gateway: the processes of this host cannot be listed");
  const living = new Map(processes.filter((one) => !isDead(one)).map((one) => [one.pid, one]));
  const listeners = connections.filter(
    ({ state, localPort, localAddress }) =>
      state === "LISTEN" && Number(localPort) === port && isAt(localAddress, host),
  );
  const owners = listeners
    .flatMap(({ pid }) => (pid === null ? [] : [living.get(pid)]))
    .filter((one) => one !== undefined);
  // A child may have inherited the socket: the oldest is it.
  const owner = owners.toSorted((a, b) => startOf(a) - startOf(b))[0];
  if (owner !== undefined) return { process: owner, foundBy: "port", listening: true };
  const claimed = pidFile === undefined ? undefined : fromPidFile(pidFile, living);
  if (claimed !== undefined)
    return { process: claimed, foundBy: "pid_file", listening: listeners.length > 0 };
  if (listeners.length > 0)
    throw new Error(
      `find gateway: port ${port} is held by a process this user cannot inspect: run the guard as the gateway's user`,
    );
  if (connections.length === 0)
    throw new Error("find gateway: the listeners of this host cannot be listed: name the pid file");
  return undefined;
}

function isAt(address: string, host: string): boolean {
  const plain = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const wanted = host.replace(/^\[|\]$/g, "");
  if (["*", "0.0.0.0", "::", ""].includes(plain)) return true;
  return plain === wanted || (wanted === "localhost" && ["127.0.0.1", "::1"].includes(plain));
}

function fromPidFile(path: string, living: ReadonlyMap<number, ListedProcess>): ListedProcess | undefined {
  try {
    const owner = living.get(wholeNumber(readFileSync(path, "utf8").split("\n")[0]) ?? 0);
    if (owner === undefined || startOf(owner) > statSync(path).mtimeMs + pidFileSlack) return undefined;
    return owner;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function readingOf(
  { processes }: Listing,
  { process, foundBy, listening }: FoundIn,
  incarnation: Incarnation,
  same: boolean,
): Extract<ProcessReading, { readonly found: true }> {
  const { pids, cut } = below(process.pid, processes);
  const all = [process, ...processes.filter(({ pid }) => pids.has(pid))];
  const living = all.filter((one) => !isDead(one));
  return {
    found: true,
    foundBy,
    incarnation,
    listening,
    acceptQueue: undefined,
    state: stateLetters[process.state],
    mainThreadCpuSeconds: undefined,
    cpuSeconds: undefined,
    // The first share that the library tells is one since boot.
    cpuShare: same ? (process.cpu / 100) * (platform() === "darwin" ? 1 : availableParallelism()) : undefined,
    threads: undefined,
    openFds: undefined,
    maxFds: undefined,
    self: { residentBytes: bytesOf(process), swappedBytes: undefined, processes: 1, zombies: 0 },
    tree: {
      residentBytes: living.map(bytesOf).reduce((sum, bytes) => add(sum, bytes), 0),
      swappedBytes: undefined,
      processes: living.length,
      zombies: all.length - living.length,
    },
    children: living.filter(({ parentPid }) => parentPid === process.pid).length,
    treeCut: cut,
    youngBusyChild: undefined,
    cgroup: undefined,
    cgroupLimitBytes: undefined,
    unit: undefined,
  };
}

const stateLetters: Readonly<Record<string, string>> = {
  running: "R",
  sleeping: "S",
  blocked: "D",
  stopped: "T",
};

function below(
  root: number,
  processes: readonly ListedProcess[],
): { readonly pids: ReadonlySet<number>; readonly cut: boolean } {
  const pids = new Set<number>();
  const waiting = [root];
  for (let parent = waiting.shift(); parent !== undefined; parent = waiting.shift()) {
    for (const { pid, parentPid } of processes) {
      if (parentPid !== parent || pid === root || pids.has(pid)) continue;
      if (pids.size >= treeLimit - 1) return { pids, cut: true };
      pids.add(pid);
      waiting.push(pid);
    }
  }
  return { pids, cut: false };
}

function isDead({ state }: ListedProcess): boolean {
  return state === "zombie" || state === "dead";
}

function bytesOf({ memRss }: ListedProcess): number | undefined {
  return Number.isFinite(memRss) && memRss > 0 ? memRss * 1024 : undefined;
}

function add(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function startOf({ pid, started }: ListedProcess): Instant {
  const at = Date.parse(started.replace(" ", "T"));
  if (!Number.isFinite(at))
    throw new Error(`read process ${pid}: its start "${started.slice(0, 40)}" is no time`);
  return instant(at);
}

async function ask(): Promise<Listing> {
  const { networkConnections, processes } = await import("systeminformation");
  const [listed, connections] = [await processes(), await networkConnections()];
  return { processes: listed.list, connections };
}
