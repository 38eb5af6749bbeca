// What do the readings of one gateway add up to? Stall class, memory trend and limit, kept up to date with every reading
// and the same for metrics, decisions and verification.
import type { Evidence, EvidencePolicy } from "../core/evidence.ts";
import { type Incarnation, nameOf, sameIncarnation } from "../core/identity.ts";
import { chooseLimit, type Limit } from "../core/limit.ts";
import type { HostReading, ProbeReading, ProcessReading, WorkReading } from "../core/readings.ts";
import type { Collector, Seen } from "../core/sample.ts";
import { afterGap, observe, type Stall, unseen } from "../core/stall.ts";
import type { Instant, Millis } from "../core/time.ts";
import { feed, freshTrend, type Trend } from "../core/trend.ts";
import { type Sampling, type Seams, sampling } from "./sampler.ts";

/** The collectors of one gateway. */
export type GatewayCollectors = {
  readonly process: Collector<ProcessReading>;
  readonly probe: Collector<ProbeReading>;
  readonly work: Collector<WorkReading> | undefined;
};

export type WatchPolicy = EvidencePolicy & {
  readonly configuredLimitBytes: number | undefined;
  readonly trendMinute: Millis;
};

export type Watch = {
  /** What is known now, without looking. */
  readonly evidence: () => Evidence;
  /** A fresh look: every reading that a decision rests on is taken anew. */
  readonly look: (signal: AbortSignal) => Promise<Evidence>;
  readonly samplings: () => readonly Sampling<unknown>[];
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** The last incarnation that was taken note of, also by an earlier life of the guard. */
  readonly lastSeen: () => Incarnation | undefined;
  readonly rememberSeen: (incarnation: Incarnation) => void;
  /** What has to survive a restart of the guard: the detector's state and the last incarnation seen. */
  readonly save: () => string;
};

/** Watches one gateway; `saved` is what an earlier life of the guard kept of the same incarnation. */
export function watchGateway(
  collectors: GatewayCollectors,
  host: () => Seen<HostReading> | undefined,
  seams: Seams,
  policy: WatchPolicy,
  saved?: string,
  /** Told once per life, when it has answered and is no longer starting: that is worth saving at once. */
  onFirstAnswer: () => void = () => undefined,
): Watch {
  let stall: Stall = unseen;
  const restored = restore(saved);
  let kept = restored.detector;
  let lastSeen = restored.seen;
  // A gateway that hangs while the guard is started anew will not answer again: what it once did must not be forgotten.
  let answered = restored.answered;
  let trend: Trend = freshTrend(policy.trendMinute);
  let limit: Limit | undefined;
  let descriptorsHighSince: Instant | undefined;
  let version: string | undefined;
  let wokeAt: Instant | undefined;

  const onGap = (at: Instant) => {
    wokeAt = at;
    stall = afterGap(stall);
    descriptorsHighSince = undefined;
  };
  const process = sampling(collectors.process, seams, { read: onProcess, gap: onGap });
  // Whichever of the two comes to itself first: a silence must not be counted over a sleep of the host.
  const probe = sampling(collectors.probe, seams, { read: onProbe, gap: onGap });
  const work = collectors.work === undefined ? undefined : sampling(collectors.work, seams);

  function onProcess(seen: Seen<ProcessReading> | undefined): void {
    if (seen === undefined) {
      stall = observe(stall, { at: seams.now(), process: undefined, probe: undefined }, policy);
      return;
    }
    const { at, reading } = seen;
    if (!reading.found) {
      stall = observe(stall, { at, process: reading, probe: undefined }, policy);
      limit = undefined;
      descriptorsHighSince = undefined;
      return;
    }
    if (!sameIncarnation(stall.incarnation, reading.incarnation)) {
      // A new life: nothing that was true of the old one may be read into it.
      stall = observe(stall, { at, process: reading, probe: undefined }, policy);
      const name = nameOf(reading.incarnation);
      if (answered === name)
        stall = { ...stall, answeredOnce: true, startedOnce: true, startingSince: undefined };
      const known = kept?.incarnation === name ? kept.trend : undefined;
      trend = known ?? freshTrend(policy.trendMinute);
      kept = undefined;
      descriptorsHighSince = undefined;
      version = undefined;
    }
    limit = limitOf(reading, host()?.reading, policy.configuredLimitBytes);
    const bytes = reading.tree.residentBytes;
    const ceiling =
      limit === undefined ? undefined : { limitBytes: limit.bytes, criticalRatio: policy.memoryRatio };
    if (bytes !== undefined) trend = feed(trend, at, bytes, ceiling);
    const high =
      reading.openFds !== undefined &&
      reading.maxFds !== undefined &&
      reading.openFds >= policy.descriptorsRatio * reading.maxFds;
    descriptorsHighSince = high ? (descriptorsHighSince ?? at) : undefined;
  }

  function onProbe(seen: Seen<ProbeReading> | undefined): void {
    const at = seams.now();
    version = seen?.reading.version ?? version;
    stall = observe(stall, { at, process: process.latest()?.reading, probe: seen?.reading }, policy);
    const name = stall.incarnation === undefined ? undefined : nameOf(stall.incarnation);
    const wasWell = stall.answeredOnce && stall.startingSince === undefined;
    if (name === undefined || !wasWell || answered === name) return;
    answered = name;
    onFirstAnswer();
  }

  function evidence(): Evidence {
    return {
      process: process.latest(),
      probe: probe.latest(),
      work: work?.latest(),
      host: host(),
      stall,
      trend,
      limit,
      descriptorsHighSince,
      version,
      wokeAt,
    };
  }

  return {
    evidence,
    async look(signal) {
      await process.read(signal);
      if (process.latest()?.reading.found === true) {
        await probe.read(signal);
        // A gateway that is silent on HTTP is not asked twice: the RPC would only cost its timeout before every step.
        if (heard(probe.latest()?.reading)) await work?.read(signal);
        // Once more: the accept queue counts only after the probe has been in it.
        await process.read(signal);
      }
      signal.throwIfAborted();
      const seen = evidence();
      return heard(seen.probe?.reading) ? seen : { ...seen, work: undefined };
    },
    samplings: () => [process, probe, ...(work === undefined ? [] : [work])],
    async run(signal) {
      // Without the process a probe's answer belongs to nobody.
      await process.read(signal);
      await Promise.all([process.run(signal), probe.run(signal), work?.run(signal)]);
    },
    lastSeen: () => lastSeen,
    rememberSeen(incarnation) {
      lastSeen = incarnation;
    },
    save() {
      const detector =
        stall.incarnation === undefined ? kept : { incarnation: nameOf(stall.incarnation), trend };
      return JSON.stringify({ seen: lastSeen, answered, detector });
    },
  };
}

