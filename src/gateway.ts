// What belongs to one gateway? Its collectors, its watch, its supervisor, its episodes: put together here, each isolated
// from the others.
import { bookOf } from "./book.ts";
import type { Config, GatewayConfig } from "./config.ts";
import { gatewayCollectors, type WatchedGateway } from "./collect/index.ts";
import { upkeepIn } from "./collect/upkeep.ts";
import type { OpenAlert } from "./core/alert.ts";
import { type Budget, budgetLeft } from "./core/budget.ts";
import type { Standing } from "./core/episode.ts";
import type { Entry } from "./core/history.ts";
import type { EffectiveMode } from "./core/mode.ts";
import type { HostReading, SupervisorReading } from "./core/readings.ts";
import { isRefusal, lasting, type Refusal } from "./core/refusal.ts";
import type { Seen } from "./core/sample.ts";
import { minutes } from "./core/time.ts";
import { earning } from "./earn.ts";
import type { Own } from "./expose/own.ts";
import { bootIdOr, identify, killVerified } from "./platform/signal.ts";
import { policyOf, upkeepOf } from "./policy.ts";
import type { Journal } from "./record/journal.ts";
import type { Readings } from "./record/readings.ts";
import type { Action, Finding } from "./remedy/action.ts";
import { keepEvidence } from "./remedy/evidence.ts";
import { actions } from "./remedy/index.ts";
import { type Means, runEpisodes, type Wake, wake } from "./remedy/loop.ts";
import { stillActive } from "./remedy/still-active.ts";
import type { World } from "./remedy/world.ts";
import { watchGateway, type Watch } from "./sample/watch.ts";
import type { Seams } from "./world.ts";

const saveEvery = minutes(1);

/** One gateway of a running guard. */
export type Guarded = {
  readonly config: GatewayConfig;
  readonly policy: ReturnType<typeof policyOf>;
  readonly watch: Watch;
  readonly wake: Wake;
  readonly findings: () => readonly Finding[];
  /** The settings of its unit, as of the last check of the restart path. */
  readonly supervisor: () => SupervisorReading | undefined;
  readonly mode: () => EffectiveMode;
  readonly standing: () => Standing;
  readonly budget: () => Budget;
  readonly openAlerts: () => readonly OpenAlert[];
  /** The lasting refusal of a real need, where there is one. */
  readonly blockedBy: () => Refusal | undefined;
  readonly append: (entry: Entry) => void;
  /** Takes other settings over and keeps what is known of the gateway; `false` when it has to be watched afresh. */
  readonly adopt: (gateway: GatewayConfig, config: Config) => boolean;
  /** `phase` as the sampler takes it. */
  readonly run: (signal: AbortSignal, phase: number) => Promise<void>;
};

