// How is one attempt carried out? Step by step, the intent on disk before each deed, everything looked at once more
// before anything is ended. Whatever a step claims, the verdict comes from verification.
import type { Decision, Situation } from "../core/decide.ts";
import type { Episode } from "../core/episode.ts";
import type { Evidence } from "../core/evidence.ts";
import type { StepKind } from "../core/history.ts";
import { type ProcessIdentity, sameIncarnation } from "../core/identity.ts";
import { ladder, type Step } from "../core/ladder.ts";
import type { SupervisorReading } from "../core/readings.ts";
import { elapsed, seconds } from "../core/time.ts";
import { uncleanEnds } from "../core/unclean.ts";
import { askToRestart, incarnationOf, isReplaced, until } from "./waiting.ts";
import type { Policy, World } from "./world.ts";

/** Everything that stays the same during one attempt. */
export type Attempt = {
  readonly episode: string;
  readonly number: number;
  readonly decision: Decision & { readonly do: "restart" };
  readonly evidence: Evidence;
  readonly supervisor: SupervisorReading;
  /** The supervisor's main process, identified when it was looked at: its pid may be another's when its turn comes. */
  readonly main: ProcessIdentity | undefined;
  /** Whether the supervisor's latch may be cleared: at most once in an episode. */
  readonly mayClear: boolean;
};

/** The attempt as it stands at one look. */
export function attemptAt(
  number: number,
  episode: Episode,
  decision: Attempt["decision"],
  { evidence, supervisor }: Pick<Situation, "evidence" | "supervisor">,
  world: World,
): Attempt {
  const main = supervisor.mainPid === undefined ? undefined : world.identify(supervisor.mainPid);
  return { episode: episode.id, number, decision, evidence, supervisor, main, mayClear: !episode.cleared };
}

/** Everything as it is at the last moment, or nothing when it is no longer due. */
export type SecondLook = () => Promise<Attempt | undefined>;

/** How the climb ended: all steps taken, a late answer, or not due any more; nothing was done in the last two cases. */
export type Climbed = "climbed" | "answered" | "withdrawn";

/** Climbs the ladder; the second look comes immediately before the first intent. */
export async function climb(
  first: Attempt,
  world: World,
  policy: Policy,
  secondLook: SecondLook,
  signal: AbortSignal,
): Promise<Climbed> {
  const lower = first.evidence.trend.exhaustionSeconds?.lower;
  const steps = ladder(
    first.decision.manner,
    {
      urgency: first.decision.urgency,
      supervisor: first.supervisor,
      exhaustion: lower === undefined ? undefined : seconds(lower),
    },
    policy,
  );
  // Only the first stop of an attempt spends; a start of what is dead spends nothing.
  const firstStop = steps.find(({ kind }) => kind === "restart" || kind === "kill_serving")?.kind;
  let attempt: Attempt | undefined;
  let overrun = false;
  for (const step of steps) {
    signal.throwIfAborted();
    if (step.kind === "last_look") {
      if (await answersWithin(step, first, world, signal)) return "answered";
      continue;
    }
    if (attempt === undefined) {
      attempt = await secondLook();
      // The guard's own end comes before the point of no return too.
      if (attempt === undefined || signal.aborted) return "withdrawn";
    } else if (!(await isDue(step, attempt, overrun, world, policy, signal))) continue;
    if (step.kind !== "await_supervisor") intend(attempt, step.kind, step.kind === firstStop, world);
    overrun = (await take(step, attempt, world, policy, signal)).overrun === true;
  }
  return "climbed";
}

