// What belongs to one gateway? Its collectors, its watch, its supervisor, its episodes: put together here, each isolated
// from the others.
import { bookOf } from "./book.ts";
import type { Config, GatewayConfig } from "./config.ts";
import { gatewayCollectors } from "./collect/index.ts";
import type { OpenAlert } from "./core/alert.ts";
import { type Budget, budgetLeft } from "./core/budget.ts";
import type { Standing } from "./core/episode.ts";
import type { Entry } from "./core/history.ts";
import { type EffectiveMode, effectiveMode } from "./core/mode.ts";
import type { HostReading } from "./core/readings.ts";
import { isRefusal, lasting, type Refusal } from "./core/refusal.ts";
import type { Seen } from "./core/sample.ts";
import { minutes, type Millis } from "./core/time.ts";
import type { Own } from "./expose/own.ts";
import { claim } from "./platform/lock.ts";
import { identify, killVerified, readBootId } from "./platform/signal.ts";
import { policyOf } from "./policy.ts";
import type { Journal } from "./record/journal.ts";
import type { Readings } from "./record/readings.ts";
import type { Action, Finding } from "./remedy/action.ts";
import { keepEvidence } from "./remedy/evidence.ts";
import { actions } from "./remedy/index.ts";
import { runEpisodes, type Wake, wake } from "./remedy/loop.ts";
import { stillActive } from "./remedy/still-active.ts";
import type { World } from "./remedy/world.ts";
import { watchGateway, type Watch } from "./sample/watch.ts";
import type { Seams } from "./world.ts";

/** The supervisor's path is checked again this often: a path that is not safe may become so, a safe one may break. */
const checkAgain: Readonly<Record<"earned" | "not_earned", Millis>> = {
  earned: minutes(60),
  not_earned: minutes(1),
};
const checkWithin = minutes(1);
const saveEvery = minutes(1);

/** Reasons for a weaker mode beside the findings of an action's own check. */
export const modeReasons = ["another_guard", "not_checked"] as const;

/** One gateway of a running guard. */
export type Guarded = {
  readonly config: GatewayConfig;
  readonly policy: ReturnType<typeof policyOf>;
  readonly watch: Watch;
  readonly action: Action;
  readonly wake: Wake;
  readonly findings: () => readonly Finding[];
  readonly mode: () => EffectiveMode;
  readonly standing: () => Standing;
  readonly budget: () => Budget;
  readonly openAlerts: () => readonly OpenAlert[];
  /** The lasting refusal of a real need, where there is one. */
  readonly blockedBy: () => Refusal | undefined;
  readonly append: (entry: Entry) => void;
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Puts one gateway together; nothing runs before `run`. */
export function guard(
  gateway: GatewayConfig,
  config: Config,
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
  const { name } = gateway;
  const policy = policyOf(config, gateway);
  const url = new URL(gateway.url);
  const { supervisor } = gateway;
  const unit = gateway.unit ?? (supervisor.kind === "systemd" ? supervisor.unit : undefined);
  const hasToken = gateway.token_file !== undefined || gateway.token_env !== undefined;
  const collectors = gatewayCollectors(
    {
      host: url.hostname,
      port: Number(url.port === "" ? 80 : url.port),
      token: given.token,
      ...(gateway.pid_file === undefined ? {} : { pidFile: gateway.pid_file }),
      ...(gateway.state_dir === undefined ? {} : { stateDir: gateway.state_dir }),
      ...(unit === undefined ? {} : { unit }),
      cadence: {
        process: config.probe.process_every,
        probe: config.probe.every,
        probeTimeout: config.probe.timeout,
        slowProbe: config.probe.slow_every,
        work: config.probe.slow_every,
      },
    },
    seams,
  );
  const watch = watchGateway(
    { process: collectors.process, probe: collectors.probe, work: hasToken ? collectors.work : undefined },
    given.host,
    seams,
    policy,
    readings.loadTrend(name),
    () => saveNow(),
  );
  const action = actionOf(gateway, config, seams);
  const book = bookOf(name, given, log);
  const waker = wake(seams.sleep);
  let findings: readonly Finding[] = [];
  let earned: { checked: boolean; reasons: readonly string[] } = { checked: false, reasons: [] };
  const checked = Promise.withResolvers<void>();
  const mode = () => effectiveMode(config.mode, earned);

  const world: World = {
    gateway: name,
    action,
    unit: supervisor.kind === "systemd" ? supervisor.unit : undefined,
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
    mode: () => mode().mode,
    rpc: hasToken,
    stillActive: stillActive(config.alertmanager.url),
    identify: (pid) => identify(seams.procRoot, pid),
    bootId: () => readBootId(seams.procRoot),
    kill: (one, signal) => killVerified(seams.procRoot, one, signal),
    keepEvidence: (evidence, signal) => keepEvidence(seams.procRoot, evidence, signal),
    newId: seams.newId,
    log,
  };

  /** Earns the mode: the host-wide lock first, then the action's own check, again and again. */
  async function earn(signal: AbortSignal): Promise<void> {
    await using held = new AsyncDisposableStack();
    let locked = false;
    while (!signal.aborted) {
      if (!locked) {
        const lock = await claim(lockName(url)).catch((error: unknown) => {
          log("cannot_lock", { problem: error instanceof Error ? error.message : "failed" });
          return undefined;
        });
        locked = lock !== undefined;
        if (lock !== undefined) held.use(lock);
      }
      findings = await action
        .check(AbortSignal.any([signal, AbortSignal.timeout(checkWithin)]))
        .catch((error: unknown) => [
          {
            reason: "supervisor_unreachable" as const,
            problem: error instanceof Error ? error.message : "failed",
            fix: "see the log",
          },
        ]);
      const reasons = [
        ...new Set([...(locked ? [] : ["another_guard"]), ...findings.map(({ reason }) => reason)]),
      ];
      const before = mode();
      earned = { checked: true, reasons };
      checked.resolve();
      if (before.mode !== mode().mode || before.reasons.join() !== reasons.join()) {
        log("mode", { ...mode(), configured: config.mode, findings });
        waker.hint();
      }
      await seams
        .sleep(checkAgain[reasons.length === 0 ? "earned" : "not_earned"], signal)
        .catch(() => undefined);
    }
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
    config: gateway,
    policy,
    watch,
    action,
    wake: waker,
    findings: () => findings,
    mode,
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
    async run(signal) {
      const onFailure = (error: unknown) => {
        log("turn_failed", { problem: error instanceof Error ? error.message : "failed" });
      };
      await Promise.all([
        watch.run(signal),
        earn(signal),
        save(signal),
        // The first turn needs something to see, and a mode: an episode that began before the check would end with it.
        Promise.all([watch.look(signal), checked.promise]).then(
          () => runEpisodes(world, policy, waker, onFailure, signal),
          (error: unknown) => {
            if (!signal.aborted) throw error;
          },
        ),
      ]);
      await Promise.all([collectors.probe[Symbol.asyncDispose](), collectors.work[Symbol.asyncDispose]()]);
    },
  };
}

/**
 * The name that one guard of this host holds for a gateway. The port alone: whatever address and state directory it is
 * configured with, only one process of a network namespace can serve it.
 */
function lockName(url: URL): string {
  return `openclaw-guard/port/${url.port === "" ? 80 : url.port}`;
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
