// How does a guard run? Everything is opened in order, closed in reverse, also when opening fails halfway.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import fastify, { type FastifyInstance } from "fastify";
import { type Logger, pino } from "pino";
import { endpointsCollector } from "./collect/endpoints.ts";
import { hostCollectors } from "./collect/index.ts";
import { addressOf, type Config } from "./config.ts";
import { days, hours, instant, ms } from "./core/time.ts";
import { exposition } from "./exposition.ts";
import { type Own, ownCounters } from "./expose/own.ts";
import { exposeRoutes } from "./expose/routes.ts";
import { fleetOf } from "./fleet.ts";
import { guard } from "./gateway.ts";
import { operateRoutes } from "./operate/api.ts";
import type { Journal } from "./record/journal.ts";
import { openReadings } from "./record/readings.ts";
import { isAuthentic } from "./receive/authenticate.ts";
import { alertResults, type Counted, receiveRoutes, webhookFailures } from "./receive/routes.ts";
import { refuseWhatNeedsRestart, reloading } from "./reload.ts";
import { sampling } from "./sample/sampler.ts";
import { gatewayStatus } from "./status.ts";
import type { Seams } from "./world.ts";

/** A running guard. */
export type App = AsyncDisposable & {
  readonly metricsUrl: string;
  readonly controlUrl: string;
  /** Resolves with the reason when it can no longer watch; a guard that does not look must end, not go on serving. */
  readonly broken: Promise<string>;
  /** Takes over what `read` returns and says whether it did; when it throws or is refused, all stays as it was. */
  readonly reload: (read: () => Loaded) => Promise<boolean>;
};

/** A configuration with the way to its tokens. */
export type Loaded = { readonly config: Config; readonly secrets: Secrets };

export type Secrets = {
  readonly controlToken: () => string;
  readonly gatewayToken: (gateway: string) => string | undefined;
};

