// What does the kernel say about the process that serves the gateway, and about its tree?
import { join } from "node:path";
import { type Incarnation, isProven } from "../core/identity.ts";
import type { ProcessReading } from "../core/readings.ts";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { inSeconds, type Millis, ms } from "../core/time.ts";
import { parseCgroups, readMemoryLimit, unitOf } from "./cgroup.ts";
import { cgroupMetrics, cgroupSamples, readCgroup } from "./cgroup-memory.ts";
import { heldBy } from "./held.ts";
import { finder, type Serving, type Target } from "./discover.ts";
import {
  countFds,
  isGone,
  parseMaxFds,
  parseStat,
  parseStatus,
  readStat,
  readText,
  unlessLost,
} from "./proc.ts";
import { type Tree, treeReader } from "./tree.ts";

export type ProcessOptions = {
  readonly target: Target;
  /** `/proc`, or a recorded tree of the same shape. */
  readonly procRoot: string;
  /** `/sys`, or a recorded tree of the same shape. */
  readonly sysRoot: string;
  readonly every?: Millis;
};

/** The tree that was last seen, for collectors that look deeper and less often; `pids` are its living descendants. */
export type Sight = { readonly incarnation: Incarnation; readonly pids: readonly number[] };

type Found = Extract<ProcessReading, { readonly found: true }>;

const scope = ["scope"];
export const processMetrics: readonly MetricSpec[] = [
  gauge(
    "openclaw_gateway_processes",
    "Living processes in the gateway's tree, at most 128; 0 when it is gone. A tree of more than 16 is read less often, at worst every ninth time.",
  ),
  gauge("openclaw_gateway_child_processes", "Living direct children of the serving process, at most 127."),
  gauge(
    "openclaw_gateway_process_tree_cut",
    "Whether the tree has more than 128 processes and its numbers are those of the first 128.",
  ),
  gauge("openclaw_gateway_zombie_processes", "Dead processes in the gateway's tree that nobody has reaped."),
  gauge(
    "openclaw_gateway_listening",
    "Whether the serving process owns a listening socket of the gateway's port.",
  ),
  gauge(
    "openclaw_gateway_resident_memory_bytes",
    "Resident memory (VmRSS) of the serving process or of its whole tree; memory shared in the tree counts more than once, see openclaw_gateway_proportional_memory_bytes.",
    scope,
  ),
  gauge(
    "openclaw_gateway_swapped_memory_bytes",
    "Memory in swap (VmSwap) of the serving process or of its whole tree.",
    scope,
  ),
  {
    name: "openclaw_gateway_cpu_seconds_total",
    type: "counter",
    help: "User and system CPU time of the serving process since it started.",
  },
  gauge(
    "openclaw_gateway_cpu_usage_ratio",
    "Processor time of the serving process as share of one core, only where there is no /proc to count its seconds.",
  ),
  gauge("openclaw_gateway_open_fds", "Open file descriptors of the serving process."),
  gauge("openclaw_gateway_max_fds", "Soft limit of open file descriptors of the serving process."),
  gauge("openclaw_gateway_threads", "Threads of the serving process."),
  gauge(
    "openclaw_gateway_start_time_seconds",
    "Start of the serving process in seconds since the Unix epoch.",
  ),
  gauge(
    "openclaw_gateway_accept_queue_length",
    "Connections that wait to be accepted by the gateway, all of its addresses together.",
  ),
  gauge(
    "openclaw_gateway_process_info",
    "How the serving process was found, its pid and its start in clock ticks since boot, which tell one life from the next; always 1.",
    ["pid", "startticks", "foundby", "unit"],
  ),
  ...cgroupMetrics,
];

