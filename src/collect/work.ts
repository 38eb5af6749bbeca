// Is the gateway busy, and does its RPC answer? One persistent WebSocket, asked for the restart preflight at each reading,
// and for what the gateway says about itself beside it.
import { z } from "zod";
import { classify } from "../core/failure.ts";
import type { HealthReport, Probe, SelfReport, WorkReading } from "../core/readings.ts";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Instant, type Millis, ms } from "../core/time.ts";
import { monotonic, now as wallClock } from "../platform/clock.ts";
import { openRpc, type Rpc, RpcError } from "./rpc.ts";
import { parseHealth, parseStatus, selfMetrics, selfSamples } from "./self-report.ts";
import { type LatencySink, tally } from "./tally.ts";

export type WorkOptions = {
  /** Base address of the gateway; http or ws. */
  readonly url: URL;
  /** Read at every connect, so that a rotated token is picked up; `undefined` connects without one. */
  readonly token: () => string | undefined;
  readonly every?: Millis;
  /** Limit of one call, and of one connect with its handshake. */
  readonly timeout?: Millis;
  /** The least time between two questions for `health`: plugins and the like change slowly. */
  readonly healthEvery?: Millis;
  /** For the time of the last success. */
  readonly now?: () => Instant;
  readonly latency?: LatencySink;
};

/** Kinds of work under names that do not change with the gateway's; what is new to us is `other`. */
const kindOf: Readonly<Record<string, string>> = {
  queueSize: "queue",
  pendingReplies: "pending_reply",
  embeddedRuns: "embedded_run",
  cronRuns: "cron_run",
  backgroundExecSessions: "background_exec",
  rootRequests: "root_request",
  activeTasks: "task",
};

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_work_active",
    type: "gauge",
    help: "Work in flight by kind as the gateway counts it; kinds overlap, so do not add them up. Absent while unknown.",
    labels: ["kind"],
  },
  {
    name: "openclaw_gateway_restart_safe",
    type: "gauge",
    help: "Whether the gateway says that no work would be lost by a restart; absent while unknown, which counts as busy.",
  },
  ...selfMetrics,
];

const count = z.number().nonnegative();
const preflight = z.object({ safe: z.boolean(), counts: z.record(z.string(), count) });
const lane = z.object({ queuedCount: count, activeCount: count });
const lanes = z.object({ lanes: z.union([z.array(lane), z.record(z.string(), lane)]) });

/** A collector that also tells whether the RPC answers now. */
export type WorkCollector = Collector<WorkReading> &
  AsyncDisposable & {
    /** Makes one fresh call and says whether it was answered well in time; part of the proof that a restart worked. */
    rpcAnswers(signal: AbortSignal): Promise<boolean>;
  };

/** Keeps one connection and opens it anew with the next reading after it was lost. */
export function workCollector(options: WorkOptions): WorkCollector {
  const every = options.every ?? ms(15_000);
  const timeout = options.timeout ?? ms(3000);
  const deadline = ms(Math.min(every * 0.9, timeout * 3 + 500));
  const lifetime = new AbortController();
  const rpcTally = tally("rpc", options.now ?? wallClock, options.latency);
  const self = asideOf("status", parseStatus, ms(every * 0.9));
  const health = asideOf("health", parseHealth, options.healthEvery ?? ms(60_000));
  let rpc: Rpc | undefined;
  let opening: Promise<Rpc> | undefined;

  async function connected(signal: AbortSignal): Promise<Rpc> {
    if (rpc?.open === true) return rpc;
    self.forget();
    health.forget();
    opening ??= openRpc(options.url, options.token(), timeout, signal).finally(() => {
      opening = undefined;
    });
    rpc = await opening;
    return rpc;
  }

  async function ask(until: AbortSignal): Promise<WorkReading> {
    const called = AbortSignal.any([until, lifetime.signal]);
    called.throwIfAborted();
    // Ends before the sampler loses patience: that a gateway says nothing is a reading, not the lack of one.
    const limit = AbortSignal.timeout(Math.round(deadline * 0.9));
    const signal = AbortSignal.any([called, limit]);
    let from = monotonic();
    const tallied = (outcome: Probe["outcome"], heard: boolean, failure?: string) =>
      rpcTally.count({ outcome, heard, failure, duration: ms(monotonic() - from), status: undefined });
    try {
      const gateway = await connected(signal);
      from = monotonic();
      const asked = workOf(gateway, signal).then((work) => {
        tallied(work.known ? "ok" : "failed", true, work.known ? undefined : work.failure);
        return work;
      });
      // Sent after it on the same connection, so that the preflight never waits for them.
      const [work] = await Promise.all([asked, self.ask(gateway, signal), health.ask(gateway, signal)]);
      return work.known ? { ...work, ...given(self.told(), health.told()) } : work;
    } catch (error) {
      called.throwIfAborted();
      // Whatever went wrong, a connection on which calls stay open is not to be trusted with the next one.
      if (!(error instanceof RpcError && error.answered)) rpc?.close();
      const failure = error instanceof RpcError ? error.failure : classify(error);
      const { ours, answered } =
        error instanceof RpcError ? error : { ours: !limit.aborted, answered: false };
      tallied(ours ? "inconclusive" : "failed", answered, failure);
      return { known: false, failure };
    }
  }

  return {
    name: "work",
    every,
    deadline,
    metrics,
    read: ask,
    samples(reading) {
      if (!reading.known) return rpcTally.samples();
      const safe = { name: "openclaw_gateway_restart_safe", value: reading.restartSafe ? 1 : 0 };
      const active = Object.entries(reading.active).map(([kind, value]) => ({
        name: "openclaw_gateway_work_active",
        labels: { kind },
        value,
      }));
      return [...rpcTally.samples(), ...active, safe, ...selfSamples(reading.self, reading.health)];
    },
    async rpcAnswers(signal) {
      return (await ask(signal)).known;
    },
    async [Symbol.asyncDispose]() {
      lifetime.abort();
      await opening?.catch(() => undefined);
      rpc?.close();
    },
  };
}

