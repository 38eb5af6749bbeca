// What has happened, in which order, and was anything changed afterwards? The entries of the journal and what they add up to.
import type { Cause, Urgency } from "./cause.ts";
import type { Incarnation } from "./identity.ts";
import type { Mode } from "./mode.ts";
import type { Instant, Millis } from "./time.ts";

export const verdicts = ["recovered", "not_recovered", "worse", "blind"] as const;
export type Verdict = (typeof verdicts)[number];

export const outcomes = ["recovered", "gave_up", "cancelled", "replaced", "mode_changed"] as const;
/** How an episode ended. `replaced`: somebody else replaced the incarnation before we acted. */
export type Outcome = (typeof outcomes)[number];

export const stepKinds = [
  "last_look",
  "kill_serving",
  "kill_main",
  "restart",
  "await_supervisor",
  "clear_failure",
  "start",
] as const;
export type StepKind = (typeof stepKinds)[number];

/** One line of the journal. Each is committed before what it announces is done. */
export type Entry =
  | {
      readonly kind: "opened";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly cause: Cause;
      readonly urgency: Urgency;
      readonly incarnation: Incarnation | undefined;
      /** Keys of the alerts that opened it. */
      readonly alerts: readonly string[];
      /** The sample in which the guard itself first saw the fault, where it did. */
      readonly firstSeenAt: Instant | undefined;
      /** The mode at that moment: a change of it ends an episode that has done nothing yet. */
      readonly mode?: Mode | undefined;
    }
  | {
      readonly kind: "decided";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      /** `restart`, or the refusal that won. */
      readonly decision: string;
      readonly cause: Cause | undefined;
      /** Every check that held, with the values it saw. */
      readonly saw: Readonly<Record<string, string>>;
      /** In observe mode: what enforce would have decided. */
      readonly wouldHave: string | undefined;
    }
  | {
      readonly kind: "evidence";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly evidence: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "intended";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly attempt: number;
      readonly step: StepKind;
      readonly cause: Cause;
      readonly action: string;
      readonly incarnation: Incarnation | undefined;
      /** Whether it ends a living incarnation, and so spends budget; only the first such step of an attempt does. */
      readonly spends: boolean;
      /** Resident memory of the tree before, which a cure for memory is measured against. */
      readonly residentBytes: number | undefined;
      /** The boot in which it was written: what was intended in another one is over. */
      readonly bootId?: string | undefined;
    }
  | {
      readonly kind: "stepped";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly attempt: number;
      readonly step: StepKind;
      readonly ok: boolean;
      readonly detail: string;
      readonly took: Millis;
    }
  | {
      readonly kind: "back";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly attempt: number;
      readonly incarnation: Incarnation;
    }
  | {
      readonly kind: "verified";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly attempt: number;
      readonly cause: Cause;
      readonly action: string;
      readonly verdict: Verdict;
      readonly saw: Readonly<Record<string, string>>;
      /** What served at the verdict, if anything: the life that the attempt brought about. */
      readonly incarnation?: Incarnation | undefined;
    }
  | {
      readonly kind: "ended";
      readonly episode: string;
      readonly gateway: string;
      readonly at: Instant;
      readonly outcome: Outcome;
      readonly why: string;
    }
  | {
      /** The incarnation changed and no intent of ours says why. */
      readonly kind: "replaced";
      readonly gateway: string;
      readonly at: Instant;
      readonly from: Incarnation;
      readonly to: Incarnation;
      /** A person, an upgrade or a version change; false for crashes and unknown endings, which count fully. */
      readonly clean: boolean;
    }
  | {
      readonly kind: "paused";
      readonly gateway: string;
      readonly at: Instant;
      readonly who: string;
      readonly why: string;
      readonly until: Instant;
    }
  | {
      readonly kind: "resumed";
      readonly gateway: string;
      readonly at: Instant;
      readonly who: string;
      readonly why: string;
    };

export type EntryKind = Entry["kind"];
