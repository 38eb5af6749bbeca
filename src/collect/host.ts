// How much memory and swap does the host have, and how much of it is free?
import { accessSync } from "node:fs";
import { platform } from "node:os";
import { join } from "node:path";
import type { HostReading } from "../core/readings.ts";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, ms } from "../core/time.ts";

const metrics: readonly MetricSpec[] = [
  gauge("openclaw_host_memory_total_bytes", "Memory of the host."),
  gauge("openclaw_host_memory_available_bytes", "Memory that programs can still get without swapping."),
  gauge("openclaw_host_swap_total_bytes", "Swap configured on the host; 0 when there is none."),
  gauge("openclaw_host_swap_free_bytes", "Swap that is not in use."),
];

/** Reads memory and swap through systeminformation, which on Linux starts no program for it. */
export function hostCollector(options: {
  readonly procRoot: string;
  readonly every?: Millis;
}): Collector<HostReading> {
  const every = options.every ?? ms(5000);
  return {
    name: "host",
    every,
    deadline: ms(every * 0.8),
    metrics,
    async read(signal) {
      // Without meminfo the library would report a host without swap, which is an alert and not what was seen.
      if (platform() === "linux") accessSync(join(options.procRoot, "meminfo"));
      const { mem } = await import("systeminformation");
      const memory = await mem();
      signal.throwIfAborted();
      return readingOf(memory);
    },
    samples: (reading) => [
      { name: "openclaw_host_memory_total_bytes", value: reading.memoryTotalBytes },
      { name: "openclaw_host_memory_available_bytes", value: reading.memoryAvailableBytes },
      { name: "openclaw_host_swap_total_bytes", value: reading.swapTotalBytes },
      { name: "openclaw_host_swap_free_bytes", value: reading.swapFreeBytes },
    ],
  };
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

function gauge(name: string, help: string): MetricSpec {
  return { name, type: "gauge", help };
}
