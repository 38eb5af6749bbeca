// What does the guard say about itself? Counters that it owns: decisions, restarts, phases, webhook results. Every label
// value that is known exists at zero from the start, so that a rate sees the first failure.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { causes } from "../core/cause.ts";
import { type Entry, outcomes, verdicts } from "../core/history.ts";
import { modes } from "../core/mode.ts";
import { refusals } from "../core/refusal.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import type { Instant } from "../core/time.ts";
import { type Latencies, probeLatencies } from "./latency.ts";

export const phases = ["detect", "decide", "act", "back", "settle"] as const;
export type Phase = (typeof phases)[number];

/** From a quick crash restart to a drain of 330 s and a start of 20 min. */
const phaseBuckets = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1200];

/** Families that the guard owns for its whole life. */
export const ownMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_guard_build_info",
    type: "gauge",
    help: "Version of the guard and of Node; always 1.",
    labels: ["version", "nodeversion"],
  },
  {
    name: "openclaw_guard_decisions_total",
    type: "counter",
    help: "Changes of decision by what was decided: restart, or the refusal that won.",
    labels: ["decision"],
  },
  {
    name: "openclaw_guard_episodes_total",
    type: "counter",
    help: "Ended episodes by outcome.",
    labels: ["outcome"],
  },
  {
    name: "openclaw_guard_restarts_total",
    type: "counter",
    help: "Restarts by cause, action and the verdict of their verification.",
    labels: ["cause", "action", "verdict"],
  },
  {
    name: "openclaw_guard_foreign_restarts_total",
    type: "counter",
    help: "Restarts by somebody else, seen by a change of identity.",
  },
  {
    name: "openclaw_guard_phase_seconds",
    type: "histogram",
    help: "Duration of the phases of a restart, from the first bad sample to the verdict.",
    labels: ["phase"],
  },
  {
    name: "openclaw_guard_alerts_total",
    type: "counter",
    help: "Alerts received, by what became of them.",
    labels: ["result"],
  },
  { name: "openclaw_guard_webhook_requests_total", type: "counter", help: "Requests to the alert webhook." },
  {
    name: "openclaw_guard_webhook_failures_total",
    type: "counter",
    help: "Requests to the alert webhook that were refused, by reason.",
    labels: ["reason"],
  },
  {
    name: "openclaw_guard_heartbeat_timestamp_seconds",
    type: "gauge",
    help: "When the dead man's switch last came through Alertmanager; absent before the first.",
  },
  {
    name: "openclaw_guard_journal_errors_total",
    type: "counter",
    help: "Writes to the journal that failed.",
  },
  {
    name: "openclaw_guard_series_dropped_total",
    type: "counter",
    help: "Series dropped because a gateway had more than its limit, or because their value was no number.",
  },
];

/** Families about one gateway that are read from the state of the guard at every scrape. */
export const stateMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_guard_mode",
    type: "gauge",
    help: "The effective mode: the weaker of what was configured and what was earned.",
    labels: ["mode"],
  },
  {
    name: "openclaw_guard_mode_downgraded",
    type: "gauge",
    help: "Why the effective mode is weaker than configured; 1 for each reason that holds.",
    labels: ["reason"],
  },
  {
    name: "openclaw_guard_paused",
    type: "gauge",
    help: "Whether a person has paused restarts of this gateway.",
  },
  {
    name: "openclaw_guard_gave_up",
    type: "gauge",
    help: "Whether three attempts did not help and a person has to re-arm the guard.",
  },
  {
    name: "openclaw_guard_restart_blocked",
    type: "gauge",
    help: "Whether a real need for a restart is refused for a reason that lasts; 1 for the refusal that wins.",
    labels: ["refusal"],
  },
  {
    name: "openclaw_guard_episode_running",
    type: "gauge",
    help: "Whether an episode is open for this gateway.",
  },
  { name: "openclaw_guard_budget_left", type: "gauge", help: "Restarts that the budget still allows." },
  {
    name: "openclaw_guard_cooldown_seconds",
    type: "gauge",
    help: "Time until the gap between two restarts is over; 0 when it is.",
  },
  {
    name: "openclaw_guard_collector_success",
    type: "gauge",
    help: "Whether the last reading of the collector succeeded.",
    labels: ["collector"],
  },
  {
    name: "openclaw_guard_collector_duration_seconds",
    type: "gauge",
    help: "Duration of the last reading of the collector.",
    labels: ["collector"],
  },
  {
    name: "openclaw_guard_collector_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the collector last succeeded; absent before the first time.",
    labels: ["collector"],
  },
];

