// What came of an attempt? Looks until there is a verdict, and finishes what an earlier life of the guard began.
import type { Episode, Attempt as WrittenAttempt } from "../core/episode.ts";
import type { Evidence } from "../core/evidence.ts";
import type { Verdict } from "../core/history.ts";
import type { SupervisorReading } from "../core/readings.ts";
import { elapsed, type Millis, ms, seconds } from "../core/time.ts";
import { type Judgement, judge, settle } from "../core/verdict.ts";
import { type Attempt, attemptAt, startAgain } from "./climb.ts";
import { append, end, finish } from "./ending.ts";
import { type Counted, noteEndBeforeStart } from "./situation.ts";
import { isReplaced } from "./waiting.ts";
import type { Policy, World } from "./world.ts";

/** After what an earlier life of the guard did, the supervisor gets its restart delay and this. */
const restartMargin = seconds(5);
const shortestWait = ms(250);

/** What verification leaves for the next turn. */
export type Own = Counted & {
  /** The attempt whose ladder this life of the guard has climbed to its end; any other is only finished. */
  own: string | undefined;
};

/** One word for an attempt. */
export const ownName = (episode: Episode, number: number): string => `${episode.id} ${number}`;

/** Judges a restart that is under way; one that an earlier life of the guard began is never repeated, only finished. */
export async function verify(
  episode: Episode,
  attempt: WrittenAttempt,
  world: World,
  policy: Policy,
  carry: Own,
  signal: AbortSignal,
): Promise<Millis> {
  if (attempt.bootId !== undefined && attempt.bootId !== world.bootId()) {
    end(episode, "replaced", "the host was booted again", world);
    return shortestWait;
  }
  const e = await world.look(signal);
  const supervisor = await world.action.inspect(signal);
  if (carry.own !== ownName(episode, attempt.number) && attempt.back === undefined) {
    const left = await finishStart(episode, attempt, e, supervisor, world, policy, signal);
    if (left !== "waits_for_supervisor" && left !== "still_there")
      carry.own = ownName(episode, attempt.number);
    // What was seen before the start says nothing about what comes of it.
    if (left === "waits_for_supervisor" || left === "started") return policy.verifyEvery;
  }
  const expected = { ...attempt, rpc: world.rpc };
  const now = world.now();
  const judgement: Judgement =
    attempt.back === undefined
      ? judge(expected, e, supervisor, now, policy)
      : settle(expected, attempt.back, e, now, policy);

  if (judgement.is === "waiting") return policy.verifyEvery;
  if (judgement.is === "back" && attempt.back === undefined) {
    const { incarnation } = judgement;
    const { number } = attempt;
    const { gateway } = world;
    append(world, { kind: "back", episode: episode.id, gateway, at: now, attempt: number, incarnation });
    return policy.verifyEvery;
  }
  const [verdict, saw]: [Verdict, string] =
    judgement.is === "back" ? ["recovered", ""] : [judgement.verdict, judgement.saw];
  conclude(episode, attempt, verdict, saw, supervisor, world, carry);
  return shortestWait;
}

function conclude(
  episode: Episode,
  attempt: WrittenAttempt,
  verdict: Verdict,
  saw: string,
  supervisor: SupervisorReading,
  world: World,
  carry: Own,
): void {
  const { number, cause, action } = attempt;
  noteEndBeforeStart(world, attempt.before);
  const serving = world.latest().stall.incarnation;
  append(world, {
    kind: "verified",
    episode: episode.id,
    gateway: world.gateway,
    at: world.now(),
    attempt: number,
    cause,
    action,
    verdict,
    saw: saw === "" ? {} : { [verdict]: saw },
    incarnation: serving,
  });
  // Whatever serves now came of this attempt: it is nobody else's restart.
  if (serving !== undefined) world.rememberSeen(serving);
  carry.supervisorRestarts = supervisor.restarts;
  const { episode: judged } = world.book.standing();
  if (judged !== undefined) finish(judged, world);
}

/** After a crash of the guard: if the old incarnation is gone and nothing starts it, starting is all that is allowed. */
async function finishStart(
  episode: Episode,
  attempt: WrittenAttempt,
  e: Evidence,
  supervisor: SupervisorReading,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<"replaced" | "still_there" | "waits_for_supervisor" | "started"> {
  if (isReplaced(e, attempt.before)) return "replaced";
  if (e.process?.reading.found !== false) return "still_there";
  const goneSince = e.stall.goneSince ?? world.now();
  const idleSince = goneSince > attempt.lastStepAt ? goneSince : attempt.lastStepAt;
  if (elapsed(idleSince, world.now()) < (supervisor.restartDelay ?? 0) + restartMargin)
    return "waits_for_supervisor";
  world.log("resumed", { episode: episode.id, attempt: attempt.number, state: supervisor.state });
  const { number, cause } = attempt;
  const { urgency } = episode;
  const decision: Attempt["decision"] = { do: "restart", cause, urgency, manner: "start", saw: {} };
  const again = attemptAt(number, episode, decision, { evidence: e, supervisor }, world);
  await startAgain(again, world, policy, signal);
  return "started";
}
