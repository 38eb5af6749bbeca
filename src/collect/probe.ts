// Does the gateway answer, how fast, and what does it say about itself? Three HTTP probes, timed by us.
import { z } from "zod";
import { type Probe, type ProbeName, type ProbeReading, probes } from "../core/readings.ts";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { elapsed, type Instant, inSeconds, type Millis, ms } from "../core/time.ts";
import { type Answer, get, type Held } from "../platform/http.ts";

export type ProbeOptions = {
  /** Base address of the gateway, e.g. `http://127.0.0.1:18789`. */
  readonly url: URL;
  readonly now: () => Instant;
  readonly every?: Millis;
  /** One unanswered probe waits this long; two of them must fit into `every`. */
  readonly timeout?: Millis;
  /** The least time between two questions to /startupz and /readyz of a gateway that is well. */
  readonly slowEvery?: Millis;
};

const labels = ["probe"];
const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_probe_success",
    type: "gauge",
    help: "Whether the last conclusive probe was answered with 200; absent while the guard cannot tell.",
    labels,
  },
  {
    name: "openclaw_gateway_probe_duration_seconds",
    type: "gauge",
    help: "Round trip of the last conclusive probe on a new connection; of an unanswered one, the time waited.",
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
    name: "openclaw_gateway_event_loop_lag_seconds",
    type: "gauge",
    help: "Event-loop delay as /readyz reports it for its last window of about one second.",
    labels: ["stat"],
  },
];

/** The answers hold more than this, and may change between versions: what does not fit is unknown. */
const startup = z.object({
  status: z.enum(["started", "starting", "draining"]).optional().catch(undefined),
  version: z.string().min(1).max(64).optional().catch(undefined),
});
const delay = z.number().nonnegative().optional().catch(undefined);
const readiness = z.object({
  eventLoop: z.object({ delayP99Ms: delay, delayMaxMs: delay }).optional().catch(undefined),
});

type Tally = { failures: number; lastSuccess: Instant | undefined; last: Probe | undefined };
type Lag = { readonly p99: Millis | undefined; readonly max: Millis | undefined };

/**
 * Asks /healthz at every reading, and the other two at their slower cadence, while starting or draining, and as soon
 * as a silence ends. The first unanswered request of a silence stays open, so that a late answer means slow, not hung.
 */
export function probeCollector(options: ProbeOptions): Collector<ProbeReading> & AsyncDisposable {
  const { url, now } = options;
  const every = options.every ?? ms(5000);
  const timeout = options.timeout ?? ms(2000);
  const slowEvery = options.slowEvery ?? ms(15_000);
  const deadline = ms(every * 0.9);
  if (timeout * 2 > deadline) {
    throw new RangeError(
      `probe: a timeout of ${timeout} ms does not fit twice into ${deadline} ms of every ${every} ms`,
    );
  }
  const tallies: Readonly<Record<ProbeName, Tally>> = {
    healthz: unasked(),
    startupz: unasked(),
    readyz: unasked(),
  };
  let held: Held | undefined;
  let slowAskedAt: Instant | undefined;
  let settled = false;
  let lag: Lag = { p99: undefined, max: undefined };

  const ask = (name: ProbeName, signal: AbortSignal, hold = false) =>
    get(new URL(`/${name}`, url), { deadline: timeout, signal, hold });

  return {
    name: "probe",
    every,
    deadline,
    metrics,
    async read(signal) {
      if (held?.ended() === true && !held.heard()) release();
      const health = await ask("healthz", signal, held === undefined);
      held ??= health.held;
      const healthz = count("healthz", health);
      const heldAnswered = held?.heard() === true;
      if (heldAnswered || health.heard) release();

      const due = slowAskedAt === undefined || elapsed(slowAskedAt, now()) >= slowEvery;
      const silent = { startupz: undefined, readyz: undefined, phase: undefined, version: undefined };
      if (!health.heard || (settled && !due)) {
        // After a silence nothing that was known about the phase can be taken for granted.
        if (!health.heard) forget();
        return { healthz, ...silent, loopDelayP99: undefined, loopDelayMax: undefined, heldAnswered };
      }
      slowAskedAt = now();
      const [begun, ready] = await Promise.all([ask("startupz", signal), ask("readyz", signal)]);
      const { status: phase, version } = parse(startup, begun) ?? {};
      const { eventLoop } = parse(readiness, ready) ?? {};
      lag = { p99: millis(eventLoop?.delayP99Ms), max: millis(eventLoop?.delayMaxMs) };
      settled = health.status === 200 && phase === "started";
      return {
        healthz,
        startupz: count("startupz", begun),
        readyz: count("readyz", ready),
        phase,
        version,
        loopDelayP99: lag.p99,
        loopDelayMax: lag.max,
        heldAnswered,
      };
    },
    samples: () => [...probes.flatMap((name) => probeSamples(name, tallies[name])), ...lagSamples(lag)],
    async [Symbol.asyncDispose]() {
      release();
    },
  };

  function release(): void {
    held?.close();
    held = undefined;
  }

  function forget(): void {
    settled = false;
    lag = { p99: undefined, max: undefined };
    tallies.startupz.last = undefined;
    tallies.readyz.last = undefined;
  }

  function count(name: ProbeName, answer: Answer): Probe {
    const probe = judge(answer);
    const tally = tallies[name];
    if (probe.outcome === "ok") {
      tally.failures = 0;
      tally.lastSuccess = now();
    }
    if (probe.outcome === "failed") tally.failures++;
    tally.last = probe;
    return probe;
  }
}

/** Only 200 is success: a redirect or an error page is an answer, but not the one of a healthy gateway. */
function judge({ outcome, heard, status, duration, failure }: Answer): Probe {
  const judged = outcome === "answered" ? (status === 200 ? "ok" : "failed") : outcome;
  return { outcome: judged, duration, heard, status, failure };
}

function parse<T>(schema: z.ZodType<T>, { body }: Answer): T | undefined {
  if (body === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(body)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function millis(value: number | undefined): Millis | undefined {
  return value === undefined ? undefined : ms(value);
}

function unasked(): Tally {
  return { failures: 0, lastSuccess: undefined, last: undefined };
}

function probeSamples(probe: ProbeName, { failures, lastSuccess, last }: Tally): readonly Sample[] {
  const sample = (suffix: string, value: number): Sample => ({
    name: `openclaw_gateway_probe_${suffix}`,
    labels: { probe },
    value,
  });
  const samples = [sample("consecutive_failures", failures)];
  if (last !== undefined && last.outcome !== "inconclusive") {
    samples.push(
      sample("success", last.outcome === "ok" ? 1 : 0),
      sample("duration_seconds", inSeconds(last.duration)),
    );
  }
  if (lastSuccess !== undefined)
    samples.push(sample("last_success_timestamp_seconds", inSeconds(ms(lastSuccess))));
  return samples;
}

function lagSamples({ p99, max }: Lag): readonly Sample[] {
  const samples: Sample[] = [];
  const name = "openclaw_gateway_event_loop_lag_seconds";
  if (p99 !== undefined) samples.push({ name, labels: { stat: "p99" }, value: inSeconds(p99) });
  if (max !== undefined) samples.push({ name, labels: { stat: "max" }, value: inSeconds(max) });
  return samples;
}
