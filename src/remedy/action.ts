// What can be done to a gateway: one supervisor, spoken to through argv only. An exit code is a claim, never proof.
import type { SupervisorReading } from "../core/readings.ts";
import type { Millis } from "../core/time.ts";

/** One thing that stands between the configured mode and a safe restart, with what to do about it. */
export type Finding = {
  /** One word of a closed set, used as a metric label. */
  readonly reason: FindingReason;
  readonly problem: string;
  readonly fix: string;
};

export const findingReasons = [
  "no_supervisor",
  "supervisor_unreachable",
  "unit_missing",
  "unit_disabled",
  "stop_timeout_short",
  "kill_mode",
  "command_missing",
  "not_permitted",
] as const;
export type FindingReason = (typeof findingReasons)[number];

/** A supervisor and the verbs that a ladder may use on it. */
export type Action = {
  readonly name: "systemd" | "command" | "none";
  /** Only an action that replaces the process can cure memory; an in-process restart keeps the pid and the leak. */
  readonly replaces: "process" | "nothing";
  /** Every precondition of a safe restart that does not hold; empty means that `enforce` is earned. */
  check(signal: AbortSignal): Promise<readonly Finding[]>;
  /** One query by the same path that a start will use; never throws for an unreachable supervisor. */
  inspect(signal: AbortSignal): Promise<SupervisorReading>;
  /** Asks for one graceful restart that the supervisor completes even if the guard dies; returns once accepted. */
  restart(signal: AbortSignal): Promise<void>;
  /** Asks for a start of a gateway that is not running; returns once accepted. */
  start(signal: AbortSignal): Promise<void>;
  /** Clears a start-limit latch (`systemctl reset-failed`), where the supervisor has one. */
  clearFailure(signal: AbortSignal): Promise<void>;
};

/** Runs one program without a shell; rejects with `ExecError` when it exits non-zero, is killed or overruns. */
export type Run = (
  argv: readonly string[],
  options: { readonly deadline: Millis; readonly signal: AbortSignal },
) => Promise<{ readonly stdout: string; readonly stderr: string }>;

/** The reading of a supervisor that gives no answer. */
export const nothingKnown: SupervisorReading = {
  reachable: false,
  problem: undefined,
  state: "unknown",
  stoppedOnPurpose: false,
  mainPid: undefined,
  restarts: undefined,
  exitStatus: undefined,
  latched: false,
  stopTimeout: undefined,
  killMode: undefined,
  restartDelay: undefined,
};
