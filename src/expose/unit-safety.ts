// Would a restart of the gateway's unit lose work or leave it down? The settings of its supervisor, as series.
import type { SupervisorReading } from "../core/readings.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { inSeconds } from "../core/time.ts";

/** What can make a restart of a unit unsafe, each told by the check of the restart path. */
export const unitReasons = [
  "stop_timeout_short",
  "kill_mode",
  "start_limit",
  "unit_disabled",
  "unit_missing",
] as const;

const killModes = ["control-group", "mixed", "process", "none"];

/** The guard itself starts a gateway up to three times in a row; a limit below that leaves the unit failed. */
const startsNeeded = 3;

export const unitMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_unit_safe",
    type: "gauge",
    help: "Whether the unit is safe to restart in this respect, as of the last check of the restart path; absent without a unit.",
    labels: ["reason"],
  },
  {
    name: "openclaw_gateway_unit_stop_timeout_seconds",
    type: "gauge",
    help: "Time that the unit gives the gateway to stop before it kills it; absent where it waits for ever.",
  },
  {
    name: "openclaw_gateway_unit_kill_mode",
    type: "gauge",
    help: "Whom a stop of the unit signals; 1 for the mode that holds.",
    labels: ["mode"],
  },
  {
    name: "openclaw_gateway_unit_start_limit_burst",
    type: "gauge",
    help: "Starts that systemd allows within the interval before it gives up; 0 is no limit.",
  },
  {
    name: "openclaw_gateway_unit_start_limit_interval_seconds",
    type: "gauge",
    help: "Interval in which systemd counts starts; 0 is no limit.",
  },
];

/** The series of a unit; none while nothing is known of it. */
export function unitSamples(seen: {
  readonly reading: SupervisorReading | undefined;
  /** Reasons that the last check found. */
  readonly found: readonly string[];
}): readonly Sample[] {
  const { reading, found } = seen;
  if (reading?.reachable !== true) return [];
  const { stopTimeout, killMode, startLimit } = reading;
  const latches =
    startLimit !== undefined &&
    startLimit.interval > 0 &&
    startLimit.burst > 0 &&
    startLimit.burst < startsNeeded;
  // Of a unit that does not exist nothing else is known.
  if (found.includes("unit_missing"))
    return [{ name: "openclaw_gateway_unit_safe", value: 0, labels: { reason: "unit_missing" } }];
  const unsafe = new Set<string>([...found, ...(latches ? ["start_limit"] : [])]);
  const one = (
    name: string,
    value: number | undefined,
    labels?: Record<string, string>,
  ): readonly Sample[] =>
    value === undefined || !Number.isFinite(value)
      ? []
      : [{ name: `openclaw_gateway_unit_${name}`, value, ...(labels === undefined ? {} : { labels }) }];
  return [
    ...unitReasons
      .filter((reason) => reason !== "start_limit" || startLimit !== undefined)
      .flatMap((reason) => one("safe", unsafe.has(reason) ? 0 : 1, { reason })),
    ...one("stop_timeout_seconds", stopTimeout === undefined ? undefined : inSeconds(stopTimeout)),
    ...(killMode === undefined
      ? []
      : killModes.flatMap((mode) => one("kill_mode", mode === killMode ? 1 : 0, { mode }))),
    ...one("start_limit_burst", startLimit?.burst),
    ...one(
      "start_limit_interval_seconds",
      startLimit === undefined ? undefined : inSeconds(startLimit.interval),
    ),
  ];
}
