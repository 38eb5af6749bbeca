// What does the kernel say about the process that serves the gateway, and about its tree?
import { join } from "node:path";
import type { ProcessReading } from "../core/readings.ts";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { inSeconds, type Millis, ms } from "../core/time.ts";
import { parseCgroups, readMemoryLimit, unitOf } from "./cgroup.ts";
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
import { type Descendants, descendantsIn, usageOfTree } from "./tree.ts";

export type ProcessOptions = {
  readonly target: Target;
  /** `/proc`, or a recorded tree of the same shape. */
  readonly procRoot: string;
  /** `/sys`, or a recorded tree of the same shape. */
  readonly sysRoot: string;
  readonly every?: Millis;
};

type Found = Extract<ProcessReading, { readonly found: true }>;

const scope = ["scope"];
const metrics: readonly MetricSpec[] = [
  gauge(
    "openclaw_gateway_processes",
    "Living processes in the gateway's tree, at most 128; 0 when it is gone.",
  ),
  gauge("openclaw_gateway_zombie_processes", "Dead processes in the gateway's tree that nobody has reaped."),
  gauge(
    "openclaw_gateway_listening",
    "Whether the serving process owns a listening socket of the gateway's port.",
  ),
  gauge(
    "openclaw_gateway_resident_memory_bytes",
    "Resident memory (VmRSS) of the serving process or of its whole tree; memory shared in the tree counts more than once.",
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
];

/** Reads the serving process from /proc: no command, no request to the gateway. */
export function processCollector(options: ProcessOptions): Collector<ProcessReading> {
  const { target, procRoot, sysRoot } = options;
  const every = options.every ?? ms(5000);
  const find = finder(target, procRoot);
  const descendants = descendantsIn(procRoot);
  return {
    name: "process",
    every,
    deadline: ms(every * 0.8),
    metrics,
    async read(signal) {
      // A process that ends while it is read is not an error: whoever serves now is looked for once more.
      for (let look = 0; look < 2; look++) {
        signal.throwIfAborted();
        const serving = await find(signal);
        if (serving === undefined) return { found: false };
        const reading = readServing(serving);
        if (reading !== undefined) return reading;
      }
      if ((await find(signal)) === undefined) return { found: false };
      throw new Error("read gateway process: it ended twice while it was read");
    },
    samples: samplesOf,
  };

  function readServing(serving: Serving): Found | undefined {
    try {
      return readProcess(serving, procRoot, sysRoot, descendants);
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
  descendants: Descendants,
): Found | undefined {
  const { pid } = incarnation;
  const file = (...path: readonly string[]) => join(procRoot, `${pid}`, ...path);
  const main = parseStat(readText(file("task", `${pid}`, "stat")));
  if (main === undefined) throw new Error(`read process ${pid}: malformed stat of the main thread`);
  const own = parseStatus(readText(file("status")));
  // A file that this kernel does not have is unknown; whether the process itself is gone shows at the end.
  const openFds = unlessLost(() => countFds(procRoot, pid));
  const maxFds = unlessLost(() => parseMaxFds(readText(file("limits"))));
  const cgroups = unlessLost(() => parseCgroups(readText(file("cgroup"))));
  const tree = usageOfTree(procRoot, own, descendants(pid));
  // Read last: if this is still the same life, so was everything before it.
  const stat = readStat(procRoot, pid);
  if (stat.startTicks !== incarnation.startTicks) return undefined;
  return {
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
    tree,
    cgroupLimitBytes: cgroups === undefined ? undefined : readMemoryLimit(sysRoot, cgroups),
    unit: cgroups === undefined ? undefined : unitOf(cgroups),
  };
}

function samplesOf(reading: ProcessReading): readonly Sample[] {
  if (!reading.found)
    return known([
      ["processes", 0],
      ["listening", 0],
    ]);
  const { self, tree } = reading;
  return known([
    ["processes", tree.processes],
    ["zombie_processes", tree.zombies],
    ["listening", reading.listening ? 1 : 0],
    ["resident_memory_bytes", self.residentBytes, "process"],
    ["resident_memory_bytes", tree.residentBytes, "tree"],
    ["swapped_memory_bytes", self.swappedBytes, "process"],
    ["swapped_memory_bytes", tree.swappedBytes, "tree"],
    ["cpu_seconds_total", reading.cpuSeconds],
    ["open_fds", reading.openFds],
    ["max_fds", reading.maxFds],
    ["threads", reading.threads],
    ["start_time_seconds", inSeconds(ms(reading.incarnation.startedAt))],
    ["accept_queue_length", reading.acceptQueue],
  ]);
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
