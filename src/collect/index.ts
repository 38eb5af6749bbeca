// What is looked at? The list of collectors, one line each.
import type { Instant, Millis } from "../core/time.ts";
import type { Target } from "./discover.ts";
import { hostCollector } from "./host.ts";
import { probeCollector } from "./probe.ts";
import { processCollector } from "./process.ts";
import { workCollector } from "./work.ts";

/** One gateway as the collectors need to know it. */
export type WatchedGateway = Target & {
  readonly token: () => string | undefined;
  /** Defaults: process and probe 5 s, slow probes and work 15 s. */
  readonly cadence?: {
    readonly process?: Millis;
    readonly probe?: Millis;
    readonly probeTimeout?: Millis;
    readonly slowProbe?: Millis;
    readonly work?: Millis;
    readonly workTimeout?: Millis;
  };
};

/** What collectors read beside the gateway itself. */
export type CollectWorld = {
  /** `/proc`, or a recorded tree. */
  readonly procRoot: string;
  /** `/sys`, or a recorded tree. */
  readonly sysRoot: string;
  readonly now: () => Instant;
};

/** The collectors of one gateway, each under the name of what it reads; `probe` and `work` hold connections to dispose of. */
export function gatewayCollectors(gateway: WatchedGateway, world: CollectWorld) {
  const { procRoot, sysRoot, now } = world;
  const every = gateway.cadence ?? {};
  const url = addressOf(gateway);
  return {
    process: processCollector({ target: gateway, procRoot, sysRoot, ...given({ every: every.process }) }),
    probe: probeCollector({
      url,
      now,
      ...given({ every: every.probe, timeout: every.probeTimeout, slowEvery: every.slowProbe }),
    }),
    work: workCollector({
      url,
      token: gateway.token,
      ...given({ every: every.work, timeout: every.workTimeout }),
    }),
  };
}

/** The collectors of the host, which all gateways on it share. */
export function hostCollectors(world: Pick<CollectWorld, "procRoot">, every?: Millis) {
  return {
    host: hostCollector({ procRoot: world.procRoot, ...given({ every }) }),
  };
}

/** The base address of a gateway; an IPv6 host is put in brackets. */
function addressOf({ host, port }: Target): URL {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return new URL(`http://${name}:${port}`);
}

/** Leaves out what is `undefined`, so that defaults apply. */
function given<T extends Readonly<Record<string, Millis | undefined>>>(
  options: T,
): { [K in keyof T]?: Millis } {
  const kept: { [K in keyof T]?: Millis } = {};
  for (const key in options) {
    const value = options[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}