/** A gateway and the action that would restart it. */
export type Counted = { readonly name: string; readonly action: string };

/** The long-lived counters; `entry` keeps those in step with the journal. */
export type Own = {
  /** Counts for one more gateway, every known combination of labels at zero; counts that are there stay. */
  readonly gateway: (one: Counted) => void;
  /** Drops the counts of a gateway that is no longer watched. */
  readonly forget: (gateway: string) => Promise<void>;
  readonly entry: (entry: Entry) => void;
  readonly latency: Latencies["observe"];
  readonly phase: (phase: Phase, seconds: number) => void;
  readonly alerts: (result: string, n: number) => void;
  readonly webhookRequest: () => void;
  readonly webhookFailure: (reason: string) => void;
  readonly heartbeat: (at: Instant) => void;
  readonly journalError: () => void;
  readonly dropped: (n: number) => void;
  readonly render: () => Promise<string>;
};

/** Creates the guard's own counters, with every known combination of labels at zero. */
export function ownCounters(given: {
  readonly gateways: readonly Counted[];
  readonly version: string;
  readonly nodeVersion: string;
  readonly webhookFailures: readonly string[];
  readonly alertResults: readonly string[];
}): Own {
  const registry = new Registry();
  const spec = (name: string, extra: readonly string[] = []) => {
    const found = ownMetrics.find((each) => each.name === name);
    if (found === undefined) throw new TypeError(`own metrics: ${name} is not declared`);
    return { name, help: found.help, labelNames: [...extra, ...(found.labels ?? [])], registers: [registry] };
  };
  new Gauge(spec("openclaw_guard_build_info")).set(
    { version: given.version, nodeversion: given.nodeVersion },
    1,
  );
  const decisions = new Counter(spec("openclaw_guard_decisions_total", ["gateway"]));
  const episodes = new Counter(spec("openclaw_guard_episodes_total", ["gateway"]));
  const restarts = new Counter(spec("openclaw_guard_restarts_total", ["gateway"]));
  const foreign = new Counter(spec("openclaw_guard_foreign_restarts_total", ["gateway"]));
  const phaseSeconds = new Histogram({ ...spec("openclaw_guard_phase_seconds"), buckets: phaseBuckets });
  const alerts = new Counter(spec("openclaw_guard_alerts_total"));
  const requests = new Counter(spec("openclaw_guard_webhook_requests_total"));
  const failures = new Counter(spec("openclaw_guard_webhook_failures_total"));
  const journalErrors = new Counter(spec("openclaw_guard_journal_errors_total"));
  const seriesDropped = new Counter(spec("openclaw_guard_series_dropped_total"));
  const latencies = probeLatencies();
  let heartbeat: Gauge<string> | undefined;

  const watch = ({ name: gateway, action }: Counted) => {
    for (const decision of ["restart", ...refusals]) decisions.inc({ gateway, decision }, 0);
    for (const outcome of outcomes) episodes.inc({ gateway, outcome }, 0);
    for (const cause of causes)
      for (const verdict of verdicts) restarts.inc({ gateway, cause, action, verdict }, 0);
    foreign.inc({ gateway }, 0);
    latencies.begin(gateway);
  };
  given.gateways.forEach(watch);
  for (const phase of phases) phaseSeconds.zero({ phase });
  for (const result of given.alertResults) alerts.inc({ result }, 0);
  for (const reason of given.webhookFailures) failures.inc({ reason }, 0);

  return {
    gateway: watch,
    async forget(gateway) {
      latencies.forget(gateway);
      for (const counter of [decisions, episodes, restarts, foreign])
        for (const { labels } of (await counter.get()).values)
          if (labels["gateway"] === gateway) counter.remove(labels);
    },
    entry(entry) {
      const { gateway } = entry;
      if (entry.kind === "decided") decisions.inc({ gateway, decision: entry.decision });
      if (entry.kind === "ended") episodes.inc({ gateway, outcome: entry.outcome });
      if (entry.kind === "replaced") foreign.inc({ gateway });
      if (entry.kind === "verified") {
        restarts.inc({ gateway, cause: entry.cause, action: entry.action, verdict: entry.verdict });
      }
    },
    latency: latencies.observe,
    phase: (phase, seconds) => phaseSeconds.observe({ phase }, seconds),
    alerts: (result, n) => alerts.inc({ result }, n),
    webhookRequest: () => requests.inc(),
    webhookFailure: (reason) => failures.inc({ reason }),
    heartbeat(at) {
      // Created with its first value: a gauge without labels would say 0, and 0 is a time.
      heartbeat ??= new Gauge(spec("openclaw_guard_heartbeat_timestamp_seconds"));
      heartbeat.set(at / 1000);
    },
    journalError: () => journalErrors.inc(),
    dropped: (n) => seriesDropped.inc(n),
    render: async () => (await registry.metrics()) + latencies.render(),
  };
}