/** Reads the serving process from /proc: no command, no request to the gateway. */
export function processCollector(
  options: ProcessOptions,
): Collector<ProcessReading> & { readonly sight: () => Sight | undefined } {
  const { target, procRoot, sysRoot } = options;
  const every = options.every ?? ms(5000);
  const find = finder(target, procRoot);
  const treeOf = treeReader(procRoot);
  let sight: Sight | undefined;
  return {
    name: "process",
    every,
    deadline: ms(every * 0.8),
    metrics: processMetrics,
    sight: () => sight,
    async read(signal) {
      let seen: Sight | undefined;
      try {
        // A process that ends while it is read is not an error: whoever serves now is looked for once more.
        for (let look = 0; look < 2; look++) {
          signal.throwIfAborted();
          const serving = await find(signal);
          if (serving === undefined) return { found: false };
          const read = readServing(serving);
          if (read === undefined) continue;
          seen = { incarnation: serving.incarnation, pids: read.pids };
          return read.reading;
        }
        if ((await find(signal)) === undefined) return { found: false };
        throw new Error("read gateway process: it ended twice while it was read");
      } finally {
        sight = seen;
      }
    },
    samples: samplesOf,
  };

  function readServing(serving: Serving): ReturnType<typeof readProcess> {
    try {
      return readProcess(serving, procRoot, sysRoot, treeOf);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }
}

/** Throws a "gone" error when the process ends, or its pid changes hands, while it is read. */
function readProcess(
  { incarnation, foundBy, listening, listeners }: Serving,
  procRoot: string,
  sysRoot: string,
  treeOf: ReturnType<typeof treeReader>,
): { readonly reading: Found; readonly pids: Tree["pids"] } | undefined {
  const { pid } = incarnation;
  const file = (...path: readonly string[]) => join(procRoot, `${pid}`, ...path);
  const main = parseStat(readText(file("task", `${pid}`, "stat")));
  if (main === undefined) throw new Error(`read process ${pid}: malformed stat of the main thread`);
  const own = parseStatus(readText(file("status")));
  // A file that this kernel does not have is unknown; whether the process itself is gone shows at the end.
  const openFds = unlessLost(() => countFds(procRoot, pid));
  const maxFds = unlessLost(() => parseMaxFds(readText(file("limits"))));
  const cgroups = unlessLost(() => parseCgroups(readText(file("cgroup"))));
  const held = heldBy(procRoot, sysRoot, pid);
  const { pids, ...tree } = treeOf(incarnation, own);
  // Read last: if this is still the same life, so was everything before it.
  const stat = readStat(procRoot, pid);
  if (stat.startTicks !== incarnation.startTicks) return undefined;
  const reading: Found = {
    found: true,
    foundBy,
    incarnation,
    listening,
    acceptQueue: listening ? listeners?.reduce((queued, listener) => queued + listener.queued, 0) : undefined,
    state: main.state,
    mainThreadCpuSeconds: main.cpuSeconds,
    cpuSeconds: stat.cpuSeconds,
    threads: own.threads ?? stat.threads,
    openFds,
    maxFds,
    self: { residentBytes: own.residentBytes, swappedBytes: own.swappedBytes, processes: 1, zombies: 0 },
    ...tree,
    cgroup: cgroups === undefined ? undefined : readCgroup(sysRoot, cgroups),
    cgroupLimitBytes: cgroups === undefined ? undefined : readMemoryLimit(sysRoot, cgroups),
    unit: cgroups === undefined ? undefined : unitOf(cgroups),
    ...(held === undefined ? {} : { heldBy: held }),
  };
  return { reading, pids };
}

/** The samples of a reading, whoever took it; what is unknown is left out. */
export function samplesOf(reading: ProcessReading): readonly Sample[] {
  if (!reading.found)
    return known([
      ["processes", 0],
      ["listening", 0],
    ]);
  const { self, tree } = reading;
  const { pid, startTicks } = reading.incarnation;
  const samples = known([
    ["processes", tree.processes],
    ["child_processes", reading.children],
    ["process_tree_cut", reading.treeCut ? 1 : 0],
    ["zombie_processes", tree.zombies],
    ["listening", reading.listening ? 1 : 0],
    ["resident_memory_bytes", self.residentBytes, "process"],
    ["resident_memory_bytes", tree.residentBytes, "tree"],
    ["swapped_memory_bytes", self.swappedBytes, "process"],
    ["swapped_memory_bytes", tree.swappedBytes, "tree"],
    ["cpu_seconds_total", reading.cpuSeconds],
    ["cpu_usage_ratio", reading.cpuShare],
    ["open_fds", reading.openFds],
    ["max_fds", reading.maxFds],
    ["threads", reading.threads],
    ["start_time_seconds", inSeconds(ms(reading.incarnation.startedAt))],
    ["accept_queue_length", reading.acceptQueue],
  ]);
  const life = {
    pid: `${pid}`,
    startticks: isProven(reading.incarnation) ? `${startTicks}` : "",
    foundby: reading.foundBy,
    unit: reading.unit ?? "",
  };
  return [
    ...samples,
    { name: "openclaw_gateway_process_info", labels: life, value: 1 },
    ...(reading.cgroup === undefined ? [] : cgroupSamples(reading.cgroup)),
  ];
}

/** Leaves out what is unknown. */
function known(values: readonly (readonly [string, number | undefined, string?])[]): readonly Sample[] {
  const samples: Sample[] = [];
  for (const [suffix, value, of] of values) {
    if (value === undefined) continue;
    const name = `openclaw_gateway_${suffix}`;
    samples.push(of === undefined ? { name, value } : { name, labels: { scope: of }, value });
  }
  return samples;
}

function gauge(name: string, help: string, labels: readonly string[] = []): MetricSpec {
  return labels.length === 0 ? { name, type: "gauge", help } : { name, type: "gauge", help, labels };
}
