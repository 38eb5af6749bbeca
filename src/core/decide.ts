// Restart, or nothing and the named reason? The order of the checks is the policy; the first that holds wins, all that
// hold are recorded with the values they saw.
import type { OpenAlert } from "./alert.ts";
import type { Budget } from "./budget.ts";
import type { Cause, Urgency } from "./cause.ts";
import { checks, unwritable } from "./checks.ts";
import { type Confirmation, confirm, type Evidence } from "./evidence.ts";
import type { Incarnation } from "./identity.ts";
import type { Mode } from "./mode.ts";
import { askedOf, type Manner, type NeedPolicy, needOf } from "./need.ts";
import type { SupervisorReading } from "./readings.ts";
import type { Refusal } from "./refusal.ts";
import type { Instant, Millis } from "./time.ts";

export type DecidePolicy = NeedPolicy & {
  /** How long the gateway may take to drain: a unit with a shorter stop time cuts work. */
  readonly drain: Millis;
  readonly staleAfter: Millis;
  readonly justWoke: Millis;
  /** A sign of an update is respected this long since it was first seen: longer, and it is only forgotten. */
  readonly updateLimit: Millis;
  /** Urgency `now` waits at most this long for idle while the gateway still answers. */
  readonly patienceNow: Millis;
  /** More unclean ends than this within five minutes would switch off the gateway's channels. */
  readonly uncleanLimit: number;
};

/** Everything a decision depends on, taken at one moment. */
export type Situation = {
  readonly now: Instant;
  readonly canRecord: boolean;
  readonly alerts: readonly OpenAlert[];
  /** Fingerprints of the alerts that Alertmanager still holds; undefined when it was not asked or did not answer. */
  readonly stillActive: ReadonlySet<string> | undefined;
  /** Fingerprints of those of them that a silence covers; undefined as above. */
  readonly silenced?: ReadonlySet<string> | undefined;
  readonly evidence: Evidence;
  readonly supervisor: SupervisorReading;
  /** The unit that the supervisor is configured to restart, where it has one. */
  readonly unit: string | undefined;
  readonly mode: Mode;
  readonly pausedUntil: Instant | undefined;
  readonly gaveUp: boolean;
  /** Whether the guard has seen this gateway alive since the host booted. */
  readonly seenAlive: boolean;
  /** Whether an attempt of ours left nothing serving: a clean stop is then our own, and so is the duty to start it. */
  readonly ours: boolean;
  /** The life that our last attempt brought about without a cure: what was asked of the one before is asked of it. */
  readonly successor: Incarnation | undefined;
  /** When this episode's first alert came: patience runs from here. */
  readonly askedAt: Instant;
  /** For a gateway that is gone: no start attempt before this. */
  readonly nextStartAt: Instant | undefined;
  readonly budget: Budget;
  /** Unclean ends of the gateway within the last five minutes, whoever caused them. */
  readonly uncleanEnds: number;
};

export type Decision =
  | {
      readonly do: "restart";
      readonly cause: Cause;
      readonly urgency: Urgency;
      readonly manner: Manner;
      readonly saw: Readonly<Record<string, string>>;
    }
  | {
      readonly do: "nothing";
      readonly because: Refusal;
      /** The cause that the guard's own evidence confirms; without one there is no real need. */
      readonly cause: Cause | undefined;
      readonly urgency: Urgency | undefined;
      /** When this refusal may end by itself. */
      readonly until: Instant | undefined;
      readonly saw: Readonly<Record<string, string>>;
    };

/** Decides about the open alerts of one gateway; pure, so that the same situation always gets the same answer. */
export function decide(s: Situation, policy: DecidePolicy): Decision {
  const asked = askedOf(s).map((cause) => ({ cause, is: confirm(cause, s.evidence, s.now, policy) }));
  const saw: Record<string, string> = Object.fromEntries(asked.map(({ cause, is }) => [cause, is.saw]));
  const need = needOf(s, policy);

  if (need === undefined) {
    const held = s.canRecord ? unmet(asked.map(({ is }) => is)) : { because: "cannot_record" as const };
    if (!s.canRecord) saw["cannot_record"] = unwritable;
    const until = "until" in held ? held.until : undefined;
    return { do: "nothing", because: held.because, cause: undefined, urgency: undefined, until, saw };
  }

  let first: { because: Refusal; until: Instant | undefined } | undefined;
  for (const { refusal, holds } of checks) {
    const held = holds(s, need, policy);
    if (held === undefined) continue;
    saw[refusal] = held.saw;
    first ??= { because: refusal, until: held.until };
  }
  const { cause, urgency, manner } = need;
  if (first !== undefined) return { do: "nothing", ...first, cause, urgency, saw };
  return { do: "restart", cause, urgency, manner, saw };
}

function unmet(answers: readonly Confirmation[]): { because: Refusal; until?: Instant } {
  if (answers.length === 0) return { because: "recovered" };
  const waiting = answers.find(({ answer }) => answer === "not_yet");
  if (waiting === undefined) {
    return { because: answers.some(({ answer }) => answer === "blind") ? "blind" : "recovered" };
  }
  return waiting.until === undefined
    ? { because: "unconfirmed" }
    : { because: "unconfirmed", until: waiting.until };
}
