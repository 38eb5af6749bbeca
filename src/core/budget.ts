// May there be another restart now? Restarts by anyone count: a stop or kill of a living incarnation spends,
// the start of a dead gateway does not.
import type { Cause } from "./cause.ts";
import type { Entry } from "./history.ts";
import { after, elapsed, hours, type Instant, type Millis, ms } from "./time.ts";

export type BudgetPolicy = {
  /** Least time between two restarts. */
  readonly gap: Millis;
  /** The gap doubles when the same cause returns within this time. */
  readonly returnWithin: Millis;
  /** Least time after a clean restart by somebody else. */
  readonly cleanGap: Millis;
  readonly perSixHours: number;
  readonly perDay: number;
};

/** One restart that counts: ours, or an unclean ending that was not ours. */
type Spend = {
  readonly at: Instant;
  readonly cause: Cause | undefined;
  readonly clean: boolean;
  /** When the need for it arose: the opening of its episode. */
  readonly askedAt: Instant;
};

/** Beyond this the daily budget is the tighter bound anyway. */
const mostDoublings = 6;

export type Budget = {
  /** Restarts left in the tighter of the two windows. */
  readonly left: number;
  /** When the gap ends; now when it is over. */
  readonly coolUntil: Instant;
  /** When the budget has a unit again; now when it has one. */
  readonly freeAt: Instant;
};

/** What the journal's entries leave of the budget for a restart because of `cause`. */
export function budgetLeft(
  entries: readonly Entry[],
  asked: { readonly cause: Cause; readonly at: Instant } | undefined,
  now: Instant,
  policy: BudgetPolicy,
): Budget {
  // A clock stepped backwards puts them into the future: they count as just done, which never waits for that future.
  const all = spends(entries)
    .map((spend) => ({ ...spend, at: earlier(spend.at, now) }))
    .toSorted((a, b) => a.at - b.at);
  const full = all.filter(({ clean }) => !clean);
  const coolUntil = latest(now, [
    ...all.map((spend) => after(spend.at, spend.clean ? policy.cleanGap : policy.gap)),
    doubledGapEnd(full, asked, now, policy),
  ]);
  const windows = [
    { length: hours(6), allowed: policy.perSixHours },
    { length: hours(24), allowed: policy.perDay },
  ].map(({ length, allowed }) => {
    const inside = full.filter(({ at }) => elapsed(at, now) < length);
    const blocking = inside.at(-allowed);
    const freeAt = inside.length < allowed || blocking === undefined ? now : after(blocking.at, length);
    return { left: Math.max(0, allowed - inside.length), freeAt };
  });
  return {
    left: Math.min(...windows.map(({ left }) => left)),
    coolUntil,
    freeAt: latest(
      now,
      windows.map(({ freeAt }) => freeAt),
    ),
  };
}

function earlier(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}

function latest(now: Instant, points: readonly Instant[]): Instant {
  return points.reduce((a, b) => (a > b ? a : b), now);
}

/** Every restart in the journal that counts, oldest first. */
function spends(entries: readonly Entry[]): readonly Spend[] {
  const openedAt = new Map<string, Instant>();
  return entries.flatMap((entry): Spend[] => {
    if (entry.kind === "opened" && !openedAt.has(entry.episode)) openedAt.set(entry.episode, entry.at);
    if (entry.kind === "intended" && entry.spends) {
      return [
        { at: entry.at, cause: entry.cause, clean: false, askedAt: openedAt.get(entry.episode) ?? entry.at },
      ];
    }
    if (entry.kind === "replaced")
      return [{ at: entry.at, cause: undefined, clean: entry.clean, askedAt: entry.at }];
    return [];
  });
}

/** The end of the gap for a cause that keeps returning: it doubles with every quick return in a row. */
function doubledGapEnd(
  full: readonly Spend[],
  asked: { readonly cause: Cause; readonly at: Instant } | undefined,
  now: Instant,
  policy: BudgetPolicy,
): Instant {
  const same = full.filter((spend) => asked !== undefined && spend.cause === asked.cause);
  const last = same.at(-1);
  if (asked === undefined || last === undefined) return now;
  const askedAt = [...same.map((spend) => spend.askedAt), asked.at];
  let returns = 0;
  for (let i = same.length - 1; i >= 0; i--) {
    const restart = same[i];
    const next = askedAt[i + 1];
    if (restart === undefined || next === undefined || elapsed(restart.at, next) > policy.returnWithin) break;
    returns++;
  }
  return after(last.at, ms(policy.gap * 2 ** Math.min(returns, mostDoublings)));
}
