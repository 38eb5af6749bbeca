// Which steps replace the gateway, and how long may each take? Supervisor-owned steps come first, force only where the
// process can no longer hear.
import type { Urgency } from "./cause.ts";
import type { StepKind } from "./history.ts";
import type { Manner } from "./need.ts";
import type { SupervisorReading } from "./readings.ts";
import { type Millis, ms, seconds } from "./time.ts";

export type Step = {
  readonly kind: StepKind;
  readonly deadline: Millis;
  /** Taken only when this holds at its turn. */
  readonly only?: "main_differs" | "not_replaced";
};

export type LadderPolicy = {
  /** The gateway's own drain budget: 315 s of draining and a margin to exit. */
  readonly drain: Millis;
  /** Probing without any signal before a hung process is ended: a late byte means slow, not hung. */
  readonly lastLook: Millis;
};

/** A command that is only accepted, not completed, answers within this. */
const acceptWithin = seconds(20);
/** The supervisor's own restart comes RestartSec after the kill; this is the margin on top. */
const restartMargin = seconds(5);
const leastDrain = seconds(30);

/** The steps of one attempt, in order. */
export function ladder(
  manner: Manner,
  given: {
    readonly urgency: Urgency;
    readonly supervisor: Pick<SupervisorReading, "restartDelay">;
    /** Lower bound of the time until memory is exhausted, where it is known. */
    readonly exhaustion: Millis | undefined;
  },
  policy: LadderPolicy,
): readonly Step[] {
  const awaitSupervisor: Step = {
    kind: "await_supervisor",
    deadline: ms((given.supervisor.restartDelay ?? 0) + restartMargin),
    only: "not_replaced",
  };
  const start: Step = { kind: "start", deadline: acceptWithin, only: "not_replaced" };
  switch (manner) {
    case "start":
      return [start];
    case "kill":
      return [
        { kind: "last_look", deadline: policy.lastLook },
        { kind: "kill_serving", deadline: acceptWithin },
        { kind: "kill_main", deadline: acceptWithin, only: "main_differs" },
        awaitSupervisor,
        start,
      ];
    case "graceful":
      return [
        { kind: "restart", deadline: drainFor(given.urgency, given.exhaustion, policy.drain) },
        { kind: "kill_serving", deadline: acceptWithin, only: "not_replaced" },
        awaitSupervisor,
        start,
      ];
  }
}

/** `now` may not drain past half of the time that is left; nothing drains less than half a minute. */
function drainFor(urgency: Urgency, exhaustion: Millis | undefined, drain: Millis): Millis {
  if (urgency !== "now" || exhaustion === undefined) return drain;
  return ms(Math.min(drain, Math.max(leastDrain, exhaustion / 2)));
}
