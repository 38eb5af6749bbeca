// Does the gateway answer, how fast, and what does it say about itself? Three HTTP probes, timed by us.
import { z } from "zod";
import { type Probe, type ProbeName, type ProbeReading, probes } from "../core/readings.ts";
import type { Collector } from "../core/sample.ts";
import { elapsed, type Instant, type Millis, ms } from "../core/time.ts";
import { type Answer, get, type Held } from "../platform/http.ts";
import { type LatencySink, probeMetrics, type Tally, tally } from "./tally.ts";

export type ProbeOptions = {
  /** Base address of the gateway, e.g. `http://127.0.0.1:18789`. */
  readonly url: URL;
  readonly now: () => Instant;
  readonly every?: Millis;
  /** One unanswered probe waits this long; two of them must fit into `every`. */
  readonly timeout?: Millis;
  /** The least time between two questions to /startupz and /readyz of a gateway that is well. */
  readonly slowEvery?: Millis;
  readonly latency?: LatencySink;
};

/** A fifth of the cadence lies between two requests on average, however often it is looked: by default a second. */
const requestsPerRound = 5;

/** The answers hold more than this, and may change between versions: what does not fit is unknown. */
const startup = z.object({
  status: z.enum(["started", "starting", "draining"]).optional().catch(undefined),
  version: z.string().min(1).max(64).optional().catch(undefined),
});
const delay = z.number().nonnegative().optional().catch(undefined);
const readiness = z.object({
  eventLoop: z.object({ delayP99Ms: delay, delayMaxMs: delay }).optional().catch(undefined),
});

type Lag = { readonly p99: Millis | undefined; readonly max: Millis | undefined };

/**
 * Asks /healthz at every reading, and the other two at their slower cadence, while starting or draining, and as soon
 * as a silence ends. The first unanswered request of a silence stays open, so that a late answer means slow, not hung.
 * Who looks again before that many requests are due gets the round that was just answered.
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
  const apart = ms(every / requestsPerRound);
  const tallies: Readonly<Record<ProbeName, Tally>> = {
    healthz: tally("healthz", now, options.latency),
    startupz: tally("startupz", now, options.latency),
    readyz: tally("readyz", now, options.latency),
  };
  let answered:
    | { readonly reading: ProbeReading; readonly at: Instant; readonly requests: number }
    | undefined;
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
    metrics: [...probeMetrics],
    async read(signal) {
      // Verification and drains look every second or less: a gateway that answers is not asked that often.
      if (answered !== undefined && isWithin(answered.at, now(), ms(apart * answered.requests)))
        return answered.reading;
      answered = undefined;
      const from = now();
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
        const reading = { healthz, ...silent, loopDelayP99: lag.p99, loopDelayMax: lag.max, heldAnswered };
        return health.heard ? keep(reading, from, 1) : reading;
      }
      slowAskedAt = now();
      const [begun, ready] = await Promise.all([ask("startupz", signal), ask("readyz", signal)]);
      const { status: phase, version } = parse(startup, begun) ?? {};
      const { eventLoop } = parse(readiness, ready) ?? {};
      lag = { p99: millis(eventLoop?.delayP99Ms), max: millis(eventLoop?.delayMaxMs) };
      settled = health.status === 200 && phase === "started";
      const reading = {
        healthz,
        startupz: count("startupz", begun),
        readyz: count("readyz", ready),
        phase,
        version,
        loopDelayP99: lag.p99,
        loopDelayMax: lag.max,
        heldAnswered,
      };
      return keep(reading, from, probes.length);
    },
    samples: () => probes.flatMap((name) => tallies[name].samples()),
    renew() {
      answered = undefined;
      forget();
    },
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
    tallies.startupz.forget();
    tallies.readyz.forget();
  }

  function count(name: ProbeName, answer: Answer): Probe {
    return tallies[name].count(judge(answer));
  }

  function keep(reading: ProbeReading, at: Instant, requests: number): ProbeReading {
    answered = { reading, at, requests };
    return reading;
  }
}

/** A clock that was set back must not keep an old answer for as long as it was set back. */
function isWithin(from: Instant, at: Instant, length: Millis): boolean {
  return at >= from && elapsed(from, at) < length;
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
