// Which promises of a safe restart does this deed break? Asked at the moment of every kill, restart and start.
import type { Cause } from "../../src/core/cause.ts";
import { fold } from "../../src/core/episode.ts";
import type { Entry } from "../../src/core/history.ts";
import { nameOf, type ProcessIdentity, sameIncarnation } from "../../src/core/identity.ts";
import type { Mode } from "../../src/core/mode.ts";
import { elapsed, hours, type Instant, seconds } from "../../src/core/time.ts";
import type { Policy } from "../../src/remedy/world.ts";
import type { Deed, Fault, Gateway } from "./simulated-gateway.ts";

/** A decision may be so old when its deed is done: what was true a moment ago is not called wrong. */
const momentAgo = seconds(5);
/** What is true of a gateway with this fault. */
const shows: Readonly<Record<Fault, Cause | undefined>> = {
  none: undefined,
  unseen: undefined,
  hang: "hang",
  stop: "hang",
  leak: "memory_leak",
  exhaustion: "memory_exhaustion",
  descriptors: "descriptors",
};
const stepsOf = { kill: ["kill_serving", "kill_main"], restart: ["restart"], start: ["start"] } as const;

/** Everything that has to be true at the moment of a deed, whatever led to it; empty when nothing is wrong. */
export function brokenPromises(deed: {
  readonly verb: Deed["verb"];
  readonly target: ProcessIdentity | undefined;
  readonly at: Instant;
  readonly entries: readonly Entry[];
  readonly patient: Gateway;
  readonly mode: Mode;
  readonly openAlerts: number;
  readonly policy: Policy;
}): readonly string[] {
  const { verb, target, at, entries, patient, policy } = deed;
  const last = entries.at(-1);
  const steps: readonly string[] = stepsOf[verb];
  const intent = last?.kind === "intended" ? last : undefined;
  if (intent === undefined || !steps.includes(intent.step)) return ["no intent is written down"];
  if (verb === "start") return [];

  const standing = fold(entries);
  const serving = patient.incarnation();
  const { incarnation } = intent;
  const wrong: string[] = [];
  const broken = (isBroken: boolean, what: string) => {
    if (isBroken) wrong.push(what);
  };
  broken(
    serving !== undefined && !sameIncarnation(serving, incarnation),
    "the intent names another incarnation",
  );
  broken(
    target !== undefined && incarnation !== undefined && nameOf(incarnation) !== nameOf(target),
    "another incarnation is signalled",
  );
  const stops = (standing.episode?.attempt?.steps ?? []).filter(
    (step) => step === "restart" || step === "kill_serving",
  );
  if (stops.length > 1) {
    // The only second stop of an attempt is the end of a drain that overran.
    broken(stops.join() !== "restart,kill_serving", `stops ${stops.join()}`);
    return wrong;
  }
  broken(deed.mode === "observe", "mode is observe");
  broken(standing.gaveUp, "it gave up");
  broken(standing.paused !== undefined && standing.paused.until > at, "a person paused it");
  broken(patient.isStarting(), "the gateway is starting");
  broken(patient.isDraining(), "the gateway is draining");
  const fault = patient.fault() ?? "none";
  const isTrue = shows[fault] === intent.cause;
  broken(!isTrue && patient.faultFor() > momentAgo, `${intent.cause} is not true, its fault is ${fault}`);
  broken(deed.openAlerts === 0, "no alert is open");
  for (const [span, allowed] of [
    [hours(6), policy.budget.perSixHours],
    [hours(24), policy.budget.perDay],
  ] as const) {
    const spent = entries.filter(
      (entry) => entry.kind === "intended" && entry.spends && elapsed(entry.at, at) < span,
    );
    broken(spent.length > allowed, `${spent.length} restarts within ${span / hours(1)} hours`);
  }
  return wrong;
}
