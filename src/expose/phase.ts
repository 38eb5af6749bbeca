// In which phase is the gateway, for how long, and how long may it be? What the guard waits for before it restarts anything.
import type { Evidence } from "../core/evidence.ts";
import { holders } from "../core/readings.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { startBudget, type StallPolicy } from "../core/stall.ts";
import { elapsed, type Instant, inSeconds } from "../core/time.ts";
import { updateSigns } from "../core/updating.ts";

export const phaseMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_starting_seconds",
    type: "gauge",
    help: "How long the start that is not known to be over has taken, also beyond its budget; 0 when none is under way.",
  },
  {
    name: "openclaw_gateway_start_budget_seconds",
    type: "gauge",
    help: "How long a start may take before silence counts: as configured, or twice the slowest start that was seen.",
  },
  {
    name: "openclaw_gateway_slowest_start_seconds",
    type: "gauge",
    help: "The longest start of this gateway that the guard has seen from beginning to end; absent before the first.",
  },
  {
    name: "openclaw_gateway_draining_seconds",
    type: "gauge",
    help: "How long ago the drain that is under way was first seen; 0 when there is none.",
  },
  {
    name: "openclaw_gateway_updating",
    type: "gauge",
    help: "Whether the gateway's installation is being changed: a package manager at work on it, or another version on the disk than the one that runs; absent while unknown.",
    labels: ["reason"],
  },
  {
    name: "openclaw_gateway_held",
    type: "gauge",
    help: "Whether somebody holds the serving process by other means than a signal: a tracer attached to it, or the freezer of its cgroup.",
    labels: ["by"],
  },
  {
    name: "openclaw_guard_last_wake_timestamp_seconds",
    type: "gauge",
    help: "When the host or the guard last woke from a gap in the guard's clock; absent before the first.",
  },
];

/** The samples of a gateway's phases; what is unknown is left out. */
export function phaseSamples(e: Evidence, now: Instant, policy: StallPolicy): readonly Sample[] {
  const samples: Sample[] = [];
  const put = (name: string, value: number | undefined, labels?: Sample["labels"]) => {
    if (value !== undefined) samples.push({ name, value, ...(labels === undefined ? {} : { labels }) });
  };
  const { stall, wokeAt } = e;
  const since = (from: Instant | undefined) => (from === undefined ? 0 : inSeconds(elapsed(from, now)));
  if (stall.class !== undefined) {
    put("openclaw_gateway_starting_seconds", since(stall.startingSince));
    put("openclaw_gateway_draining_seconds", since(stall.drainingSince));
  }
  put("openclaw_gateway_start_budget_seconds", inSeconds(startBudget(stall, policy)));
  const { slowestStart } = stall;
  put(
    "openclaw_gateway_slowest_start_seconds",
    slowestStart === undefined ? undefined : inSeconds(slowestStart),
  );
  for (const reason of updateSigns) {
    const sign = e.updating[reason];
    if (sign !== undefined) put("openclaw_gateway_updating", sign.seen ? 1 : 0, { reason });
  }
  const found = e.process?.reading;
  if (found?.found === true)
    for (const by of holders) put("openclaw_gateway_held", by === found.heldBy ? 1 : 0, { by });
  put("openclaw_guard_last_wake_timestamp_seconds", wokeAt === undefined ? undefined : wokeAt / 1000);
  return samples;
}
