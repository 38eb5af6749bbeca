// For how long did tasks wait for processor, memory or disk? From the kernel's pressure files, of the host or of a cgroup.
import {
  type PressureKind,
  type PressureResource,
  pressureKinds,
  pressureResources,
  type Stalled,
} from "../core/readings.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { unlessLost, unlessUnsupported, readText } from "./proc.ts";

/** The pressure of each resource that can be read; `path` names the file of one. Resources without one are left out. */
export function readPressure(path: (resource: PressureResource) => string): readonly Stalled[] {
  return pressureResources.flatMap((resource) => {
    // A kernel booted with psi=0 has the files and refuses to read them.
    const text = unlessUnsupported(() => unlessLost(() => readText(path(resource))));
    return text === undefined ? [] : parsePressure(text, resource);
  });
}

/** Parses a pressure file; lines that cannot be read are left out. The kernel's percent and microseconds become shares and seconds. */
export function parsePressure(text: string, resource: PressureResource): readonly Stalled[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\w+) avg10=([\d.]+) avg60=([\d.]+) avg300=[\d.]+ total=(\d+)$/.exec(line);
    const kind = pressureKinds.find((each) => each === match?.[1]);
    if (match === null || kind === undefined) return [];
    const [avg10 = Number.NaN, avg60 = Number.NaN, total = Number.NaN] = match.slice(2).map(Number);
    if (![avg10, avg60, total].every(Number.isFinite)) return [];
    return [{ resource, kind, avg10: avg10 / 100, avg60: avg60 / 100, totalSeconds: total / 1e6 }];
  });
}

/** The two families of pressure below a prefix; `of` says in words whose it is. */
export function pressureMetrics(prefix: string, of: string): readonly MetricSpec[] {
  return [
    {
      name: `${prefix}_pressure_seconds_total`,
      type: "counter",
      help: `Time in which some, or all, tasks of ${of} waited for a resource (pressure stall information).`,
      labels: ["resource", "kind"],
    },
    {
      name: `${prefix}_pressure_ratio`,
      type: "gauge",
      help: `Share of the last 10 or 60 seconds in which some, or all, tasks of ${of} waited for a resource, 0 to 1.`,
      labels: ["resource", "kind", "window"],
    },
  ];
}

/** Their samples. */
export function pressureSamples(prefix: string, pressure: readonly Stalled[]): readonly Sample[] {
  return pressure.flatMap(({ resource, kind, avg10, avg60, totalSeconds }) => {
    const labels: { readonly resource: PressureResource; readonly kind: PressureKind } = { resource, kind };
    const ratio = (window: string, value: number) => ({
      name: `${prefix}_pressure_ratio`,
      labels: { ...labels, window },
      value,
    });
    return [
      { name: `${prefix}_pressure_seconds_total`, labels, value: totalSeconds },
      ratio("10s", avg10),
      ratio("60s", avg60),
    ];
  });
}
