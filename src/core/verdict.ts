// Did the restart cure it? Judged by what is seen, never by an exit code: a new incarnation that serves, answers, and
// no longer shows the cause.
import type { Cause } from "./cause.ts";
import { confirm, type Evidence, type EvidencePolicy, freshFor } from "./evidence.ts";
import type { Verdict } from "./history.ts";
import { type Incarnation, sameIncarnation } from "./identity.ts";
import type { SupervisorReading } from "./readings.ts";
import { startBudget } from "./stall.ts";
import { elapsed, type Instant, type Millis, ms, seconds } from "./time.ts";

/** What the restart was for, and what was there before it. */
export type Expectation = {
  readonly cause: Cause;
  readonly before: Incarnation | undefined;
  readonly residentBefore: number | undefined;
  /** When the last step was intended: a long drain before it must not use up the time for the start. */
  readonly lastStepAt: Instant;
  /** Whether the gateway's RPC can be asked at all: without a token its answer proves nothing either way. */
  readonly rpc: boolean;
};

export type VerdictPolicy = EvidencePolicy & {
  /** How long the old incarnation may take to go and a new one to appear. */
  readonly replaceWithin: Millis;
  /** How long a new incarnation has to stay well before the verdict. */
  readonly settle: Millis;
};

export type Judgement =
  | { readonly is: "back"; readonly incarnation: Incarnation }
  | { readonly is: "waiting"; readonly missing: readonly string[] }
  | { readonly is: "failed"; readonly verdict: Verdict; readonly saw: string };

/** The floor must fall below this share of the limit, and of what the tree held before. */
const memoryGate = 0.6;
const fallsTo = 0.8;
/** A supervisor that has just been asked to start still says what it said before. */
const failedAfter = seconds(10);

/** Whether the gateway is back: everything that has to be true at one moment, and what is still missing. */
export function judge(
  expected: Expectation,
  e: Evidence,
  supervisor: SupervisorReading,
  now: Instant,
  policy: VerdictPolicy,
): Judgement {
  const waited = elapsed(expected.lastStepAt, now);
  const found = e.process?.reading;
  if (e.process === undefined || found === undefined || elapsed(e.process.at, now) > freshFor) {
    if (waited <= policy.replaceWithin) return { is: "waiting", missing: ["sight"] };
    return { is: "failed", verdict: "blind", saw: "the process cannot be seen" };
  }
  if (!found.found) {
    const comingUp = supervisor.state === "starting" || supervisor.state === "waiting_to_restart";
    const over = waited > (comingUp ? startBudget(e.stall, policy) : policy.replaceWithin);
    if (over || (supervisor.state === "failed" && waited > failedAfter))
      return {
        is: "failed",
        verdict: "not_recovered",
        saw: `no process, supervisor says ${supervisor.state}`,
      };
    return { is: "waiting", missing: ["new_incarnation"] };
  }
  if (sameIncarnation(found.incarnation, expected.before)) {
    if (waited <= policy.replaceWithin) return { is: "waiting", missing: ["old_incarnation_gone"] };
    return { is: "failed", verdict: "not_recovered", saw: `pid ${found.incarnation.pid} was not replaced` };
  }

  const missing = [
    ...(found.listening ? [] : ["listener"]),
    ...(e.stall.class === "alive" && e.stall.startedOnce ? [] : ["started"]),
    ...(!expected.rpc || answersRpc(e, found.incarnation) ? [] : ["rpc"]),
    ...(confirm(expected.cause, e, now, policy).answer === "no" ? [] : ["condition_false"]),
    ...memoryMissing(expected, found.tree.residentBytes, e.limit?.bytes),
  ];
  if (missing.length === 0) return { is: "back", incarnation: found.incarnation };
  if (elapsed(found.incarnation.startedAt, now) <= startBudget(e.stall, policy))
    return { is: "waiting", missing };
  return {
    is: "failed",
    verdict: "not_recovered",
    saw: `start budget used up, missing ${missing.join(", ")}`,
  };
}

/** Whether a gateway that was back still is: `worse` as soon as it serves no more, `not_recovered` when the cause is there again, back after the settle time. */
export function settle(
  expected: Expectation,
  back: { readonly incarnation: Incarnation; readonly at: Instant },
  e: Evidence,
  now: Instant,
  policy: VerdictPolicy,
): Judgement {
  const found = e.process?.reading;
  const unseen = e.process === undefined || elapsed(e.process.at, now) > freshFor;
  if (unseen) {
    // One reading that failed says nothing about the gateway.
    if (elapsed(back.at, now) <= ms(policy.settle + freshFor)) return { is: "waiting", missing: ["sight"] };
    return { is: "failed", verdict: "blind", saw: "the process cannot be seen" };
  }
  if (found?.found !== true || !sameIncarnation(found.incarnation, back.incarnation)) {
    return {
      is: "failed",
      verdict: "worse",
      saw: found?.found === true ? "replaced again" : "the process is gone",
    };
  }
  const silent = confirm("hang", e, now, policy);
  if (silent.answer === "yes") return { is: "failed", verdict: "worse", saw: silent.saw };
  // Growth is not judged while it settles: resumed sessions fill the memory within minutes.
  if (expected.cause !== "memory_leak" && confirm(expected.cause, e, now, policy).answer === "yes") {
    return { is: "failed", verdict: "not_recovered", saw: `${expected.cause} again` };
  }
  if (elapsed(back.at, now) < policy.settle) return { is: "waiting", missing: ["settle_time"] };
  // A silence that has just begun is no recovery: wait until it answers or is a hang.
  if (silent.answer !== "no") return { is: "waiting", missing: ["answer"] };
  return { is: "back", incarnation: back.incarnation };
}

/** An answer of the new life: one that the old one gave proves nothing. */
function answersRpc({ work }: Evidence, one: Incarnation): boolean {
  return work?.reading.known === true && work.at >= one.startedAt;
}

function memoryMissing(
  expected: Expectation,
  bytes: number | undefined,
  limit: number | undefined,
): readonly string[] {
  if (expected.cause !== "memory_leak" && expected.cause !== "memory_exhaustion") return [];
  if (bytes === undefined) return ["memory"];
  const belowGate = limit === undefined || bytes < memoryGate * limit;
  const fell = expected.residentBefore === undefined || bytes <= fallsTo * expected.residentBefore;
  return belowGate && fell ? [] : ["memory"];
}
