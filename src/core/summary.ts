// What came of an episode, in one line? From the journal's entries: outcome, attempts, and how long each phase took.
import type { Cause, Urgency } from "./cause.ts";
import type { Entry, Outcome, Verdict } from "./history.ts";
import type { Incarnation } from "./identity.ts";
import { elapsed, type Instant, inSeconds } from "./time.ts";

/** Seconds from the first bad sample to the verdict; a phase that did not happen is absent. */
export type Phases = {
  /** First bad sample to the opening of the episode. */
  readonly detect?: number;
  /** Opening to the first intent. */
  readonly decide?: number;
  /** First intent to the end of the last step. */
  readonly act?: number;
  /** First intent to the moment at which everything was well again. */
  readonly back?: number;
  /** Back to the verdict. */
  readonly settle?: number;
};

export type Summary = {
  readonly episode: string;
  readonly gateway: string;
  readonly cause: Cause;
  readonly urgency: Urgency;
  readonly openedAt: Instant;
  readonly endedAt: Instant | undefined;
  readonly outcome: Outcome | "running";
  readonly attempts: number;
  readonly verdict: Verdict | undefined;
  readonly lastDecision: string | undefined;
  readonly wouldHave: string | undefined;
  readonly before: Incarnation | undefined;
  readonly after: Incarnation | undefined;
  /** First bad sample, or the opening, to the moment at which it was back: what a user felt. */
  readonly downtimeSeconds: number | undefined;
  readonly phases: Phases;
};

/** Summarises all episodes in a list of entries, oldest first. */
export function summarise(entries: readonly Entry[]): readonly Summary[] {
  const byEpisode = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (!("episode" in entry)) continue;
    const list = byEpisode.get(entry.episode);
    if (list === undefined) byEpisode.set(entry.episode, [entry]);
    else list.push(entry);
  }
  return [...byEpisode.values()].flatMap((list) => {
    const summary = summaryOf(list);
    return summary === undefined ? [] : [summary];
  });
}

function summaryOf(entries: readonly Entry[]): Summary | undefined {
  const opened = first(entries, "opened");
  if (opened === undefined) return undefined;
  const ended = last(entries, "ended");
  const decided = last(entries, "decided");
  const verified = last(entries, "verified");
  const intended = first(entries, "intended");
  const back = last(entries, "back");
  const since = opened.firstSeenAt ?? opened.at;
  const running = ended === undefined || ended.at < (last(entries, "opened")?.at ?? opened.at);
  return {
    episode: opened.episode,
    gateway: opened.gateway,
    cause: verified?.cause ?? intended?.cause ?? opened.cause,
    urgency: opened.urgency,
    openedAt: opened.at,
    endedAt: running ? undefined : ended?.at,
    outcome: running ? "running" : (ended?.outcome ?? "running"),
    attempts: Math.max(0, ...entries.map((entry) => (entry.kind === "intended" ? entry.attempt : 0))),
    verdict: verified?.verdict,
    lastDecision: decided?.decision,
    wouldHave: decided?.wouldHave,
    before: opened.incarnation,
    after: back?.incarnation,
    downtimeSeconds: back === undefined ? undefined : inSeconds(elapsed(since, back.at)),
    phases: phasesOf(entries),
  };
}

/** How long each phase of one episode took. */
export function phasesOf(entries: readonly Entry[]): Phases {
  const opened = first(entries, "opened");
  const intended = first(entries, "intended");
  const stepped = last(entries, "stepped");
  const back = last(entries, "back");
  const verified = last(entries, "verified");
  const span = (from: Instant | undefined, to: Instant | undefined) =>
    from === undefined || to === undefined ? undefined : inSeconds(elapsed(from, to));
  const all = {
    detect: span(opened?.firstSeenAt, opened?.at),
    decide: span(opened?.at, intended?.at),
    act: span(intended?.at, stepped?.at),
    back: span(intended?.at, back?.at),
    settle: span(back?.at, verified?.at),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

type Of<K extends Entry["kind"]> = Extract<Entry, { kind: K }>;

function first<K extends Entry["kind"]>(entries: readonly Entry[], kind: K): Of<K> | undefined {
  return entries.find((entry): entry is Of<K> => entry.kind === kind);
}

function last<K extends Entry["kind"]>(entries: readonly Entry[], kind: K): Of<K> | undefined {
  return entries.findLast((entry): entry is Of<K> => entry.kind === kind);
}
