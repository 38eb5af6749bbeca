// What does an ordinary, healthy gateway look like to the core? Builders of readings and evidence; a test states only
// what is different in it.
import type { OpenAlert } from "../../src/core/alert.ts";
import { urgencyOf } from "../../src/core/cause.ts";
import type { Evidence } from "../../src/core/evidence.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import type { Probe, ProbeReading, ProcessReading, SupervisorReading } from "../../src/core/readings.ts";
import { observe, type Stall, unseen } from "../../src/core/stall.ts";
import { hours, type Instant, instant, type Millis, minutes, ms, seconds } from "../../src/core/time.ts";
import { freshTrend } from "../../src/core/trend.ts";
import { noUpdateKnown } from "../../src/core/updating.ts";
import type { Policy } from "../../src/remedy/world.ts";
import type { WatchPolicy } from "../../src/sample/watch.ts";

export const mib = 1024 * 1024;
export const gib = 1024 * mib;

/** Friday noon in UTC, outside of the default window. */
export const noon = instant(Date.UTC(2026, 10, 20, 12));

/** The point `length` before `at`. */
export const before = (at: Instant, length: Millis): Instant => instant(at - length);

/** The product's defaults; a test compares them with what an empty configuration gives. */
export const policy: Policy & WatchPolicy = {
  startBudget: minutes(20),
  startAfter: seconds(10),
  startBackoff: [seconds(10), seconds(30), seconds(90)],
  hangConfirm: seconds(90),
  hangConfirmBusyChild: minutes(10),
  hangProbes: 6,
  lastLook: seconds(5),
  drain: seconds(330),
  drainLimit: seconds(330),
  patienceNow: seconds(60),
  memoryRatio: 0.85,
  descriptorsRatio: 0.8,
  descriptorsHold: seconds(30),
  configuredLimitBytes: undefined,
  trendMinute: minutes(1),
  window: {
    zone: "UTC",
    spans: [
      {
        fromMinute: 22 * 60,
        toMinute: 6 * 60,
        days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
      },
    ],
  },
  staleAfter: minutes(3),
  decideEvery: seconds(30),
  justWoke: minutes(3),
  updateLimit: minutes(30),
  uncleanLimit: 2,
  rejoinWithin: minutes(15),
  settle: minutes(10),
  verifyEvery: seconds(1),
  replaceWithin: minutes(6),
  budget: {
    gap: minutes(30),
    returnWithin: minutes(30),
    cleanGap: minutes(5),
    perSixHours: 3,
    perDay: 4,
  },
};

/** A life that began six hours before `noon`. */
export function incarnation(partial: Partial<Incarnation> = {}): Incarnation {
  const startedAt = before(noon, hours(6));
  return { bootId: "boot-1", pid: 4242, startTicks: 1000, startedAt, ...partial };
}

export type Found = ProcessReading & { found: true };

/** A process that serves, listens and has room. */
export function processReading(partial: Partial<Found> = {}): Found {
  return {
    found: true,
    foundBy: "port",
    incarnation: incarnation(),
    listening: true,
    acceptQueue: 0,
    state: "S",
    mainThreadCpuSeconds: 60,
    cpuSeconds: 90,
    threads: 11,
    openFds: 60,
    maxFds: 1024,
    self: { residentBytes: 700 * mib, swappedBytes: 0, processes: 1, zombies: 0 },
    tree: { residentBytes: 900 * mib, swappedBytes: 0, processes: 3, zombies: 0 },
    children: 2,
    treeCut: false,
    youngBusyChild: undefined,
    cgroup: undefined,
    cgroupLimitBytes: 2 * gib,
    unit: "openclaw-gateway.service",
    ...partial,
  };
}

export const answer: Probe = {
  outcome: "ok",
  duration: ms(12),
  heard: true,
  status: 200,
  failure: undefined,
};

export const silence: Probe = {
  outcome: "failed",
  duration: seconds(2),
  heard: false,
  status: undefined,
  failure: "timeout",
};

/** The fault was on our side: no descriptor left, an aborted reading. */
export const noAnswerOfUse: Probe = { ...silence, outcome: "inconclusive", failure: "network" };

/** A gateway that answers and has started. */
export function probeReading(partial: Partial<ProbeReading> = {}): ProbeReading {
  return {
    healthz: answer,
    startupz: answer,
    readyz: answer,
    phase: "started",
    version: "2026.9.6",
    loopDelayP99: ms(11),
    loopDelayMax: ms(14),
    heldAnswered: false,
    ...partial,
  };
}

/** A gateway that says nothing at all; the slower probes are not asked then. */
export function silentProbe(partial: Partial<ProbeReading> = {}): ProbeReading {
  return probeReading({
    healthz: silence,
    startupz: undefined,
    readyz: undefined,
    phase: undefined,
    version: undefined,
    loopDelayP99: undefined,
    loopDelayMax: undefined,
    ...partial,
  });
}

/** What the stall detector says after one look at a healthy gateway. */
export function aliveStall(at: Instant = noon, process: ProcessReading = processReading()): Stall {
  return observe(unseen, { at, process, probe: probeReading() }, policy);
}

/** Everything well, read at `noon`; work is known and none is in flight. */
export function evidence(partial: Partial<Evidence> = {}): Evidence {
  const at = noon;
  return {
    process: { at, reading: processReading() },
    probe: { at, reading: probeReading() },
    work: { at, reading: { known: true, restartSafe: true, active: {} } },
    host: {
      at,
      reading: {
        memoryTotalBytes: 8 * gib,
        memoryAvailableBytes: 5 * gib,
        swapTotalBytes: 2 * gib,
        swapFreeBytes: 2 * gib,
      },
    },
    stall: aliveStall(),
    trend: { ...freshTrend(minutes(1)), verdict: "steady" },
    limit: { bytes: 2 * gib, source: "cgroup" },
    descriptorsHighSince: undefined,
    version: "2026.9.6",
    wokeAt: undefined,
    updating: noUpdateKnown,
    ...partial,
  };
}

/** A unit that runs and whose stop time is long enough for a drain. */
export function supervisor(partial: Partial<SupervisorReading> = {}): SupervisorReading {
  return {
    reachable: true,
    problem: undefined,
    state: "running",
    stoppedOnPurpose: false,
    mainPid: 4242,
    restarts: 0,
    exitStatus: undefined,
    latched: false,
    stopTimeout: seconds(330),
    killMode: "mixed",
    restartDelay: seconds(5),
    ...partial,
  };
}

/** An open alert with the urgency of its cause, delivered at `noon`. */
export function alert(partial: Partial<OpenAlert> = {}): OpenAlert {
  const cause = partial.cause ?? "hang";
  return {
    fingerprint: "f00d",
    startsAt: before(noon, minutes(1)),
    name: "OpenClawGatewayNotResponding",
    gateway: "main",
    cause,
    urgency: urgencyOf[cause],
    receivedAt: noon,
    lastDeliveredAt: noon,
    deliveries: 1,
    incarnation: incarnation(),
    ...partial,
  };
}
