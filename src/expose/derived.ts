// What follows from the readings? Series that no single collector can give: whether it is up, why it stalls, where the
// memory is going, and every limit that an alert compares with.
import type { Evidence } from "../core/evidence.ts";
import { limitSources } from "../core/limit.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { confirmAfter, type HangPolicy, silentFor, stallClasses } from "../core/stall.ts";
import { type Instant, inSeconds } from "../core/time.ts";
import { trends } from "../core/trend.ts";
import { phaseMetrics, phaseSamples } from "./phase.ts";

/** One limit as a series, so that people tune alerts without editing rules. */
export type Threshold = {
  readonly signal: string;
  readonly level: "warning" | "critical";
  readonly value: number;
};

export const derivedMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_up",
    type: "gauge",
    help: "Whether a process serves the gateway and its last conclusive /healthz was answered; absent while the guard cannot tell.",
  },
  {
    name: "openclaw_gateway_info",
    type: "gauge",
    help: "Version of the gateway as it reports it and the supervisor that the guard would restart it through; always 1.",
    labels: ["version", "supervisor"],
  },
  {
    name: "openclaw_gateway_stall_class",
    type: "gauge",
    help: "Why the gateway does or does not answer, seen from outside; 1 for the class that holds, all absent while unknown.",
    labels: ["class"],
  },
  {
    name: "openclaw_gateway_unresponsive_seconds",
    type: "gauge",
    help: "Length of the running silence that counts towards a hang: no byte on any probe while connections wait; 0 when it answers.",
  },
  {
    name: "openclaw_gateway_event_loop_lag_seconds",
    type: "gauge",
    help: "Event-loop delay of about one second as /readyz tells it, or the RPC status where /readyz does not; absent while silent.",
    labels: ["stat"],
  },
  {
    name: "openclaw_gateway_memory_limit_bytes",
    type: "gauge",
    help: "The smallest memory limit that applies to the process tree; its source is on openclaw_gateway_memory_limit_info.",
  },
  {
    name: "openclaw_gateway_memory_limit_info",
    type: "gauge",
    help: "Where the memory limit comes from; 1 for the source in use.",
    labels: ["source"],
  },
  {
    name: "openclaw_gateway_memory_floor_bytes",
    type: "gauge",
    help: "Lowest resident memory of the process tree in the last whole minute of the trend detector.",
  },
  {
    name: "openclaw_gateway_memory_growth_bytes_per_second",
    type: "gauge",
    help: "Typical growth of the memory floor: the median slope over all pairs of bucket floors; absent during warm-up.",
  },
  {
    name: "openclaw_gateway_memory_trend",
    type: "gauge",
    help: "What the memory floor does over hours; 1 for the verdict that holds.",
    labels: ["trend"],
  },
  {
    name: "openclaw_gateway_memory_exhaustion_seconds",
    type: "gauge",
    help: "Time until the memory limit is reached at the measured growth, and its lower bound; absent when it does not grow.",
    labels: ["bound"],
  },
  {
    name: "openclaw_gateway_threshold",
    type: "gauge",
    help: "A limit that alerts compare with, as set in the guard's configuration; select one signal, they have different units.",
    labels: ["signal", "level"],
  },
  ...phaseMetrics,
];

/** The samples of one gateway's evidence; what is unknown is left out. */
export function derivedSamples(
  e: Evidence,
  given: {
    readonly now: Instant;
    readonly supervisor: string;
    readonly thresholds: readonly Threshold[];
    readonly stall: HangPolicy;
  },
): readonly Sample[] {
  const samples: Sample[] = [];
  const put = (name: string, value: number | undefined, labels?: Sample["labels"]) => {
    if (value !== undefined) samples.push({ name, value, ...(labels === undefined ? {} : { labels }) });
  };
  const { stall, trend, limit } = e;
  put("openclaw_gateway_up", up(e));
  const { version } = e;
  if (version !== undefined) put("openclaw_gateway_info", 1, { version, supervisor: given.supervisor });
  if (stall.class !== undefined) {
    for (const each of stallClasses)
      put("openclaw_gateway_stall_class", each === stall.class ? 1 : 0, { class: each });
    put("openclaw_gateway_unresponsive_seconds", inSeconds(silentFor(stall, given.now, given.stall)));
  }
  const probed = e.probe?.reading;
  // What the RPC said is older: once the gateway is silent, it says nothing any more.
  const work = probed?.healthz.heard === true ? e.work?.reading : undefined;
  const self = work?.known === true ? work.self : undefined;
  const lag = {
    p99: probed?.loopDelayP99 ?? self?.loopDelayP99,
    max: probed?.loopDelayMax ?? self?.loopDelayMax,
  };
  for (const stat of ["p99", "max"] as const) {
    const delay = lag[stat];
    if (delay !== undefined) put("openclaw_gateway_event_loop_lag_seconds", inSeconds(delay), { stat });
  }
  put("openclaw_gateway_memory_limit_bytes", limit?.bytes);
  if (limit !== undefined) {
    for (const source of limitSources)
      put("openclaw_gateway_memory_limit_info", source === limit.source ? 1 : 0, { source });
  }
  if (e.process?.reading.found === true) {
    put("openclaw_gateway_memory_floor_bytes", trend.floors.at(-1));
    put("openclaw_gateway_memory_growth_bytes_per_second", trend.growthBytesPerSecond);
    for (const each of trends)
      put("openclaw_gateway_memory_trend", each === trend.verdict ? 1 : 0, { trend: each });
    put("openclaw_gateway_memory_exhaustion_seconds", trend.exhaustionSeconds?.estimate, {
      bound: "estimate",
    });
    put("openclaw_gateway_memory_exhaustion_seconds", trend.exhaustionSeconds?.lower, { bound: "lower" });
  }
  samples.push(...phaseSamples(e, given.now, given.stall));
  for (const { signal, level, value } of given.thresholds) {
    // The one limit that the gateway's state raises: people are not told of a hang that is none yet.
    const raised = signal === "unresponsive_seconds" ? inSeconds(confirmAfter(stall, given.stall)) : value;
    put("openclaw_gateway_threshold", raised, { signal, level });
  }
  return samples;
}

function up(e: Evidence): number | undefined {
  const found = e.process?.reading.found;
  if (found === undefined) return undefined;
  if (!found) return 0;
  const outcome = e.probe?.reading.healthz.outcome;
  if (outcome === undefined || outcome === "inconclusive") return undefined;
  return outcome === "ok" ? 1 : 0;
}
