// What does the guard see of the simulated gateway? The same detectors as in production, fed with its readings; like them it
// remembers over a restart of the guard only which life has answered.
import type { Evidence } from "../../src/core/evidence.ts";
import { type Incarnation, sameIncarnation } from "../../src/core/identity.ts";
import { afterGap, observe, type Stall, unseen } from "../../src/core/stall.ts";
import { elapsed, type Instant, ms, seconds } from "../../src/core/time.ts";
import { freshTrend } from "../../src/core/trend.ts";
import { noUpdateKnown } from "../../src/core/updating.ts";
import type { Policy } from "../../src/remedy/world.ts";
import { gib } from "../core/support.ts";
import type { Gateway } from "./simulated-gateway.ts";

/** Memory counts as near its limit only after it stayed there. */
const heldAfter = seconds(60);

/** The guard's eyes: `forget` when it dies, `gap` when its clock jumped. */
export function simulatedSight(patient: Gateway, policy: Policy, now: () => Instant) {
  let stall: Stall = unseen;
  let answered: Incarnation | undefined;
  let wokeAt: Instant | undefined;
  let descriptorsHighSince: Instant | undefined;
  let fullSince: Instant | undefined;

  function sample(): void {
    const at = now();
    const process = patient.process();
    const incarnation = process.found ? process.incarnation : undefined;
    if (!sameIncarnation(incarnation, stall.incarnation)) {
      descriptorsHighSince = undefined;
      fullSince = undefined;
    }
    stall = observe(stall, { at, process, probe: undefined }, policy);
    if (sameIncarnation(answered, incarnation)) stall = { ...stall, answeredOnce: true };
    if (process.found) stall = observe(stall, { at, process, probe: patient.probe() }, policy);
    if (stall.answeredOnce) answered = stall.incarnation;
    const fault = patient.fault();
    descriptorsHighSince = fault === "descriptors" ? (descriptorsHighSince ?? at) : undefined;
    fullSince = fault === "exhaustion" ? (fullSince ?? at) : undefined;
  }

  return {
    sample,
    forget(): void {
      stall = unseen;
      wokeAt = undefined;
      descriptorsHighSince = undefined;
      fullSince = undefined;
    },
    gap(): void {
      wokeAt = now();
      stall = afterGap(stall);
    },
    evidence(): Evidence {
      const at = now();
      return {
        process: { at, reading: patient.process() },
        probe: { at, reading: patient.probe() ?? blindProbe },
        work: { at, reading: patient.workReading() },
        host: undefined,
        stall,
        trend: {
          ...freshTrend(seconds(60)),
          verdict: patient.fault() === "leak" ? "leaking" : "steady",
          nearLimit: fullSince !== undefined && elapsed(fullSince, at) >= heldAfter,
        },
        limit: { bytes: 2 * gib, source: "cgroup" },
        descriptorsHighSince,
        version: "2026.9.6",
        wokeAt,
        updating: noUpdateKnown,
      };
    },
  };
}

/** A probe that failed on our side says nothing. */
const blindProbe = {
  healthz: { outcome: "inconclusive", duration: ms(0), heard: false, status: undefined, failure: "network" },
  startupz: undefined,
  readyz: undefined,
  phase: undefined,
  version: undefined,
  loopDelayP99: undefined,
  loopDelayMax: undefined,
  heldAnswered: false,
} as const;
