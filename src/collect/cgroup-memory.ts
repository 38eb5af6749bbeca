// How much memory does the cgroup of the gateway use, how often has it met its limits, and what did its tasks wait for?
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { type CgroupReading, memoryEvents } from "../core/readings.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { type Cgroups, parseLimit } from "./cgroup.ts";
import { pressureMetrics, pressureSamples, readPressure } from "./pressure.ts";
import { readText, unlessLost, unlessUnsupported, wholeNumber } from "./proc.ts";

const prefix = "openclaw_gateway_cgroup";
const others = "of the cgroup that holds the serving process, and perhaps others";

export const cgroupMetrics: readonly MetricSpec[] = [
  {
    name: `${prefix}_memory_current_bytes`,
    type: "gauge",
    help: `Memory ${others}, page cache included.`,
  },
  {
    name: `${prefix}_memory_high_bytes`,
    type: "gauge",
    help: "Memory above which the kernel slows that cgroup down; absent when there is no such limit.",
  },
  {
    name: `${prefix}_memory_max_bytes`,
    type: "gauge",
    help: "Memory above which the kernel ends a process of that cgroup; absent when there is no such limit.",
  },
  {
    name: `${prefix}_memory_events_total`,
    type: "counter",
    help: "How often that cgroup met a memory limit, or lost a process to it (memory.events; in version 1 failcnt and oom_kill).",
    labels: ["event"],
  },
  ...pressureMetrics(prefix, "that cgroup"),
];

/** Reads version 2, or version 1 where the memory controller is there; `undefined` when neither can be read. */
export function readCgroup(sysRoot: string, cgroups: Cgroups): CgroupReading | undefined {
  const top = posix.join(sysRoot, "fs/cgroup");
  // In a hybrid set-up version 2 has its own mount and only pressure to tell.
  const unified =
    folderOf(top, cgroups.unified, isChildOfRoot) ??
    folderOf(posix.join(top, "unified"), cgroups.unified, isChildOfRoot);
  const pressure =
    unified === undefined ? [] : readPressure((resource) => posix.join(unified, `${resource}.pressure`));
  if (unified !== undefined && existsSync(posix.join(unified, "memory.current"))) {
    const text = (name: string) => read(posix.join(unified, name));
    return {
      version: 2,
      currentBytes: wholeNumber(text("memory.current")),
      highBytes: parseLimit(text("memory.high") ?? ""),
      maxBytes: parseLimit(text("memory.max") ?? ""),
      events: parseEvents(text("memory.events") ?? ""),
      pressure,
    };
  }
  const memory = folderOf(posix.join(top, "memory"), cgroups.memory, isNotRootOfVersion1);
  if (memory === undefined) return pressure.length === 0 ? undefined : { version: 2, ...unknown, pressure };
  const text = (name: string) => read(posix.join(memory, name));
  const max = wholeNumber(text("memory.failcnt"));
  const kills = parseEvents(text("memory.oom_control") ?? "").oom_kill;
  return {
    version: 1,
    currentBytes: wholeNumber(text("memory.usage_in_bytes")),
    highBytes: undefined,
    maxBytes: parseLimit(text("memory.limit_in_bytes") ?? ""),
    events: {
      ...(max === undefined ? {} : { max }),
      ...(kills === undefined ? {} : { oom_kill: kills }),
    },
    pressure,
  };
}

const unknown = { currentBytes: undefined, highBytes: undefined, maxBytes: undefined, events: {} };

/** Parses `memory.events`, and `memory.oom_control` of version 1; words of other kernels are left out. */
export function parseEvents(text: string): CgroupReading["events"] {
  const events: Partial<Record<(typeof memoryEvents)[number], number>> = {};
  for (const event of memoryEvents) {
    const count = wholeNumber(new RegExp(`^${event} (\\d+)$`, "m").exec(text)?.[1]);
    if (count !== undefined) events[event] = count;
  }
  return events;
}

/** The samples of a cgroup's reading. */
export function cgroupSamples(reading: CgroupReading): readonly Sample[] {
  const sizes = [
    ["current", reading.currentBytes],
    ["high", reading.highBytes],
    ["max", reading.maxBytes],
  ] as const;
  return [
    ...sizes.flatMap(([what, value]) =>
      value === undefined ? [] : [{ name: `${prefix}_memory_${what}_bytes`, value }],
    ),
    ...memoryEvents.flatMap((event) => {
      const value = reading.events[event];
      return value === undefined ? [] : [{ name: `${prefix}_memory_events_total`, labels: { event }, value }];
    }),
    ...pressureSamples(prefix, reading.pressure),
  ];
}

/**
 * The folder of a cgroup. In a container the path may be the host's while only the container's own level is mounted;
 * the level above all others belongs to the whole host and is nobody's.
 */
function folderOf(
  mount: string,
  path: string | undefined,
  isOwn: (folder: string) => boolean,
): string | undefined {
  if (path === undefined || path.split("/").includes("..")) return undefined;
  const folder = posix.join(mount, path);
  const chosen = existsSync(folder) ? folder : mount;
  return isOwn(chosen) ? chosen : undefined;
}

/** The kernel gives every cgroup of version 2 but the root this file. */
function isChildOfRoot(folder: string): boolean {
  return existsSync(posix.join(folder, "cgroup.events"));
}

/** In version 1 it gives only the root this one. */
function isNotRootOfVersion1(folder: string): boolean {
  return (
    existsSync(posix.join(folder, "memory.usage_in_bytes")) &&
    !existsSync(posix.join(folder, "release_agent"))
  );
}

function read(path: string): string | undefined {
  return unlessUnsupported(() => unlessLost(() => readText(path)));
}
