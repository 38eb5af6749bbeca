// Which mode has been earned? The host-wide lock first, then the check of the restart path, again and again, and at once
// when another configuration is taken over.
import { effectiveMode, type EffectiveMode, type Mode } from "./core/mode.ts";
import type { SupervisorReading } from "./core/readings.ts";
import { minutes, type Millis } from "./core/time.ts";
import { claim } from "./platform/lock.ts";
import type { Action, Finding } from "./remedy/action.ts";
import { wake } from "./remedy/loop.ts";
import type { World } from "./remedy/world.ts";
import type { Seams } from "./world.ts";

/** The supervisor's path is checked again this often: a path that is not safe may become so, a safe one may break. */
const checkAgain: Readonly<Record<"earned" | "not_earned", Millis>> = {
  earned: minutes(60),
  not_earned: minutes(1),
};
const checkWithin = minutes(1);

/** Reasons for a weaker mode beside the findings of an action's own check. */
export const modeReasons = ["another_guard", "not_checked"] as const;

/** What is asked for, and what it would be done with. */
export type Wanted = { readonly action: Action; readonly mode: Mode };

export type Earning = {
  readonly mode: () => EffectiveMode;
  readonly findings: () => readonly Finding[];
  /** What systemd said about the unit at the last check; `undefined` before it, and with another supervisor. */
  readonly supervisor: () => SupervisorReading | undefined;
  /** Resolves once the restart path that is in use was checked; also when the guard ends before that. */
  readonly checked: () => Promise<void>;
  /** Another action or another mode is wanted: the mode is earned again, and with another action from nothing. */
  readonly again: (wanted: Wanted) => void;
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Earns the mode of the gateway at `url`; `changed` is told when the effective mode or its reasons are others. */
export function earning(
  first: Wanted,
  url: URL,
  given: { readonly seams: Seams; readonly log: World["log"]; readonly changed: () => void },
): Earning {
  const { seams, log, changed } = given;
  const woken = wake(seams.sleep);
  let wanted = first;
  let findings: readonly Finding[] = [];
  let supervisor: SupervisorReading | undefined;
  let earned: { checked: boolean; reasons: readonly string[] } = { checked: false, reasons: [] };
  let checked = Promise.withResolvers<void>();
  const mode = () => effectiveMode(wanted.mode, earned);

  async function check(locked: boolean, signal: AbortSignal): Promise<void> {
    const { action } = wanted;
    const found = await action
      .check(AbortSignal.any([signal, AbortSignal.timeout(checkWithin)]))
      .catch((error: unknown) => [
        {
          reason: "supervisor_unreachable" as const,
          problem: error instanceof Error ? error.message : "failed",
          fix: "see the log",
        },
      ]);
    // The settings of a unit are read along with its check, not sampled: they change with a person's hand.
    const read =
      action.name === "systemd"
        ? await action
            .inspect(AbortSignal.any([signal, AbortSignal.timeout(checkWithin)]))
            .catch(() => undefined)
        : undefined;
    // What was found about a path that is not in use any more earns nothing.
    if (action !== wanted.action) return;
    findings = found;
    supervisor = read;
    const reasons = [
      ...new Set([...(locked ? [] : ["another_guard"]), ...found.map(({ reason }) => reason)]),
    ];
    const before = mode();
    earned = { checked: true, reasons };
    checked.resolve();
    if (before.mode !== mode().mode || before.reasons.join() !== reasons.join()) {
      log("mode", { ...mode(), configured: wanted.mode, findings });
      changed();
    }
  }

  return {
    mode,
    findings: () => findings,
    supervisor: () => supervisor,
    checked: () => checked.promise,
    again(next) {
      if (next.action !== wanted.action) {
        findings = [];
        supervisor = undefined;
        earned = { checked: false, reasons: [] };
        checked.resolve();
        checked = Promise.withResolvers();
      }
      wanted = next;
      woken.hint();
    },
    async run(signal) {
      await using held = new AsyncDisposableStack();
      held.defer(() => checked.resolve());
      let locked = false;
      while (!signal.aborted) {
        if (!locked) {
          const lock = await claim(lockName(url)).catch((error: unknown) => {
            log("cannot_lock", { problem: error instanceof Error ? error.message : "failed" });
            return undefined;
          });
          locked = lock !== undefined;
          if (lock !== undefined) held.use(lock);
        }
        const { action } = wanted;
        await check(locked, signal);
        if (action !== wanted.action) continue;
        await woken.wait(checkAgain[earned.reasons.length === 0 ? "earned" : "not_earned"], signal);
      }
    },
  };
}

/**
 * The name that one guard of this host holds for a gateway. The port alone: whatever address and state directory it is
 * configured with, only one process of a network namespace can serve it.
 */
function lockName(url: URL): string {
  return `openclaw-guard/port/${url.port === "" ? 80 : url.port}`;
}