/** Starts a guard and resolves when both listeners answer; rejects with everything closed when it cannot. */
export async function startApp(
  firstConfig: Config,
  firstSecrets: Secrets,
  seams: Seams,
  version: string,
): Promise<App> {
  let config = firstConfig;
  let secrets = firstSecrets;
  await using opening = new AsyncDisposableStack();
  const logger = pino(
    { level: config.log.level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    seams.logTo,
  );
  mkdirSync(config.state_dir, { recursive: true, mode: 0o700 });
  const path = join(config.state_dir, "journal.db");
  const journal = opening.use(seams.openJournal(path));
  const readings = opening.use(openReadings(path));

  const own = ownCounters({
    gateways: config.gateways.map(({ name, supervisor }) => ({ name, action: supervisor.kind })),
    version,
    nodeVersion: process.version,
    webhookFailures,
    alertResults,
  });
  const onHost = hostCollectors(seams, config.state_dir);
  const host = sampling(onHost.host, seams);
  const endpoints = sampling(
    endpointsCollector(
      () => ({ endpoints: config.endpoints, every: config.probe.endpoint_every }),
      seams.now,
    ),
    seams,
  );
  const volume = sampling(onHost.volume, seams);
  const broken = Promise.withResolvers<string>();
  const broke = (error: unknown) => {
    logger.error({ event: "broken", err: error }, "a loop ended that must not end");
    broken.resolve(error instanceof Error ? error.message : "failed");
  };
  const fleet = fleetOf(
    config,
    (gateway, of) => {
      const { name } = gateway;
      const log = (event: string, fields: Readonly<Record<string, unknown>>) =>
        logger.info({ event, gateway: name, ...fields });
      const token = () => secrets.gatewayToken(name);
      return guard(gateway, of, { seams, journal, readings, own, host: host.latest, token, log });
    },
    broke,
  );
  const { reload, last } = reloading<Loaded>(
    seams.now(),
    async (next) => {
      refuseWhatNeedsRestart(config, next.config);
      ({ config, secrets } = next);
      logger.level = config.log.level;
      for (const { name, supervisor } of config.gateways) own.gateway({ name, action: supervisor.kind });
      const changes = await fleet.adopt(config);
      for (const name of changes.removed) await own.forget(name);
      logger.info({ event: "reloaded", mode: config.mode, ...changes });
    },
    {
      now: seams.now,
      said: (problem) =>
        logger.error({ event: "reload_failed", problem }, "the configuration stays as it was"),
    },
  );

  const loop = monitorEventLoopDelay({ resolution: 20 });
  loop.enable();
  opening.defer(() => void loop.disable());
  const metrics = server(opening);
  exposeRoutes(metrics, {
    version,
    notReady: () => (host.track().success === undefined ? "nothing has been sampled yet" : undefined),
    metrics: exposition(fleet.all, [host, volume], own, () => config, seams, loop, last, endpoints),
  });
  const metricsUrl = await listenOn(metrics, "metrics.listen", config.metrics.listen);

  const control = server(opening);
  receiveRoutes(control, {
    token: () => secrets.controlToken(),
    knows: {
      get gateways() {
        return fleet.names();
      },
    },
    keep: (alerts) =>
      journal.keepAlerts(alerts, seams.now(), (name) => fleet.get(name)?.watch.evidence().stall.incarnation),
    hint: (name) => fleet.get(name)?.wake.hint(),
    heartbeat: own.heartbeat,
    count: (one) => count(one, own),
    now: seams.now,
    log: logger,
  });
  operateRoutes(control, {
    isAuthentic: (header) => isAuthentic(header, secrets.controlToken()),
    version,
    gateways: () => [...fleet.names()],
    status: () => ({
      version,
      gateways: fleet.all().map((each) => gatewayStatus(each, seams.now())),
    }),
    entries: (query) => journal.entries(query),
    append: (entry) => {
      const gateway = fleet.get(entry.gateway);
      gateway?.append(entry);
      gateway?.wake.hint();
    },
    now: seams.now,
  });
  const controlUrl = await listenOn(control, "control.listen", config.control.listen);

  const ending = new AbortController();
  const { signal } = ending;
  const running = [
    host.run(signal),
    endpoints.run(signal),
    volume.run(signal),
    pruneDaily(() => config, { journal, own, log: logger, seams }, signal),
  ];
  for (const one of running) one.catch(broke);
  fleet.run();
  opening.defer(async () => {
    ending.abort(new Error("the guard is ending"));
    await Promise.allSettled([...running, fleet.end()]);
  });
  logger.info({ event: "serving", metrics: metricsUrl, control: controlUrl, mode: config.mode });

  const opened = opening.move();
  return {
    metricsUrl,
    controlUrl,
    broken: broken.promise,
    reload,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A listener that is closed with the rest, open connections included. */
function server(opening: AsyncDisposableStack): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  opening.defer(() => app.close());
  return app;
}

/** Rejects with the setting to change when somebody else listens there. */
async function listenOn(app: FastifyInstance, setting: string, address: string): Promise<string> {
  try {
    return await app.listen(addressOf(address));
  } catch (error) {
    const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    const why = taken
      ? "it is taken, perhaps by another guard"
      : error instanceof Error
        ? error.message
        : "failed";
    throw new Error(`listen on ${address}: ${why}: end that one, or change ${setting}`, { cause: error });
  }
}

/** Hands what the webhook counts to the guard's own counters. */
function count(one: Counted, own: Own): void {
  if (one.what === "request") own.webhookRequest();
  else if (one.what === "failure") own.webhookFailure(one.reason);
  else own.alerts(one.result, one.n);
}

/** Alertmanager remembers 120 h: alerts and entries younger than that are never forgotten. */
const leastKept = hours(120);

const pruneEvery = days(1);

/** Forgets what the settings let go, at the start and then daily: a guard may run for a year. */
async function pruneDaily(
  config: () => Config,
  { journal, own, log, seams }: { journal: Journal; own: Own; log: Logger; seams: Seams },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { keep, keep_episodes } = config().history;
    const before = instant(seams.now() - ms(Math.max(keep, leastKept)));
    try {
      journal.prune({ keepEpisodes: keep_episodes, before });
    } catch (error) {
      own.journalError();
      log.error({ event: "cannot_prune", err: error }, "the journal was not pruned");
    }
    await seams.sleep(pruneEvery, signal).catch(() => undefined);
  }
}
