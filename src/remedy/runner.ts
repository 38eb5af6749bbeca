// Who carries an episode from its first alert to its end? One loop per gateway: look, decide, act, verify, record.
// Every turn reads from the journal where the episode stands, so a guard that was killed goes on where it may.
import { keyOf } from "../core/alert.ts";
import { byUrgency } from "../core/cause.ts";
import { type Decision, decide, type Situation } from "../core/decide.ts";
import type { Episode } from "../core/episode.ts";
import { sameIncarnation } from "../core/identity.ts";
import { elapsed, type Instant, type Millis, minutes, ms, seconds } from "../core/time.ts";
import { type Attempt, attemptAt, climb } from "./climb.ts";
import { append, end, finish } from "./ending.ts";
import { noticeForeignRestart, situation } from "./situation.ts";
import { type Own, ownName, verify } from "./verify.ts";
import type { Policy, World } from "./world.ts";

/** With nothing to do, foreign restarts are still noticed this often. */
const idleFor = seconds(30);
const shortestWait = ms(250);
/** Evidence may delay an urgent restart by this much at most. */
const evidenceWithin = seconds(5);
/** No more changes of a decision than this are written down in this time. */
const mostChanges = 20;
const changesWithin = minutes(10);
/** What a turn leaves for the next one beside the journal. */
export type Carry = Own & {
  /** When the last changes of the decision were written down. */
  changes: readonly Instant[];
};

/** What a life of the guard begins with. */
export const nothingCarried = (): Carry => ({
  own: undefined,
  supervisorRestarts: undefined,
  counted: false,
  changes: [],
});

/** Takes one turn for a gateway and says how long the next one can wait; throws only when the journal fails. */
export async function turn(world: World, policy: Policy, carry: Carry, signal: AbortSignal): Promise<Millis> {
  const { episode } = world.book.standing();
  if (episode?.attempt !== undefined) return verify(episode, episode.attempt, world, policy, carry, signal);
  if (episode !== undefined && finish(episode, world)) return shortestWait;

  await noticeForeignRestart(world, carry, signal);
  const alerts = world.book.openAlerts();
  if (episode === undefined) {
    if (alerts.length === 0) return idleFor;
    await openEpisode(world, policy, signal);
    return shortestWait;
  }
  if (alerts.length === 0 && !leftDead(episode, world)) {
    end(episode, "cancelled", "every alert was resolved", world);
    return shortestWait;
  }
  // Before the point of no return another mode is another question; after it the episode is carried to its end.
  const mode = world.mode();
  if (episode.mode !== undefined && episode.mode !== mode && episode.attempts === 0) {
    end(episode, "mode_changed", `from ${episode.mode} to ${mode}`, world);
    return shortestWait;
  }
  return decideAndAct(episode, world, policy, carry, signal);
}

/** Whether an attempt of ours left nothing serving: a resolved alert does not undo that. */
function leftDead(episode: Episode, world: World): boolean {
  return episode.attempts > 0 && episode.incarnation === undefined && world.latest().stall.class === "gone";
}

async function openEpisode(world: World, policy: Policy, signal: AbortSignal): Promise<void> {
  const e = await world.look(signal);
  const alerts = [...world.book.openAlerts()].sort((a, b) => byUrgency(a.cause, b.cause));
  const [first] = alerts;
  if (first === undefined) return;
  const incarnation = e.stall.incarnation;
  const now = world.now();
  const { cancelled } = world.book.standing();
  const rejoins =
    cancelled !== undefined &&
    cancelled.episode.cause === first.cause &&
    elapsed(cancelled.at, now) <= policy.rejoinWithin &&
    (sameIncarnation(cancelled.episode.incarnation, incarnation) ||
      (cancelled.episode.incarnation === undefined && incarnation === undefined));
  append(world, {
    kind: "opened",
    episode: rejoins ? cancelled.episode.id : world.newId(),
    gateway: world.gateway,
    at: now,
    cause: first.cause,
    urgency: first.urgency,
    incarnation,
    alerts: alerts.map(keyOf),
    firstSeenAt: e.stall.goneSince ?? e.stall.silence?.since,
    mode: world.mode(),
  });
}

async function decideAndAct(
  episode: Episode,
  world: World,
  policy: Policy,
  carry: Carry,
  signal: AbortSignal,
): Promise<Millis> {
  const first = await situation(episode, world, policy, signal);
  const current = first.evidence.stall.incarnation;
  if (
    current !== undefined &&
    episode.incarnation !== undefined &&
    !sameIncarnation(current, episode.incarnation)
  ) {
    end(episode, "replaced", "somebody else replaced the incarnation", world);
    return shortestWait;
  }
  const decision = decide(first, policy);
  record(decision, first, world, policy, carry);
  if (decision.do === "nothing") return waitFor(decision, world.now(), policy);

  const number = episode.attempts + 1;
  const evidence = await world
    .keepEvidence(first.evidence, AbortSignal.any([signal, AbortSignal.timeout(evidenceWithin)]))
    .catch((error: unknown) => ({ missing: error instanceof Error ? error.message : "failed" }));
  let wait = shortestWait;

  // The second look, immediately before the irreversible step: identity, cause, state and the supervisor once more.
  const secondLook = async (): Promise<Attempt | undefined> => {
    const second = await situation(episode, world, policy, signal);
    const again = decide(second, policy);
    const seen = second.evidence.stall.incarnation;
    const unchanged = current === undefined ? seen === undefined : sameIncarnation(current, seen);
    if (again.do === "nothing") {
      record(again, second, world, policy, carry);
      wait = waitFor(again, world.now(), policy);
      return undefined;
    }
    if (again.cause !== decision.cause || again.manner !== decision.manner || !unchanged) return undefined;
    // Evidence is large: it is kept only of what is really ended.
    append(world, {
      kind: "evidence",
      episode: episode.id,
      gateway: world.gateway,
      at: world.now(),
      evidence,
    });
    return attemptAt(number, episode, again, second, world);
  };
  const planned = attemptAt(number, episode, decision, first, world);
  const climbed = await climb(planned, world, policy, secondLook, signal);
  if (climbed === "climbed") carry.own = ownName(episode, number);
  return wait;
}

/**
 * Writes a decision down when it differs from the last one: an unchanged refusal only goes on. One that flaps between
 * two words is written down now and then, so that it cannot fill the disk.
 */
function record(decision: Decision, s: Situation, world: World, policy: Policy, carry: Carry): void {
  const { episode } = world.book.standing();
  const word = decision.do === "restart" ? "restart" : decision.because;
  if (episode === undefined || episode.lastDecision?.decision === word) return;
  const now = world.now();
  const recent = carry.changes.filter((at) => elapsed(at, now) < changesWithin);
  if (recent.length >= mostChanges) return;
  carry.changes = [...recent, now];
  const would = word === "observing" ? decide({ ...s, mode: "enforce" }, policy) : undefined;
  append(world, {
    kind: "decided",
    episode: episode.id,
    gateway: world.gateway,
    at: now,
    decision: word,
    cause: decision.cause,
    saw: decision.saw,
    wouldHave: would === undefined ? undefined : would.do === "restart" ? "restart" : would.because,
  });
}

function waitFor(decision: Decision & { do: "nothing" }, now: Instant, policy: Policy): Millis {
  const wait = decision.until === undefined ? policy.decideEvery : ms(decision.until - now);
  return ms(Math.min(policy.decideEvery, Math.max(shortestWait, wait)));
}
