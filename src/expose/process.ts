// How is the guard's own process? The names that every program of the field uses for itself.
import { readdirSync } from "node:fs";
import type { MetricSpec, Sample } from "../core/sample.ts";

/** The guard's own process; reserved names of the field. */
export const processMetrics: readonly MetricSpec[] = [
  { name: "process_cpu_seconds_total", type: "counter", help: "CPU time of the guard itself." },
  { name: "process_resident_memory_bytes", type: "gauge", help: "Resident memory of the guard itself." },
  { name: "process_start_time_seconds", type: "gauge", help: "When the guard was started." },
  { name: "process_open_fds", type: "gauge", help: "Open file descriptors of the guard itself." },
  {
    name: "nodejs_eventloop_lag_p99_seconds",
    type: "gauge",
    help: "Event-loop delay of the guard itself, 99th percentile since the last scrape.",
  },
];

/** What is read of the histogram of `monitorEventLoopDelay`, in nanoseconds. */
export type LoopDelay = { readonly percentile: (p: number) => number; readonly reset: () => void };

/** The samples of this process; `loop` is started afresh, so that each scrape tells of the time since the last one. */
export function processSamples(loop: LoopDelay): readonly Sample[] {
  const { user, system } = process.cpuUsage();
  const lag = loop.percentile(99);
  loop.reset();
  const fds = openDescriptors();
  return [
    { name: "process_cpu_seconds_total", value: (user + system) / 1e6 },
    { name: "process_resident_memory_bytes", value: process.memoryUsage.rss() },
    { name: "process_start_time_seconds", value: Math.round(performance.timeOrigin) / 1000 },
    ...(fds === undefined ? [] : [{ name: "process_open_fds", value: fds }]),
    ...(Number.isFinite(lag) && lag > 0
      ? [{ name: "nodejs_eventloop_lag_p99_seconds", value: lag / 1e9 }]
      : []),
  ];
}

/** Less the one that reading the folder takes; unknown where there is no /proc. */
function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}
