// Where does an episode stand? The journal's entries, folded: what is not written down has not happened, so a guard
// that was killed at any step reads here what it may still do.
import type { Cause, Urgency } from "./cause.ts";
import type { Entry, StepKind, Verdict } from "./history.ts";
import type { Incarnation } from "./identity.ts";
import type { Mode } from "./mode.ts";
import type { Instant } from "./time.ts";

/** An episode that has not ended. */
export type Episode = {
  readonly id: string;
  readonly cause: Cause;
  readonly urgency: Urgency;
  /** When its first alert came; a cancelled episode that is rejoined keeps it. */
  readonly askedAt: Instant;
  /** The life it is about: at first the one that an alert named, later the one that our last attempt brought about. */
  readonly incarnation: Incarnation | undefined;
  readonly mode: Mode | undefined;
  /** Attempts that have a verdict. */
  readonly attempts: number;
  readonly lastAttemptAt: Instant | undefined;
  /** The last verdict, and when that attempt was back; kept in case the guard died before it wrote the ending. */
  readonly lastVerdict: { readonly verdict: Verdict; readonly backAt: Instant | undefined } | undefined;
  /** Whether the supervisor's latch was cleared: once is enough. */
  readonly cleared: boolean;
  /** `cause` is the confirmed one: without it the refusal is no refusal of a real need. */
  readonly lastDecision:
    | { readonly decision: string; readonly since: Instant; readonly cause: Cause | undefined }
    | undefined;
  readonly attempt: Attempt | undefined;
};

/** An attempt from its first intent to its verdict. */
export type Attempt = {
  readonly number: number;
  readonly cause: Cause;
  readonly action: string;
  readonly before: Incarnation | undefined;
  readonly bootId: string | undefined;
  readonly residentBefore: number | undefined;
  readonly actedAt: Instant;
  /** When its last step was intended: what that step asked for takes its time from here. */
  readonly lastStepAt: Instant;
  readonly steps: readonly StepKind[];
  readonly back: { readonly incarnation: Incarnation; readonly at: Instant } | undefined;
};

/** What the journal says about one gateway. */
export type Standing = {
  readonly episode: Episode | undefined;
  /** Three attempts did not help; only a person's `resume` clears it. */
  readonly gaveUp: boolean;
  readonly paused: { readonly until: Instant; readonly who: string; readonly why: string } | undefined;
  /** The last episode that was cancelled: the same need within 15 minutes rejoins it. */
  readonly cancelled: { readonly episode: Episode; readonly at: Instant } | undefined;
};

export const attemptLimit = 3;

export const nothingYet: Standing = {
  episode: undefined,
  gaveUp: false,
  paused: undefined,
  cancelled: undefined,
};

/** Takes one entry of a gateway into account. */
export function step(standing: Standing, entry: Entry): Standing {
  switch (entry.kind) {
    case "opened":
      return { ...standing, episode: open(standing, entry) };
    case "paused":
      return { ...standing, paused: { until: entry.until, who: entry.who, why: entry.why } };
    case "resumed":
      return { ...standing, paused: undefined, gaveUp: false };
    case "replaced":
    case "evidence":
    case "stepped":
      return standing;
    case "ended": {
      const cancelled =
        entry.outcome === "cancelled" && standing.episode !== undefined
          ? { episode: standing.episode, at: entry.at }
          : undefined;
      return {
        ...standing,
        episode: undefined,
        gaveUp: standing.gaveUp || entry.outcome === "gave_up",
        cancelled,
      };
    }
    case "decided":
    case "intended":
    case "back":
    case "verified":
      return standing.episode === undefined
        ? standing
        : { ...standing, episode: progress(standing.episode, entry) };
  }
}

/** The standing after all entries of one gateway, in order. */
export function fold(entries: readonly Entry[]): Standing {
  return entries.reduce(step, nothingYet);
}

/** What the verdicts so far lead to; asked of the journal, since the guard may have died between verdict and ending. */
export function afterVerdict(episode: Episode): "recovered" | "gave_up" | "decide_again" {
  if (episode.lastVerdict?.verdict === "recovered") return "recovered";
  return episode.attempts >= attemptLimit ? "gave_up" : "decide_again";
}

function open(standing: Standing, entry: Entry & { kind: "opened" }): Episode {
  const rejoined = standing.cancelled?.episode.id === entry.episode ? standing.cancelled.episode : undefined;
  return {
    id: entry.episode,
    cause: entry.cause,
    urgency: entry.urgency,
    askedAt: rejoined?.askedAt ?? entry.at,
    incarnation: entry.incarnation,
    mode: entry.mode,
    attempts: rejoined?.attempts ?? 0,
    lastAttemptAt: rejoined?.lastAttemptAt,
    lastVerdict: rejoined?.lastVerdict,
    cleared: rejoined?.cleared ?? false,
    lastDecision: undefined,
    attempt: undefined,
  };
}

function progress(
  episode: Episode,
  entry: Entry & { kind: "decided" | "intended" | "back" | "verified" },
): Episode {
  switch (entry.kind) {
    case "decided": {
      const same = episode.lastDecision?.decision === entry.decision;
      const since = same ? (episode.lastDecision?.since ?? entry.at) : entry.at;
      return { ...episode, lastDecision: { decision: entry.decision, since, cause: entry.cause } };
    }
    case "intended": {
      const running = episode.attempt?.number === entry.attempt ? episode.attempt : undefined;
      const attempt: Attempt = {
        number: entry.attempt,
        cause: entry.cause,
        action: entry.action,
        before: running === undefined ? entry.incarnation : running.before,
        bootId: running?.bootId ?? entry.bootId ?? entry.incarnation?.bootId,
        residentBefore: running === undefined ? entry.residentBytes : running.residentBefore,
        actedAt: running?.actedAt ?? entry.at,
        lastStepAt: entry.at,
        steps: [...(running?.steps ?? []), entry.step],
        back: undefined,
      };
      const cleared = episode.cleared || entry.step === "clear_failure";
      return { ...episode, attempt, lastAttemptAt: entry.at, cleared };
    }
    case "back":
      if (episode.attempt === undefined) return episode;
      return {
        ...episode,
        attempt: { ...episode.attempt, back: { incarnation: entry.incarnation, at: entry.at } },
      };
    case "verified":
      return {
        ...episode,
        incarnation: entry.incarnation,
        attempt: undefined,
        attempts: entry.attempt,
        lastVerdict: { verdict: entry.verdict, backAt: episode.attempt?.back?.at },
      };
  }
}