/** Whether any byte came on any probe of a round. */
function heard(reading: ProbeReading | undefined): boolean {
  return [reading?.healthz, reading?.startupz, reading?.readyz].some((probe) => probe?.heard === true);
}

function limitOf(
  reading: ProcessReading & { found: true },
  host: HostReading | undefined,
  configured: number | undefined,
): Limit | undefined {
  const tree = reading.tree.residentBytes;
  const canStillGet = host === undefined || tree === undefined ? undefined : tree + host.memoryAvailableBytes;
  return chooseLimit({ cgroup: reading.cgroupLimitBytes, configured, host: canStillGet });
}

type Detector = { readonly incarnation: string; readonly trend: Trend };

/** What an earlier life kept; anything unreadable is worth nothing and is forgotten. */
function restore(saved: string | undefined): {
  readonly seen: Incarnation | undefined;
  readonly answered: string | undefined;
  readonly detector: Detector | undefined;
} {
  const value = parsed(saved);
  const part = (name: string): unknown =>
    typeof value === "object" && value !== null
      ? Object.entries(value).find(([key]) => key === name)?.[1]
      : undefined;
  const seen = part("seen");
  const answered = part("answered");
  const detector = part("detector");
  return {
    seen: isIncarnation(seen) ? seen : undefined,
    answered: typeof answered === "string" ? answered : undefined,
    detector: isDetector(detector) ? detector : undefined,
  };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isIncarnation(value: unknown): value is Incarnation {
  if (typeof value !== "object" || value === null) return false;
  if (!("bootId" in value && "pid" in value && "startTicks" in value && "startedAt" in value)) return false;
  const numbers = [value.pid, value.startTicks, value.startedAt];
  return typeof value.bootId === "string" && numbers.every((n) => typeof n === "number");
}

function isDetector(value: unknown): value is Detector {
  if (typeof value !== "object" || value === null || !("incarnation" in value && "trend" in value))
    return false;
  const { incarnation, trend } = value;
  if (typeof incarnation !== "string" || typeof trend !== "object" || trend === null) return false;
  if (
    !(
      "floors" in trend &&
      "minute" in trend &&
      "heldSlow" in trend &&
      "heldFast" in trend &&
      "verdict" in trend
    )
  )
    return false;
  return Array.isArray(trend.floors) && trend.floors.every((floor) => typeof floor === "number");
}
