// Restart, or nothing and the named reason? The order of the checks is the policy; the first that holds wins, all that
// hold are recorded with the values they saw.
import type { OpenAlert } from "./alert.ts";
import type { Budget } from "./budget.ts";
import type { Cause, Urgency } from "./cause.ts";
import { type Confirmation, confirm, type Evidence, freshFor } from "./evidence.ts";
import { type Incarnation, sameIncarnation } from "./identity.ts";
import type { Mode } from "./mode.ts";
import { askedOf, type Manner, type Need, type NeedPolicy, needOf } from "./need.ts";
import type { SupervisorReading } from "./readings.ts";
import type { Refusal } from "./refusal.ts";
import { after, elapsed, type Instant, type Millis, minutes, seconds } from "./time.ts";
import { isOpen, nextOpening } from "./window.ts";

export type DecidePolicy = NeedPolicy & {
  /** How long the gateway may take to drain: a unit with a shorter stop time cuts work. */
  readonly drain: Millis;
  readonly staleAfter: Millis;
  readonly justWoke: Millis;
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

type Held = { readonly saw: string; readonly until?: Instant };
type Check = {
  readonly refusal: Refusal;
  readonly holds: (s: Situation, need: Need, policy: DecidePolicy) => Held | undefined;
};

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

/** Work as the gateway tells it; no fresh answer is unknown, and unknown counts as busy. */
function idle(s: Situation): boolean {
  const work = s.evidence.work;
  return work?.reading.known === true && elapsed(work.at, s.now) <= freshFor && work.reading.restartSafe;
}

const unwritable = "the journal cannot be written";

const when = (holds: boolean, saw: string, until?: Instant): Held | undefined =>
  holds ? (until === undefined ? { saw } : { saw, until }) : undefined;

/** What has to be true before anything is done, each line saying why it stands before the next. */
const checks: readonly Check[] = [
  // Without a record there is no budget and no proof: nothing may happen at all.
  { refusal: "cannot_record", holds: (s) => when(!s.canRecord, unwritable) },
  // The process that serves must be the one the supervisor would restart.
  {
    refusal: "blind",
    holds: (s) => {
      const found = s.evidence.process?.reading;
      // Without a probe nobody can say that it is not starting or draining right now.
      if (s.evidence.stall.class === undefined) return { saw: "the last look saw no probe" };
      if (found?.found !== true || s.unit === undefined || found.unit === s.unit) return undefined;
      return { saw: `pid ${found.incarnation.pid} is in ${found.unit ?? "no unit"}, not in ${s.unit}` };
    },
  },
  // An alert that Alertmanager no longer holds, or that has not been repeated, is about another time.
  {
    refusal: "stale_alert",
    holds: (s, need, policy) => {
      const { stillActive } = s;
      // Nobody has to ask us to start what we ourselves left dead.
      if (need.alerts.length === 0) return undefined;
      if (stillActive !== undefined) {
        const held = need.alerts.some(({ fingerprint }) => stillActive.has(fingerprint));
        return when(!held, "no longer active at Alertmanager");
      }
      const age = Math.min(...need.alerts.map(({ lastDeliveredAt }) => elapsed(lastDeliveredAt, s.now)));
      return when(age > policy.staleAfter, `last delivered ${age} ms ago`);
    },
  },
  // The alert was about a life that is over.
  {
    refusal: "already_replaced",
    holds: (s, need) => {
      const serving = s.evidence.stall.incarnation;
      if (serving === undefined || sameIncarnation(serving, s.successor)) return undefined;
      const aboutAnother = need.alerts.every(({ incarnation, startsAt }) =>
        incarnation === undefined ? serving.startedAt > startsAt : !sameIncarnation(incarnation, serving),
      );
      return when(aboutAnother, `pid ${serving.pid} started after the alert`);
    },
  },
  // What somebody stopped on purpose stays stopped.
  {
    refusal: "stopped_on_purpose",
    holds: (s, need) => {
      const found = s.evidence.process?.reading;
      if (found?.found === true && found.state === "t") return { saw: "a tracer holds the process" };
      if (need.manner !== "start") return undefined;
      if (s.supervisor.stoppedOnPurpose && !s.ours)
        return { saw: `the supervisor says ${s.supervisor.state}` };
      return when(!s.seenAlive, "not seen alive since the host booted");
    },
  },
  // Only a person leaves gave_up.
  { refusal: "gave_up", holds: (s) => when(s.gaveUp, "three attempts did not help") },
  {
    refusal: "paused",
    holds: (s) =>
      when(s.pausedUntil !== undefined && s.pausedUntil > s.now, "a person paused it", s.pausedUntil),
  },
  { refusal: "observing", holds: (s) => when(s.mode === "observe", "mode is observe") },
  // The path that must bring it back has to work before it is taken down.
  {
    refusal: "supervisor_unreachable",
    holds: (s) => when(!s.supervisor.reachable, s.supervisor.problem ?? "no answer"),
  },
  {
    refusal: "starting",
    holds: (s) => {
      const { state } = s.supervisor;
      const comingUp = state === "waiting_to_restart" || state === "starting";
      return when(
        s.evidence.stall.class === "starting" || comingUp,
        `${s.evidence.stall.class ?? "unknown"}, ${state}`,
      );
    },
  },
  {
    refusal: "draining",
    holds: (s) =>
      when(s.evidence.stall.class === "draining" || s.supervisor.state === "stopping", s.supervisor.state),
  },
  {
    refusal: "just_woke",
    holds: (s, _, policy) => {
      const { wokeAt } = s.evidence;
      if (wokeAt === undefined) return undefined;
      const ends = after(wokeAt, policy.justWoke);
      return when(ends > s.now, "the host or the guard slept", ends);
    },
  },
  // A configuration error comes back with every start, and so does what made the supervisor give up starting.
  {
    refusal: "not_curable",
    holds: (s, need) => {
      if (s.supervisor.exitStatus === 78) return { saw: "exit status 78: configuration error" };
      const loops = need.manner === "start" && s.supervisor.latched && !s.ours;
      return when(loops, "a crash loop: the supervisor gave up starting it");
    },
  },
  // A stop time shorter than the drain, or a unit that signals its children at once, would cut work in flight.
  {
    refusal: "unsafe_unit",
    holds: (s, need, policy) => {
      if (need.manner !== "graceful" || idle(s)) return undefined;
      const { stopTimeout, killMode } = s.supervisor;
      if (killMode === "control-group") return { saw: "KillMode=control-group" };
      return when(stopTimeout !== undefined && stopTimeout < policy.drain, `stop time ${stopTimeout} ms`);
    },
  },
  {
    refusal: "cooling_down",
    holds: (s, need) => {
      const ends = need.manner === "start" ? s.nextStartAt : s.budget.coolUntil;
      return when(ends !== undefined && ends > s.now, "a restart was not long ago", ends);
    },
  },
  {
    refusal: "budget_spent",
    holds: (s, need) =>
      when(need.manner !== "start" && s.budget.left < 1, "no restart left", s.budget.freeAt),
  },
  // The gateway's own breaker keeps its channels off after too many unclean ends.
  {
    refusal: "breaker_risk",
    holds: (s, need, policy) =>
      when(
        need.manner === "kill" && s.uncleanEnds >= policy.uncleanLimit,
        `${s.uncleanEnds} unclean ends within five minutes`,
        after(s.now, minutes(1)),
      ),
  },
  {
    refusal: "outside_window",
    holds: (s, need, policy) => {
      if (need.urgency !== "scheduled" || isOpen(policy.window, s.now)) return undefined;
      const saw = `outside the low-peak window (${policy.window.zone})`;
      return when(true, saw, nextOpening(policy.window, s.now));
    },
  },
  // Last, since only a restart that is otherwise due needs to wait for idle. A hung gateway is not waited for.
  {
    refusal: "busy",
    holds: (s, need, policy) => {
      if (need.manner !== "graceful" || idle(s)) return undefined;
      const known = s.evidence.work?.reading.known === true;
      const saw = known ? "work in flight" : "work in flight is unknown, which counts as busy";
      const waited = elapsed(s.askedAt, s.now);
      if (need.urgency === "now" && waited >= policy.patienceNow) return undefined;
      return { saw, until: after(s.now, seconds(2)) };
    },
  },
];
