// What does a decision look at? Builders of situations: one in which a restart is due, to be changed in what a test is about.
import type { Situation } from "../../src/core/decide.ts";
import type { Evidence } from "../../src/core/evidence.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import type { SupervisorReading, WorkReading } from "../../src/core/readings.ts";
import { observe } from "../../src/core/stall.ts";
import { after, hours, type Instant, minutes, ms, seconds } from "../../src/core/time.ts";
import {
  aliveStall,
  alert,
  evidence,
  incarnation,
  noon,
  policy,
  processReading,
  silentProbe,
  supervisor,
} from "./support.ts";

export type Change = Omit<Partial<Situation>, "evidence" | "supervisor"> & {
  readonly evidence?: Partial<Evidence>;
  readonly supervisor?: Partial<SupervisorReading>;
};

export const before = (length: number): Instant => after(noon, ms(-length));

function situation(base: Evidence, change: Change): Situation {
  return {
    now: noon,
    canRecord: true,
    alerts: [alert()],
    stillActive: undefined,
    unit: "openclaw-gateway.service",
    mode: "enforce",
    pausedUntil: undefined,
    gaveUp: false,
    seenAlive: true,
    ours: false,
    successor: undefined,
    askedAt: before(minutes(1)),
    nextStartAt: undefined,
    budget: { left: 3, coolUntil: noon, freeAt: noon },
    uncleanEnds: 0,
    ...change,
    evidence: { ...base, ...change.evidence },
    supervisor: supervisor(change.supervisor),
  };
}

/** A gateway that has been silent for two minutes with connections waiting. */
export function hung(change: Change = {}, one: Incarnation = incarnation()): Situation {
  const waiting = processReading({ acceptQueue: 2, state: "R", incarnation: one });
  let stall = aliveStall(before(minutes(2) + seconds(5)), processReading({ incarnation: one }));
  for (let ago = minutes(2) as number; ago >= 0; ago -= seconds(5)) {
    stall = observe(stall, { at: before(ago), process: waiting, probe: silentProbe() }, policy);
  }
  const probe = { at: noon, reading: silentProbe() };
  return situation(
    evidence({ process: { at: noon, reading: waiting }, probe, stall, work: undefined }),
    change,
  );
}

/** A gateway of which nothing has been seen for a minute. */
export function down(change: Change = {}): Situation {
  const gone = { found: false } as const;
  const stall = observe(aliveStall(), { at: before(minutes(1)), process: gone, probe: undefined }, policy);
  const about = [alert({ cause: "down", incarnation: undefined })];
  return situation(
    evidence({ process: { at: noon, reading: gone }, probe: undefined, work: undefined, stall }),
    { alerts: about, ...change, supervisor: { state: "failed", mainPid: undefined, ...change.supervisor } },
  );
}

/** A gateway that answers and leaks, at night, with nothing to do. */
export function leaking(change: Change = {}): Situation {
  const now = change.now ?? night;
  const seen = { at: now };
  const base = evidence();
  return situation(
    {
      ...base,
      process: { ...seen, reading: processReading() },
      probe: { ...seen, reading: base.probe?.reading ?? silentProbe() },
      work: { ...seen, reading: idle },
      stall: aliveStall(now),
      trend: { ...base.trend, verdict: "leaking", growthBytesPerSecond: 20_000 },
    },
    {
      now,
      alerts: [alert({ cause: "memory_leak", lastDeliveredAt: now })],
      askedAt: after(now, ms(-600000)),
      budget: { left: 3, coolUntil: now, freeAt: now },
      ...change,
    },
  );
}

/** Eleven in the evening, an hour into the default window. */
export const night = after(noon, hours(11));
export const idle: WorkReading = { known: true, restartSafe: true, active: {} };
export const busy: WorkReading = { known: true, restartSafe: false, active: { agents: 1 } };