/** Starts a gateway that an earlier life of the guard had already ended: the same attempt, no new budget. */
export async function startAgain(
  attempt: Attempt,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<void> {
  const step: Step = { kind: "start", deadline: seconds(20), only: "not_replaced" };
  if (!(await isDue(step, attempt, false, world, policy, signal))) return;
  intend(attempt, step.kind, false, world);
  await take(step, attempt, world, policy, signal);
}

function intend(attempt: Attempt, step: StepKind, spends: boolean, world: World): void {
  const found = attempt.evidence.process?.reading;
  world.book.append({
    kind: "intended",
    episode: attempt.episode,
    gateway: world.gateway,
    at: world.now(),
    attempt: attempt.number,
    step,
    cause: attempt.decision.cause,
    action: world.action.name,
    incarnation: found?.found === true ? found.incarnation : undefined,
    spends,
    residentBytes: found?.found === true ? found.tree.residentBytes : undefined,
    bootId: world.bootId(),
  });
}

/** `overrun`: the gateway did not end in the time it had, although it was asked to and began. */
export type Done = { readonly ok: boolean; readonly detail: string; readonly overrun?: boolean };

async function take(
  step: Step,
  attempt: Attempt,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<Done> {
  const from = world.now();
  const done = await perform(step, attempt, world, policy, signal).catch(
    // The exit code is a claim like any other: verification judges what really happened.
    (error: unknown): Done => ({
      ok: false,
      detail: signal.aborted
        ? "the guard was ended"
        : error instanceof Error
          ? error.message.slice(0, 300)
          : "failed",
    }),
  );
  const at = world.now();
  const { ok, detail } = done;
  const took = elapsed(from, at);
  const { episode, number } = attempt;
  const { gateway } = world;
  world.book.append({
    kind: "stepped",
    episode,
    gateway,
    at,
    attempt: number,
    step: step.kind,
    ok,
    detail,
    took,
  });
  world.log("step", { step: step.kind, ok, detail, tookMs: took, attempt: number });
  signal.throwIfAborted();
  return done;
}

async function perform(
  step: Step,
  attempt: Attempt,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<Done> {
  const before = incarnationOf(attempt.evidence);
  switch (step.kind) {
    case "kill_serving":
      return kill(before, world);
    case "kill_main":
      return kill(attempt.main, world);
    case "restart":
      return askToRestart(before, step.deadline, world, policy, signal);
    case "await_supervisor": {
      const replaced = await until(step.deadline, world, signal, (e) => isReplaced(e, before));
      return {
        ok: replaced,
        detail: replaced ? "the supervisor started it" : "the supervisor did not start it",
      };
    }
    case "start": {
      await clearOwnLatch(attempt, world, signal);
      await world.action.start(AbortSignal.any([signal, AbortSignal.timeout(step.deadline)]));
      return { ok: true, detail: "start accepted" };
    }
    case "last_look":
    case "clear_failure":
      return { ok: true, detail: "" };
    default:
      return step.kind satisfies never;
  }
}

/** A latch that followed our own kill is cleared, once; one that followed a crash loop is the supervisor's to keep. */
async function clearOwnLatch(attempt: Attempt, world: World, signal: AbortSignal): Promise<void> {
  if (!attempt.mayClear) return;
  const killed = world.book.standing().episode?.attempt?.steps.includes("kill_serving") === true;
  if (!killed || !(await world.action.inspect(signal)).latched) return;
  intend(attempt, "clear_failure", false, world);
  await world.action.clearFailure(signal);
}

/** Whether a step after the first still has something to do. */
async function isDue(
  step: Step,
  attempt: Attempt,
  overrun: boolean,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<boolean> {
  const before = incarnationOf(attempt.evidence);
  if (step.only === "main_differs") {
    return attempt.main !== undefined && !sameIncarnation(attempt.main, before);
  }
  const e = await world.look(signal);
  if (step.kind === "kill_serving") {
    // A restart that was refused has begun no drain: then there is nothing to cut short.
    if (!overrun || !sameIncarnation(incarnationOf(e), before)) return false;
    if (uncleanEnds(world.book.entries(), world.now()) < policy.uncleanLimit) return true;
    world.log("kill_refused", { because: "breaker_risk", attempt: attempt.number });
    return false;
  }
  if (isReplaced(e, before)) return false;
  if (step.kind === "await_supervisor") return true;
  // Only what is seen to be gone is started: not seeing it proves nothing.
  if (e.process?.reading.found !== false) return false;
  const { state } = await world.action.inspect(signal);
  return state !== "starting" && state !== "waiting_to_restart";
}

function kill(target: ProcessIdentity | undefined, world: World): Done {
  if (target === undefined) return { ok: true, detail: "no process" };
  const result = world.kill(target, "SIGKILL");
  if (result === "another")
    return { ok: false, detail: `pid ${target.pid} is another process now: not signalled` };
  return {
    ok: true,
    detail: result === "sent" ? `SIGKILL to pid ${target.pid}` : `pid ${target.pid} was gone`,
  };
}

/** A late byte means slow, not hung: probes for a few seconds without any signal. */
async function answersWithin(
  step: Step,
  attempt: Attempt,
  world: World,
  signal: AbortSignal,
): Promise<boolean> {
  const before = incarnationOf(attempt.evidence);
  return until(step.deadline, world, signal, (e) => {
    const silent = e.stall.silence !== undefined || e.stall.class === "no_listener";
    return !silent || !sameIncarnation(incarnationOf(e), before);
  });
}