/** Puts one gateway together; nothing runs before `run`. */
export function guard(
  firstGateway: GatewayConfig,
  firstConfig: Config,
  given: {
    readonly seams: Seams;
    readonly journal: Journal;
    readonly readings: Readings;
    readonly own: Own;
    readonly host: () => Seen<HostReading> | undefined;
    readonly token: () => string | undefined;
    readonly log: World["log"];
  },
): Guarded {
  const { seams, readings, log } = given;
  const { name } = firstGateway;
  const url = new URL(firstGateway.url);
  const hasToken = asksRpc(firstGateway);
  const asking: Asking = {
    token: given.token,
    latency: (probe, seconds, answered) => given.own.latency(name, probe, seconds, answered),
  };
  let gateway = firstGateway;
  let config = firstConfig;
  let policy = policyOf(config, gateway);
  let collectors = collectorsOf(gateway, config, asking, seams);
  let action = actionOf(gateway, config, seams);
  const watched = (all: typeof collectors) => ({
    process: all.process,
    probe: all.probe,
    installation: all.installation,
    work: hasToken ? all.work : undefined,
    others: [all.sockets, all.memory_map, all.claimants, all.volume, ...upkeepIn(all)],
  });
  const watch = watchGateway(
    watched(collectors),
    given.host,
    seams,
    () => policy,
    readings.loadTrend(name),
    () => saveNow(),
  );
  const book = bookOf(name, given, log);
  const waker = wake(seams.sleep);
  const earn = earning({ action, mode: config.mode }, url, { seams, log, changed: waker.hint });

  const worldNow = (): World => ({
    gateway: name,
    action,
    unit: gateway.supervisor.kind === "systemd" ? gateway.supervisor.unit : undefined,
    book,
    now: seams.now,
    sleep: seams.sleep,
    look: watch.look,
    latest: watch.evidence,
    lastSeen: watch.lastSeen,
    rememberSeen(incarnation) {
      watch.rememberSeen(incarnation);
      saveNow();
    },
    mode: () => earn.mode().mode,
    rpc: hasToken,
    stillActive: stillActive(config.alertmanager.url),
    identify: (pid) => identify(seams.procRoot, pid),
    bootId: () => bootIdOr(seams.procRoot, "unknown"),
    kill: (one, signal) => killVerified(seams.procRoot, one, signal),
    keepEvidence: (evidence, signal) => keepEvidence(seams.procRoot, evidence, signal),
    newId: seams.newId,
    log,
  });

  /** The first turn, and the first with another supervisor, needs a mode: an episode would end with its change. */
  async function means(): Promise<Means> {
    await earn.checked();
    return { world: worldNow(), policy };
  }

  async function save(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await seams.sleep(saveEvery, signal).catch(() => undefined);
      saveNow();
    }
  }

  /** Losing the last minutes of a trend costs little; a full disk must not end the watch. */
  function saveNow(): void {
    try {
      readings.saveTrend(name, watch.save());
    } catch (error) {
      given.own.journalError();
      log("cannot_save", { problem: error instanceof Error ? error.message : "failed" });
    }
  }

  const { standing } = book;
  const budget = () => {
    const { episode } = standing();
    const asked = episode === undefined ? undefined : { cause: episode.cause, at: episode.askedAt };
    return budgetLeft(book.entries(), asked, seams.now(), policy.budget);
  };

  return {
    get config() {
      return gateway;
    },
    get policy() {
      return policy;
    },
    watch,
    wake: waker,
    findings: earn.findings,
    supervisor: earn.supervisor,
    mode: earn.mode,
    standing,
    budget,
    openAlerts: book.openAlerts,
    blockedBy() {
      const { episode } = standing();
      const decision = episode?.lastDecision;
      if (episode === undefined || decision === undefined || !isRefusal(decision.decision)) return undefined;
      // Without a confirmed cause there is no real need, and nobody has to hear of it.
      if (decision.cause === undefined) return undefined;
      return lasting(decision.decision, episode.urgency, decision.since, seams.now(), policy.window)
        ? decision.decision
        : undefined;
    },
    append: book.append,
    adopt(nextGateway, nextConfig) {
      if (nextGateway.url !== gateway.url || asksRpc(nextGateway) !== hasToken) return false;
      const before = { gateway, config, collectors };
      gateway = nextGateway;
      config = nextConfig;
      policy = policyOf(config, gateway);
      if (lookOf(gateway, config) !== lookOf(before.gateway, before.config)) {
        collectors = collectorsOf(gateway, config, asking, seams);
        // A reading that is under way ends with the collector it began with.
        void watch.adopt(watched(collectors)).then(() => close(before.collectors));
      }
      if (actedBy(gateway, config) !== actedBy(before.gateway, before.config))
        action = actionOf(gateway, config, seams);
      earn.again({ action, mode: config.mode });
      waker.hint();
      return true;
    },
    async run(signal, phase) {
      const onFailure = (error: unknown) => {
        log("turn_failed", { problem: error instanceof Error ? error.message : "failed" });
      };
      await Promise.all([
        watch.run(signal, phase),
        earn.run(signal),
        save(signal),
        // The first turn needs something to see.
        watch.look(signal).then(
          () => runEpisodes(means, waker, onFailure, signal),
          (error: unknown) => {
            if (!signal.aborted) throw error;
          },
        ),
      ]);
      await close(collectors);
    },
  };
}

/** Whether the gateway's RPC is asked: without a token it would refuse. */
function asksRpc({ token_file, token_env }: GatewayConfig): boolean {
  return token_file !== undefined || token_env !== undefined;
}

/** What collectors are made from, as a text to compare. */
function lookOf(one: GatewayConfig, { probe }: Config): string {
  const { pid_file, state_dir, unit, installation, supervisor, upkeep } = one;
  return JSON.stringify({ pid_file, state_dir, unit, installation, supervisor, upkeep, probe });
}

/** What an action is made from, as a text to compare. */
function actedBy({ supervisor }: GatewayConfig, { drain }: Config): string {
  return JSON.stringify({ supervisor, drain: drain.limit });
}

type Asking = Pick<WatchedGateway, "token" | "latency">;

function collectorsOf(gateway: GatewayConfig, { probe }: Config, asking: Asking, seams: Seams) {
  const url = new URL(gateway.url);
  const { supervisor } = gateway;
  const unit = gateway.unit ?? (supervisor.kind === "systemd" ? supervisor.unit : undefined);
  return gatewayCollectors(
    {
      host: url.hostname,
      port: Number(url.port === "" ? 80 : url.port),
      ...asking,
      ...(gateway.pid_file === undefined ? {} : { pidFile: gateway.pid_file }),
      ...(gateway.state_dir === undefined ? {} : { stateDir: gateway.state_dir }),
      ...(unit === undefined ? {} : { unit }),
      ...(gateway.installation === undefined ? {} : { installation: gateway.installation }),
      upkeep: upkeepOf(gateway),
      cadence: {
        process: probe.process_every,
        probe: probe.every,
        probeTimeout: probe.timeout,
        slowProbe: probe.slow_every,
        work: probe.slow_every,
      },
    },
    seams,
  );
}

/** Ends what collectors hold open. */
async function close({ probe, work }: ReturnType<typeof collectorsOf>): Promise<void> {
  await Promise.all([probe[Symbol.asyncDispose](), work[Symbol.asyncDispose]()]);
}

function actionOf(gateway: GatewayConfig, config: Config, seams: Seams): Action {
  const { supervisor } = gateway;
  switch (supervisor.kind) {
    case "systemd":
      return actions.systemd({
        unit: supervisor.unit,
        scope: supervisor.scope,
        run: seams.run,
        env: seams.env,
        drain: config.drain.limit,
      });
    case "command":
      return actions.command({
        start: supervisor.start,
        restart: supervisor.restart,
        status: supervisor.status,
        run: seams.run,
        env: seams.env,
      });
    case "none":
      return actions.none();
    default:
      return supervisor satisfies never;
  }
}
