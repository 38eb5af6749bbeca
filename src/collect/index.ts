// What is looked at? The list of collectors, one line each.
import type { Instant, Millis } from "../core/time.ts";
import { claimantsCollector } from "./claimants.ts";
import type { Target } from "./discover.ts";
import { hostCollector } from "./host.ts";
import { installationCollector } from "./installation.ts";
import type { LatencySink } from "./tally.ts";
import { probeCollector } from "./probe.ts";
import { memoryMapCollector } from "./memory-map.ts";
import { portableProcessCollector } from "./portable.ts";
import { hasProc } from "./proc.ts";
import { processCollector } from "./process.ts";
import { socketCollector } from "./sockets.ts";
import { volumeCollector } from "./volume.ts";
import { type Upkeep, upkeepCollectors } from "./upkeep.ts";
import { workCollector } from "./work.ts";

/** One gateway as the collectors need to know it. */
export type WatchedGateway = Target & {
  readonly token: () => string | undefined;
  /** Folder of the gateway's package, where the operator names it. */
  readonly installation?: string;
  readonly upkeep?: Upkeep;
  /** Told how long each probe took. */
  readonly latency?: LatencySink;
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
  const latency = gateway.latency === undefined ? {} : { latency: gateway.latency };
  const process = hasProc(procRoot)
    ? processCollector({ target: gateway, procRoot, sysRoot, ...given({ every: every.process }) })
    : portableProcessCollector({ target: gateway, now, ...given({ every: every.process }) });
  const { sight } = process;
  return {
    process,
    ...upkeepCollectors(gateway.stateDir, gateway.upkeep),
    probe: probeCollector({
      url,
      now,
      ...latency,
      ...given({ every: every.probe, timeout: every.probeTimeout, slowEvery: every.slowProbe }),
    }),
    work: workCollector({
      url,
      token: gateway.token,
      now,
      ...latency,
      ...given({ every: every.work, timeout: every.workTimeout }),
    }),
    installation: installationCollector({
      procRoot,
      serving: process.sight,
      path: gateway.installation,
    }),
    sockets: socketCollector({ port: gateway.port, procRoot, sight }),
    memory_map: memoryMapCollector({ procRoot, sight, now }),
    claimants: claimantsCollector({ target: gateway, procRoot, sight }),
    volume: volumeCollector({
      path: gateway.stateDir,
      prefix: "openclaw_gateway",
      of: "the gateway's state directory",
    }),
  };
}

/** The collectors of the host, which all gateways on it share. */
export function hostCollectors(
  { procRoot, now }: Pick<CollectWorld, "procRoot" | "now">,
  /** The guard's own. */
  stateDir?: string,
  every?: Millis,
) {
  return {
    host: hostCollector({ procRoot, now, ...given({ every }) }),
    volume: volumeCollector({
      path: stateDir,
      prefix: "openclaw_guard",
      of: "the guard's own state directory",
    }),
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
