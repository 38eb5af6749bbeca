// Which metrics are there? Every family of the product in one list, gathered from the files that produce them.
import { endpointMetrics } from "./collect/endpoints.ts";
import { gatewayCollectors, hostCollectors } from "./collect/index.ts";
import type { MetricSpec } from "./core/sample.ts";
import { instant } from "./core/time.ts";
import { derivedMetrics } from "./expose/derived.ts";
import { latencyMetrics } from "./expose/latency.ts";
import { ownMetrics, stateMetrics } from "./expose/own.ts";
import { processMetrics } from "./expose/process.ts";
import { reloadMetrics } from "./expose/reload.ts";
import { unitMetrics } from "./expose/unit-safety.ts";

/** Families about one gateway: each carries the label `gateway`. */
export const gatewayMetrics: readonly MetricSpec[] = [
  ...Object.values(
    gatewayCollectors(
      { host: "127.0.0.1", port: 18789, token: () => undefined },
      { procRoot: "/proc", sysRoot: "/sys", now: () => instant(0) },
    ),
  ).flatMap(({ metrics }) => metrics),
  ...derivedMetrics,
  ...latencyMetrics,
  ...unitMetrics,
  ...stateMetrics,
];

/** Families about the host, without a gateway. */
export const hostMetrics: readonly MetricSpec[] = Object.values(
  hostCollectors({ procRoot: "/proc", now: () => instant(0) }),
).flatMap(({ metrics }) => metrics);

/** Every family that a scrape can contain. */
export const catalogue: readonly MetricSpec[] = [
  ...gatewayMetrics,
  ...hostMetrics,
  ...endpointMetrics,
  ...ownMetrics,
  ...reloadMetrics,
  ...processMetrics,
];
