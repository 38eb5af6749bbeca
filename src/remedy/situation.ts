// What is true right now? Everything a decision depends on, gathered at one moment, and restarts that nobody asked us for.
import { budgetLeft } from "../core/budget.ts";
import type { Situation } from "../core/decide.ts";
import type { Episode, Standing } from "../core/episode.ts";
import { nameOf, sameIncarnation } from "../core/identity.ts";
import { needOf } from "../core/need.ts";
import { after, elapsed, hours, type Instant, ms } from "../core/time.ts";
import { uncleanEnds } from "../core/unclean.ts";
import type { Policy, World } from "./world.ts";

/** The longest gap, doubled as often as it can be, ends within this: older entries decide nothing. */
const decisiveFor = hours(72);
/** More restarts than this between two looks spend no more: the budget is gone by then. */
const mostMissed = 5;

/** The supervisor's restart count when the gateway was last seen unchanged. */
export type Counted = {
  supervisorRestarts: number | undefined;
  /** Whether it was asked at all: some supervisors count nothing. */
  counted: boolean;
};

/** Looks, asks the supervisor and Alertmanager, and counts the budget: the input of one decision. */
export async function situation(
  episode: Episode,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<Situation> {
  const [evidence, supervisor, held] = await Promise.all([
    world.look(signal),
    world.action.inspect(signal),
    world.stillActive(world.book.openAlerts(), signal),
  ]);
  // Looking takes seconds when the gateway hangs: what people and Alertmanager said meanwhile counts.
  const alerts = world.book.openAlerts();
  const standing: Standing = world.book.standing();
  const now = world.now();
  const entries = world.book.entries();
  const recent = entries.slice(entries.findLastIndex(({ at }) => elapsed(at, now) > decisiveFor) + 1);
  const backoff = policy.startBackoff[Math.min(episode.attempts, policy.startBackoff.length - 1)] ?? ms(0);
  const ours = episode.attempts > 0 && episode.incarnation === undefined;
  const need = needOf({ now, alerts, ours, evidence }, policy);
  const asked = { cause: need?.cause ?? episode.cause, at: episode.askedAt };
  return {
    now,
    canRecord: world.book.writable(),
    alerts,
    stillActive: held?.active,
    silenced: held?.silenced,
    evidence,
    supervisor,
    unit: world.unit,
    mode: world.mode(),
    pausedUntil: standing.paused?.until,
    gaveUp: standing.gaveUp,
    seenAlive: world.lastSeen()?.bootId === world.bootId(),
    ours,
    successor: episode.attempts > 0 ? episode.incarnation : undefined,
    askedAt: episode.askedAt,
    nextStartAt: episode.lastAttemptAt === undefined ? undefined : after(episode.lastAttemptAt, backoff),
    budget: budgetLeft(recent, asked, now, policy.budget),
    uncleanEnds: uncleanEnds(recent, now),
  };
}

/** Writes down that somebody else replaced the gateway: the budget counts restarts by anyone. */
export async function noticeForeignRestart(world: World, carry: Counted, signal: AbortSignal): Promise<void> {
  const to = world.latest().stall.incarnation;
  const from = world.lastSeen();
  if (to === undefined) return;
  if (sameIncarnation(from, to)) {
    // Without a count to compare with, the first restart that a person asks for would pass for a crash.
    if (!carry.counted) carry.supervisorRestarts = (await world.action.inspect(signal)).restarts;
    carry.counted = true;
    return;
  }
  const { restarts } = await world.action.inspect(signal);
  const counted = carry.supervisorRestarts;
  carry.supervisorRestarts = restarts;
  carry.counted = true;
  world.rememberSeen(to);
  if (from === undefined || from.bootId !== to.bootId) return;
  // Without a supervisor that counts its own restarts, an ending that nobody explains counts as unclean.
  const clean = restarts !== undefined && counted !== undefined && restarts <= counted;
  // What came and went between two looks is read from the supervisor's count.
  const missed = clean || restarts === undefined || counted === undefined ? 1 : restarts - counted;
  const at: Instant = world.now();
  for (let i = 0; i < Math.min(missed, mostMissed); i++) {
    world.book.append({ kind: "replaced", gateway: world.gateway, at, from, to, clean });
  }
  world.log("replaced", { gateway: world.gateway, from: nameOf(from), to: nameOf(to), clean, missed });
}

/** After a start of ours: the life before it ended without us, which nobody has written down yet. */
export function noteEndBeforeStart(world: World, before: Episode["incarnation"]): void {
  const to = world.latest().stall.incarnation;
  const from = world.lastSeen();
  if (before !== undefined || to === undefined || from === undefined) return;
  if (from.bootId !== to.bootId || sameIncarnation(from, to)) return;
  world.book.append({ kind: "replaced", gateway: world.gateway, at: world.now(), from, to, clean: false });
}
