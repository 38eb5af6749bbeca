// Do the programs around the gateways answer: agents, bots, databases? Online is not the same as answering.
import type { FailureKind } from "../core/failure.ts";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { type Instant, inSeconds, type Millis, ms } from "../core/time.ts";
import { converse, type Conversation, type Dialogue } from "../platform/converse.ts";
import { http, postgres, redis, websocket } from "./handshake.ts";

/** One endpoint; `gateway` names the gateway that it belongs to, where it belongs to one. */
export type Endpoint = {
  readonly name: string;
  readonly gateway?: string | undefined;
  readonly timeout: Millis;
  /** Failures in a row that alerts wait for. */
  readonly failures: number;
} & (
  | { readonly kind: "http"; readonly url: string; readonly expect: number }
  | { readonly kind: "websocket"; readonly url: string }
  | { readonly kind: "tcp" | "redis" | "postgres"; readonly host: string; readonly port: number }
);

/** How one endpoint was found; a field of an inconclusive probe is unknown. */
export type EndpointReading = {
  readonly endpoint: Endpoint;
  readonly up: boolean | undefined;
  /** Whether TCP connects: the kernel does that for a program that hangs. */
  readonly reachable: boolean | undefined;
  readonly duration: Millis | undefined;
  readonly failure: FailureKind | undefined;
  readonly consecutiveFailures: number;
  readonly lastSuccessAt: Instant | undefined;
};

const labels = ["endpoint", "kind"];
export const endpointMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_endpoint_up",
    type: "gauge",
    help: "Whether the endpoint answered its last conclusive probe as its kind has to; absent while the guard cannot tell.",
    labels,
  },
  {
    name: "openclaw_endpoint_reachable",
    type: "gauge",
    help: "Whether TCP connects; 1 while up is 0 means online but silent, or answering wrongly.",
    labels,
  },
  {
    name: "openclaw_endpoint_probe_duration_seconds",
    type: "gauge",
    help: "Length of the last conclusive probe, connection included; of an unanswered one, the time waited.",
    labels,
  },
  {
    name: "openclaw_endpoint_probe_consecutive_failures",
    type: "gauge",
    help: "Failed probes since the last success; inconclusive ones neither add nor reset.",
    labels,
  },
  {
    name: "openclaw_endpoint_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the endpoint last answered, in seconds since the Unix epoch; absent before the first time.",
    labels,
  },
  {
    name: "openclaw_endpoint_failures_threshold",
    type: "gauge",
    help: "Failures in a row from which an alert takes the endpoint for down, as configured.",
    labels,
  },
];

const fewest = 8;

/** Probes every endpoint at each reading, a bounded number of them at the same time; a failure is a reading. */
export function endpointsCollector(
  settings: () => {
    readonly endpoints: readonly Endpoint[];
    /** No timeout may be longer than half of it. */
    readonly every: Millis;
  },
  now: () => Instant,
): Collector<readonly EndpointReading[]> {
  const within = () => ms(settings().every * 0.9);
  const before = new Map<string, EndpointReading>();

  async function probe(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { host, port, dialogue } = questionFor(endpoint);
    const conversation = await converse({ host, port }, dialogue, { deadline: endpoint.timeout, signal });
    before.set(endpoint.name, judge(endpoint, conversation, before.get(endpoint.name), now()));
  }

  return {
    name: "endpoints",
    // Asked anew each time: another configuration holds at once, and streaks go on.
    get every() {
      return settings().every;
    },
    get deadline() {
      return within();
    },
    metrics: endpointMetrics,
    async read(signal) {
      const { endpoints } = settings();
      for (const { endpoint } of before.values())
        if (!endpoints.some((each) => asksTheSame(each, endpoint))) before.delete(endpoint.name);
      const lanes = lanesFor(
        endpoints.map(({ timeout }) => timeout),
        within(),
      );
      const waiting = [...endpoints];
      const lane = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
          await probe(next, signal);
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      return endpoints.flatMap(({ name }) => before.get(name) ?? []);
    },
    samples: (readings) => readings.flatMap(samplesOf),
  };
}

/** Whether what was counted of one holds for the other: the same name in front of the same program. */
function asksTheSame(one: Endpoint, other: Endpoint): boolean {
  const place = (each: Endpoint) => ("url" in each ? each.url : `${each.host}:${each.port}`);
  return one.name === other.name && one.kind === other.kind && place(one) === place(other);
}

/**
 * How many probes run at the same time, so that a round ends within its deadline even when every endpoint is silent: list
 * scheduling on m lanes takes at most the sum divided by m, and the longest once more (Graham 1969).
 */
export function lanesFor(timeouts: readonly Millis[], deadline: Millis): number {
  const longest = Math.max(0, ...timeouts);
  const sum = timeouts.reduce((total, each) => total + each, 0);
  // A twentieth is left for what is no waiting.
  const room = deadline * 0.95 - longest;
  const needed = room > 0 ? Math.ceil(sum / room) : timeouts.length;
  return Math.min(timeouts.length, Math.max(fewest, needed));
}

function questionFor(endpoint: Endpoint): {
  readonly host: string;
  readonly port: number;
  readonly dialogue: Dialogue | undefined;
} {
  switch (endpoint.kind) {
    case "http":
    case "websocket": {
      const url = new URL(endpoint.url);
      return {
        host: url.hostname.replaceAll(/^\[|\]$/g, ""),
        port: url.port === "" ? 80 : Number(url.port),
        dialogue: endpoint.kind === "http" ? http(url, endpoint.expect) : websocket(url),
      };
    }
    case "tcp":
      return { ...endpoint, dialogue: undefined };
    case "redis":
      return { ...endpoint, dialogue: redis() };
    case "postgres":
      return { ...endpoint, dialogue: postgres() };
    default:
      return endpoint satisfies never;
  }
}

function judge(
  endpoint: Endpoint,
  { outcome, reached, duration, failure }: Conversation,
  before: EndpointReading | undefined,
  at: Instant,
): EndpointReading {
  const failures = before?.consecutiveFailures ?? 0;
  const lastSuccessAt = before?.lastSuccessAt;
  if (outcome === "inconclusive") {
    const unknown = { up: undefined, reachable: undefined, duration: undefined };
    return { endpoint, ...unknown, failure, consecutiveFailures: failures, lastSuccessAt };
  }
  const up = outcome === "right";
  return {
    endpoint,
    up,
    reachable: reached,
    duration,
    failure,
    consecutiveFailures: up ? 0 : failures + 1,
    lastSuccessAt: up ? at : lastSuccessAt,
  };
}

function samplesOf(reading: EndpointReading): readonly Sample[] {
  const { endpoint, up, reachable, duration, lastSuccessAt } = reading;
  const of = {
    endpoint: endpoint.name,
    kind: endpoint.kind,
    ...(endpoint.gateway === undefined ? {} : { gateway: endpoint.gateway }),
  };
  const one = (name: string, value: number | undefined): readonly Sample[] =>
    value === undefined ? [] : [{ name: `openclaw_endpoint_${name}`, labels: of, value }];
  return [
    ...one("up", up === undefined ? undefined : Number(up)),
    ...one("reachable", reachable === undefined ? undefined : Number(reachable)),
    ...one("probe_duration_seconds", duration === undefined ? undefined : inSeconds(duration)),
    ...one("probe_consecutive_failures", reading.consecutiveFailures),
    ...one("last_success_timestamp_seconds", lastSuccessAt === undefined ? undefined : lastSuccessAt / 1000),
    ...one("failures_threshold", endpoint.failures),
  ];
}