/** A question beside the one that counts: asked at most so often, kept until it is asked again, and never a failure. */
function asideOf<T>(method: string, parse: (payload: unknown) => T | undefined, every: Millis) {
  let askedAt: number | undefined;
  let told: T | undefined;
  return {
    told: () => told,
    forget() {
      askedAt = undefined;
      told = undefined;
    },
    async ask(gateway: Rpc, signal: AbortSignal): Promise<void> {
      const at = monotonic();
      if (askedAt !== undefined && at - askedAt < every) return;
      askedAt = at;
      try {
        told = parse(await gateway.call(method, signal));
      } catch (error) {
        // Called off in the middle: what came of the question that counts still holds.
        if (!(error instanceof RpcError || signal.aborted)) throw error;
        told = undefined;
      }
    },
  };
}

function given(self: SelfReport | undefined, health: HealthReport | undefined) {
  return { ...(self === undefined ? {} : { self }), ...(health === undefined ? {} : { health }) };
}

/** The preflight is announced as deprecated: a gateway that does not know it is asked for its lanes. */
async function workOf(gateway: Rpc, signal: AbortSignal): Promise<WorkReading> {
  try {
    return parsePreflight(await gateway.call("gateway.restart.preflight", signal));
  } catch (error) {
    // Seen: a gateway refuses a method it does not know as forbidden, since no read scope covers it.
    if (!(error instanceof RpcError && (error.failure === "unknown_method" || error.failure === "forbidden")))
      throw error;
  }
  return parseLanes(await gateway.call("diagnostics.lanes", signal));
}

/** Reads the answer of `gateway.restart.preflight`; an answer of another shape leaves the work unknown. */
export function parsePreflight(payload: unknown): WorkReading {
  const answer = preflight.safeParse(payload).data;
  if (answer === undefined) return { known: false, failure: "protocol" };
  const active: Record<string, number> = Object.fromEntries(Object.values(kindOf).map((kind) => [kind, 0]));
  let total = 0;
  for (const [name, value] of Object.entries(answer.counts)) {
    total += value;
    if (name === "totalActive") continue;
    const kind = Object.hasOwn(kindOf, name) ? (kindOf[name] ?? "other") : "other";
    active[kind] = (active[kind] ?? 0) + value;
  }
  return { known: true, restartSafe: answer.safe && total === 0, active };
}

/** Reads the answer of `diagnostics.lanes`: safe when nothing is queued and nothing runs in any lane. */
export function parseLanes(payload: unknown): WorkReading {
  const answer = lanes.safeParse(payload).data;
  const all = answer === undefined ? [] : Object.values(answer.lanes);
  // A gateway always has lanes: none at all means that the answer has changed its shape.
  if (all.length === 0) return { known: false, failure: "protocol" };
  const queue = all.reduce((sum, one) => sum + one.queuedCount, 0);
  const running = all.reduce((sum, one) => sum + one.activeCount, 0);
  return { known: true, restartSafe: queue + running === 0, active: { queue, running } };
}
