// What has to be true before anything is done to a gateway? The refusals in their order, each line saying why it stands
// before the next.
import type { DecidePolicy, Situation } from "./decide.ts";
import { freshFor } from "./evidence.ts";
import { isProven, sameIncarnation } from "./identity.ts";
import type { Need } from "./need.ts";
import type { Refusal } from "./refusal.ts";
import { after, elapsed, type Instant, minutes, seconds } from "./time.ts";
import { updateUnderWay } from "./updating.ts";
import { isOpen, nextOpening } from "./window.ts";

type Held = { readonly saw: string; readonly until?: Instant };
type Check = {
  readonly refusal: Refusal;
  readonly holds: (s: Situation, need: Need, policy: DecidePolicy) => Held | undefined;
};

/** Work as the gateway tells it; no fresh answer is unknown, and unknown counts as busy. */
function idle(s: Situation): boolean {
  const work = s.evidence.work;
  return work?.reading.known === true && elapsed(work.at, s.now) <= freshFor && work.reading.restartSafe;
}

export const unwritable = "the journal cannot be written";

const when = (holds: boolean, saw: string, until?: Instant): Held | undefined =>
  holds ? (until === undefined ? { saw } : { saw, until }) : undefined;

/** What has to be true before anything is done, each line saying why it stands before the next. */
export const checks: readonly Check[] = [
  // Without a record there is no budget and no proof: nothing may happen at all.
  { refusal: "cannot_record", holds: (s) => when(!s.canRecord, unwritable) },
  // The process that serves must be the one the supervisor would restart.
  {
    refusal: "blind",
    holds: (s) => {
      const found = s.evidence.process?.reading;
      // Without a probe nobody can say that it is not starting or draining right now.
      if (s.evidence.stall.class === undefined) return { saw: "the last look saw no probe" };
      if (found?.found !== true) return undefined;
      // Without start ticks the pid may be another's by the time it is ended.
      if (!isProven(found.incarnation))
        return { saw: `pid ${found.incarnation.pid} was seen without its start ticks` };
      if (s.unit === undefined || found.unit === s.unit) return undefined;
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
      // A tracer holds it even while it lets it run; a plain SIGSTOP (state T) is nobody's purpose.
      const traced = found?.found === true && (found.state === "t" || found.heldBy === "tracer");
      if (traced) return { saw: "a tracer holds the process" };
      if (found?.found === true && found.heldBy === "freezer") return { saw: "its cgroup is frozen" };
      const { stoppedOnPurpose, state } = s.supervisor;
      const dead = need.manner === "start";
      // Of a process that lives the supervisor cannot say "stopped"; that its host goes down or its unit is frozen, it can.
      if (stoppedOnPurpose && !s.ours && (dead || state !== "stopped"))
        return { saw: `the supervisor says ${state}` };
      return when(dead && !s.seenAlive, "not seen alive since the host booted");
    },
  },
  // Only a person leaves gave_up.
  { refusal: "gave_up", holds: (s) => when(s.gaveUp, "three attempts did not help") },
  {
    refusal: "paused",
    holds: (s) =>
      when(s.pausedUntil !== undefined && s.pausedUntil > s.now, "a person paused it", s.pausedUntil),
  },
  // A silence is a person's word, too; where a second alert of the same need is not silenced, that one still asks.
  {
    refusal: "silenced",
    holds: ({ silenced }, { alerts }) => {
      const covered = alerts.length > 0 && alerts.every(({ fingerprint }) => silenced?.has(fingerprint));
      return when(covered, "a silence of Alertmanager covers it");
    },
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
  // A restart in the middle of an installation starts half of it, again and again.
  {
    refusal: "updating",
    holds: (s, _, policy) => {
      const update = updateUnderWay(s.evidence.updating, s.now, policy.updateLimit);
      return when(update !== undefined, `${update?.signs.join(", ")}`, update?.until);
    },
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