/** What the guard's state says about one gateway at the moment of a scrape. */
export type GatewayState = {
  readonly mode: (typeof modes)[number];
  readonly downgraded: readonly string[];
  readonly paused: boolean;
  readonly gaveUp: boolean;
  readonly blockedBy: string | undefined;
  readonly episodeRunning: boolean;
  readonly budgetLeft: number;
  readonly cooldownSeconds: number;
};

/** The samples of a gateway's state, every closed set complete. */
export function stateSamples(state: GatewayState, reasons: readonly string[]): readonly Sample[] {
  const one = (name: string, value: boolean | number, labels?: Record<string, string>): Sample => ({
    name,
    value: Number(value),
    ...(labels === undefined ? {} : { labels }),
  });
  return [
    ...modes.map((mode) => one("openclaw_guard_mode", mode === state.mode, { mode })),
    ...reasons.map((reason) =>
      one("openclaw_guard_mode_downgraded", state.downgraded.includes(reason), { reason }),
    ),
    one("openclaw_guard_paused", state.paused),
    one("openclaw_guard_gave_up", state.gaveUp),
    ...refusals.map((refusal) =>
      one("openclaw_guard_restart_blocked", refusal === state.blockedBy, { refusal }),
    ),
    one("openclaw_guard_episode_running", state.episodeRunning),
    one("openclaw_guard_budget_left", state.budgetLeft),
    one("openclaw_guard_cooldown_seconds", state.cooldownSeconds),
  ];
}

/** How a collector's last reading went, as series. */
export function trackSamples(track: {
  readonly collector: string;
  readonly success: boolean | undefined;
  readonly duration: number | undefined;
  readonly lastSuccessAt: Instant | undefined;
}): readonly Sample[] {
  const labels = { collector: track.collector };
  const samples: Sample[] = [];
  const put = (suffix: string, value: number | undefined) => {
    if (value !== undefined) samples.push({ name: `openclaw_guard_collector_${suffix}`, value, labels });
  };
  const inSeconds = (length: number | undefined) => (length === undefined ? undefined : length / 1000);
  put("success", track.success === undefined ? undefined : Number(track.success));
  put("duration_seconds", inSeconds(track.duration));
  put("last_success_timestamp_seconds", inSeconds(track.lastSuccessAt));
  return samples;
}
