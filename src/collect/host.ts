// How much memory and swap does the host have, for how long did its tasks wait for it, and since when is it up?
import { accessSync } from "node:fs";
import { availableParallelism, loadavg, platform, uptime } from "node:os";
import { join } from "node:path";
import type { HostReading } from "../core/readings.ts";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { type Instant, inSeconds, type Millis, ms } from "../core/time.ts";
import { pressureMetrics, pressureSamples, readPressure } from "./pressure.ts";
import { hasProc, parseBootTime, readText, unlessLost, wholeNumber } from "./proc.ts";

const metrics: readonly MetricSpec[] = [
  gauge("openclaw_host_memory_total_bytes", "Memory of the host."),
  gauge("openclaw_host_memory_available_bytes", "Memory that programs can still get without swapping."),
  gauge("openclaw_host_swap_total_bytes", "Swap configured on the host; 0 when there is none."),
  gauge("openclaw_host_swap_free_bytes", "Swap that is not in use."),
  gauge("openclaw_host_boot_time_seconds", "Start of the host in seconds since the Unix epoch."),
  gauge("openclaw_host_cpu_cores", "Processor cores that the guard, and most likely the gateway, may use."),
  {
    ...gauge("openclaw_host_load_average", "Runnable and uninterruptible tasks, averaged over some minutes."),
    labels: ["minutes"],
  },
  {
    name: "openclaw_host_oom_kills_total",
    type: "counter",
    help: "Processes that the kernel ended for lack of memory since boot, of the host or of a cgroup.",
  },
  ...pressureMetrics("openclaw_host", "the host"),
];

/** Reads memory and swap through systeminformation, which on Linux starts no program for it, and the rest from /proc. */
export function hostCollector(options: {
  readonly procRoot: string;
  readonly now: () => Instant;
  readonly every?: Millis;
}): Collector<HostReading> {
  const every = options.every ?? ms(5000);
  const { procRoot } = options;
  return {
    name: "host",
    every,
    deadline: ms(every * 0.8),
    metrics,
    async read(signal) {
      const proc = hasProc(procRoot);
      // The library reads this file itself, and would report a host without swap where it cannot: an alert, and not
      // what was seen.
      if (platform() === "linux") accessSync(proc ? join(procRoot, "meminfo") : "/proc/meminfo");
      const { mem } = await import("systeminformation");
      const memory = readingOf(await mem());
      signal.throwIfAborted();
      return {
        ...memory,
        ...(proc ? fromProc(procRoot) : fromNode(options.now())),
        cores: availableParallelism(),
      };
    },
    samples: samplesOf,
  };
}

type Beside = Pick<HostReading, "pressure" | "oomKills" | "bootedAtSeconds" | "load">;

function fromProc(procRoot: string): Beside {
  const text = (name: string) => unlessLost(() => readText(join(procRoot, name))) ?? "";
  return {
    pressure: readPressure((resource) => join(procRoot, "pressure", resource)),
    oomKills: wholeNumber(/^oom_kill (\d+)$/m.exec(text("vmstat"))?.[1]),
    bootedAtSeconds: parseBootTime(text("stat")),
    load: parseLoad(text("loadavg")),
  };
}

/** Windows has no load average, and tells three zeros. */
function fromNode(now: Instant): Beside {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    bootedAtSeconds: Math.round(inSeconds(ms(now)) - uptime()),
    ...(platform() === "win32" ? {} : { load: [one, five, fifteen] }),
  };
}

/** Parses `/proc/loadavg`. */
export function parseLoad(text: string): HostReading["load"] {
  const match = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) /.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Takes over the library's numbers, in bytes; throws when one of them cannot be right. */
export function readingOf(memory: {
  readonly total: number;
  readonly available: number;
  readonly swaptotal: number;
  readonly swapfree: number;
}): HostReading {
  const { total, available, swaptotal, swapfree } = memory;
  const plausible = total > 0 && available >= 0 && available <= total && swaptotal >= 0 && swapfree >= 0;
  if (!plausible || swapfree > swaptotal) {
    throw new Error(
      `read host memory: total ${total}, available ${available}, swap ${swaptotal}, free ${swapfree}`,
    );
  }
  return {
    memoryTotalBytes: total,
    memoryAvailableBytes: available,
    swapTotalBytes: swaptotal,
    swapFreeBytes: swapfree,
  };
}

function samplesOf(reading: HostReading): readonly Sample[] {
  const values: readonly (readonly [string, number | undefined])[] = [
    ["memory_total_bytes", reading.memoryTotalBytes],
    ["memory_available_bytes", reading.memoryAvailableBytes],
    ["swap_total_bytes", reading.swapTotalBytes],
    ["swap_free_bytes", reading.swapFreeBytes],
    ["boot_time_seconds", reading.bootedAtSeconds],
    ["cpu_cores", reading.cores],
    ["oom_kills_total", reading.oomKills],
  ];
  const [one, five, fifteen] = reading.load ?? [];
  const load = [
    ["1", one],
    ["5", five],
    ["15", fifteen],
  ] as const;
  return [
    ...values.flatMap(([name, value]) =>
      value === undefined ? [] : [{ name: `openclaw_host_${name}`, value }],
    ),
    ...load.flatMap(([minutes, value]) =>
      value === undefined ? [] : [{ name: "openclaw_host_load_average", labels: { minutes }, value }],
    ),
    // What "all tasks wait for the processor" means for a whole host is undefined; the kernel tells 0.
    ...pressureSamples(
      "openclaw_host",
      (reading.pressure ?? []).filter(({ resource, kind }) => resource !== "cpu" || kind !== "full"),
    ),
  ];
}

function gauge(name: string, help: string): MetricSpec {
  return { name, type: "gauge", help };
}
