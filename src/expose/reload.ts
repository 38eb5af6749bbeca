// Which configuration holds? Whether the last reading of it was taken over, and since when this one holds.
import type { MetricSpec, Sample } from "../core/sample.ts";
import type { Instant } from "../core/time.ts";

/** The two families that every program of the field has for a configuration that is read anew. */
export const reloadMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_guard_config_last_reload_successful",
    type: "gauge",
    help: "Whether the last reading of the configuration was taken over; 0 means that the one before it still holds.",
  },
  {
    name: "openclaw_guard_config_last_reload_success_timestamp_seconds",
    type: "gauge",
    help: "When the configuration that holds was taken over.",
  },
];

/** The samples of the last reload. */
export function reloadSamples(last: {
  readonly ok: boolean;
  readonly succeededAt: Instant;
}): readonly Sample[] {
  return [
    { name: "openclaw_guard_config_last_reload_successful", value: last.ok ? 1 : 0 },
    { name: "openclaw_guard_config_last_reload_success_timestamp_seconds", value: last.succeededAt / 1000 },
  ];
}
