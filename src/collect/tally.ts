// How have the probes of one kind gone so far? What every way of asking the gateway counts alike, and what is shown of it.
import type { Probe, ProbeKind } from "../core/readings.ts";
import type { MetricSpec, Sample } from "../core/sample.ts";
import { type Instant, inSeconds, ms } from "../core/time.ts";

/** Told of each probe that took its time: answered after that long, or given up then. */
export type LatencySink = (probe: ProbeKind, seconds: number, answered: boolean) => void;

const labels = ["probe"];
export const probeMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_probe_success",
    type: "gauge",
    help: "Whether the last probe succeeded: HTTP with 200, the RPC with an answer; absent while it was inconclusive.",
    labels,
  },
  {
    name: "openclaw_gateway_probe_duration_seconds",
    type: "gauge",
    help: "Round trip of the last conclusive probe, HTTP on a new connection, RPC on the lasting one; of an unanswered one, the time waited.",
    labels,
  },
  {
    name: "openclaw_gateway_probe_consecutive_failures",
    type: "gauge",
    help: "Failed probes since the last success; inconclusive ones neither add nor reset.",
    labels,
  },
  {
    name: "openclaw_gateway_probe_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the probe last succeeded, in seconds since the Unix epoch; absent before the first success.",
    labels,
  },
  {
    name: "openclaw_gateway_probe_failure_info",
    type: "gauge",
    help: "Why the last probe was no success, always 1: timeout, refused, reset, status (another one than 200), unauthorized (wrong token), and so on.",
    labels: ["probe", "reason"],
  },
];

/** The running count of one kind of probe. */
export type Tally = {
  /** Takes a probe into account and hands it on. */
  readonly count: (probe: Probe) => Probe;
  /** The last probe says nothing any more about now; what was counted stays. */
  readonly forget: () => void;
  readonly samples: () => readonly Sample[];
};

/** Begins to count; `latency` hears of every probe whose time says something about the gateway. */
export function tally(probe: ProbeKind, now: () => Instant, latency: LatencySink = () => undefined): Tally {
  let failures = 0;
  let lastSuccess: Instant | undefined;
  let last: Probe | undefined;
  const sample = (suffix: string, value: number, more: Readonly<Record<string, string>> = {}): Sample => ({
    name: `openclaw_gateway_probe_${suffix}`,
    labels: { probe, ...more },
    value,
  });
  return {
    count(one) {
      if (one.outcome === "ok") {
        failures = 0;
        lastSuccess = now();
      }
      if (one.outcome === "failed") failures++;
      last = one;
      const answered = one.heard && one.failure !== "timeout";
      // How quickly a connection is refused or reset is no latency of the gateway.
      if (one.outcome === "ok" || (one.outcome === "failed" && (answered || one.failure === "timeout")))
        latency(probe, inSeconds(one.duration), answered);
      return one;
    },
    forget() {
      last = undefined;
    },
    samples() {
      const samples = [sample("consecutive_failures", failures)];
      if (last !== undefined && last.outcome !== "inconclusive")
        samples.push(
          sample("success", last.outcome === "ok" ? 1 : 0),
          sample("duration_seconds", inSeconds(last.duration)),
        );
      if (last !== undefined && last.outcome !== "ok")
        samples.push(sample("failure_info", 1, { reason: last.failure ?? "status" }));
      if (lastSuccess !== undefined)
        samples.push(sample("last_success_timestamp_seconds", inSeconds(ms(lastSuccess))));
      return samples;
    },
  };
}
