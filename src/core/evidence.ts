// What does the guard itself see at the moment of deciding, and does it confirm the cause that an alert names?
import type { Cause } from "./cause.ts";
import type { Limit } from "./limit.ts";
import type { HostReading, ProbeReading, ProcessReading, WorkReading } from "./readings.ts";
import type { Seen } from "./sample.ts";
import { confirmAfter, type HangPolicy, hangConfirmed, type Stall, silentFor } from "./stall.ts";
import { after, elapsed, type Instant, type Millis, ms, seconds } from "./time.ts";
import type { Trend } from "./trend.ts";
import type { Updating } from "./updating.ts";

/** Readings and what follows from them; `undefined` where nothing has been read. */
export type Evidence = {
  readonly process: Seen<ProcessReading> | undefined;
  readonly probe: Seen<ProbeReading> | undefined;
  readonly work: Seen<WorkReading> | undefined;
  readonly host: Seen<HostReading> | undefined;
  readonly stall: Stall;
  readonly trend: Trend;
  readonly limit: Limit | undefined;
  /** When the open descriptors last rose above their limit and stayed there. */
  readonly descriptorsHighSince: Instant | undefined;
  /** The gateway's version as this incarnation last told it. */
  readonly version: string | undefined;
  /** The last gap in the guard's own clock: host sleep, a frozen guard. */
  readonly wokeAt: Instant | undefined;
  /** The signs of an update, each since when it has been seen. */
  readonly updating: Updating;
};

export type EvidencePolicy = HangPolicy & {
  /** A gateway that is gone is started this long after it was first missed, so that its own supervisor comes first. */
  readonly startAfter: Millis;
  readonly memoryRatio: number;
  readonly descriptorsRatio: number;
  readonly descriptorsHold: Millis;
};

/** Older evidence vetoes: it may describe another time. */
export const freshFor = seconds(90);

export type Answer = "yes" | "no" | "not_yet" | "blind";
export type Confirmation = {
  readonly answer: Answer;
  /** The values that led to it, for the record. */
  readonly saw: string;
  /** For `not_yet`: when it is worth looking again. */
  readonly until?: Instant;
};

/** Whether the guard's own evidence shows `cause` to be true now. */
export function confirm(cause: Cause, e: Evidence, now: Instant, policy: EvidencePolicy): Confirmation {
  if (e.process === undefined || elapsed(e.process.at, now) > freshFor) {
    return { answer: "blind", saw: "no fresh reading of the process" };
  }
  switch (cause) {
    case "down":
      return confirmDown(e.process.reading, e.stall, now, policy);
    case "hang":
      return confirmHang(e, now, policy);
    case "memory_leak":
      return confirmLeak(e);
    case "memory_exhaustion":
      return confirmExhaustion(e, policy);
    case "descriptors":
      return confirmDescriptors(e, now, policy);
    case "processes":
    case "models_local":
    case "rejuvenation":
      return { answer: "blind", saw: `the guard collects no evidence of ${cause}` };
  }
}

function confirmDown(
  process: ProcessReading,
  stall: Stall,
  now: Instant,
  policy: EvidencePolicy,
): Confirmation {
  if (process.found) return { answer: "no", saw: `pid ${process.incarnation.pid} serves or starts` };
  // A gap in the guard's clock, or a look that failed, has voided the streak: nobody has come back because of that.
  if (stall.goneSince === undefined) return { answer: "not_yet", saw: "no process, for an unknown time" };
  const gone = elapsed(stall.goneSince, now);
  const saw = `no process for ${gone} ms`;
  if (gone >= policy.startAfter) return { answer: "yes", saw };
  return { answer: "not_yet", saw, until: after(stall.goneSince, policy.startAfter) };
}

function confirmHang(
  { stall, probe, process }: Evidence,
  now: Instant,
  policy: EvidencePolicy,
): Confirmation {
  if (process?.reading.found === false) return { answer: "no", saw: "no process" };
  if (stall.class === undefined) return { answer: "blind", saw: "the last look saw no probe" };
  if (probe === undefined || elapsed(probe.at, now) > freshFor) {
    return { answer: "blind", saw: "no fresh reading of the probes" };
  }
  const silent = silentFor(stall, now, policy);
  const needed = confirmAfter(stall, policy);
  const why =
    needed > policy.hangConfirm ? `, ${needed} ms count: the main thread waits for a child that works` : "";
  const failed = `${stall.silence?.failedProbes ?? 0} probes failed`;
  const saw = `${stall.class}, silent for ${silent} ms, ${failed}${why}`;
  if (hangConfirmed(stall, now, policy)) return { answer: "yes", saw };
  if (stall.silence === undefined && stall.deafSince === undefined) return { answer: "no", saw };
  return { answer: "not_yet", saw, until: after(now, ms(Math.max(1000, needed - silent))) };
}

function confirmLeak({ process, trend }: Evidence): Confirmation {
  const found = process?.reading;
  if (found?.found !== true) return { answer: "no", saw: "no process" };
  // The verdict outlives the readings that it was made of.
  if (found.tree.residentBytes === undefined) return { answer: "blind", saw: "memory is unknown" };
  const saw = `trend ${trend.verdict}, ${Math.round((trend.growthBytesPerSecond ?? 0) * 3600)} bytes per hour`;
  if (trend.verdict === "leaking") return { answer: "yes", saw };
  return { answer: trend.verdict === "suspect" ? "not_yet" : "no", saw };
}

function confirmExhaustion({ process, limit, trend }: Evidence, policy: EvidencePolicy): Confirmation {
  const found = process?.reading;
  if (found?.found !== true) return { answer: "no", saw: "no process" };
  const bytes = found.tree.residentBytes;
  if (bytes === undefined || limit === undefined)
    return { answer: "blind", saw: "memory or its limit is unknown" };
  const saw = `${bytes} of ${limit.bytes} bytes (${limit.source}), trend ${trend.verdict}, ${trend.nearLimit ? "held" : "not held"}`;
  if (bytes < policy.memoryRatio * limit.bytes) return { answer: "no", saw };
  // When only the host is short, somebody else may have taken the memory: then this gateway's own growth must show.
  const ownDoing = limit.source !== "host" || trend.verdict === "suspect" || trend.verdict === "leaking";
  return { answer: trend.nearLimit && ownDoing ? "yes" : "not_yet", saw };
}

function confirmDescriptors(e: Evidence, now: Instant, policy: EvidencePolicy): Confirmation {
  const found = e.process?.reading;
  if (found?.found !== true) return { answer: "no", saw: "no process" };
  if (found.openFds === undefined || found.maxFds === undefined) {
    return { answer: "blind", saw: "descriptors cannot be read" };
  }
  const saw = `${found.openFds} of ${found.maxFds} descriptors`;
  if (found.openFds < policy.descriptorsRatio * found.maxFds) return { answer: "no", saw };
  const since = e.descriptorsHighSince ?? now;
  if (elapsed(since, now) >= policy.descriptorsHold) return { answer: "yes", saw };
  return { answer: "not_yet", saw, until: after(since, policy.descriptorsHold) };
}
