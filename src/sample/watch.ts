// What do the readings of one gateway add up to? Stall class, memory trend and limit, kept up to date with every reading
// and the same for metrics, decisions and verification.
import type { Evidence, EvidencePolicy } from "../core/evidence.ts";
import { type Incarnation, nameOf, sameIncarnation } from "../core/identity.ts";
import { chooseLimit, type Limit } from "../core/limit.ts";
import type {
  HostReading,
  InstallationReading,
  ProbeReading,
  ProcessReading,
  WorkReading,
} from "../core/readings.ts";
import type { Collector, Seen } from "../core/sample.ts";
import { afterGap, observe, type Stall, unseen } from "../core/stall.ts";
import { elapsed, type Instant, type Millis, seconds } from "../core/time.ts";
import { feed, freshTrend, type Trend } from "../core/trend.ts";
import { noteUpdate, type Updating, withoutLife } from "../core/updating.ts";
import { restore } from "./kept.ts";
import { type Sampling, type Seams, sampling } from "./sampler.ts";

/** A fresh look is content with what was seen of the installation this short a time ago: it lists every process. */
const installationFreshFor = seconds(5);

/** The collectors of one gateway. */
export type GatewayCollectors = {
  readonly process: Collector<ProcessReading>;
  readonly probe: Collector<ProbeReading>;
  readonly work: Collector<WorkReading> | undefined;
  /** Without it nothing is known of updates. */
  readonly installation?: Collector<InstallationReading> | undefined;
  /** Those that no decision rests on: sampled and shown, each at its own cadence. */
  readonly others?: readonly Collector<unknown>[];
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
  /** `phase` as the sampler takes it. */
  readonly run: (signal: AbortSignal, phase?: number) => Promise<void>;
  /** The last incarnation that was taken note of, also by an earlier life of the guard. */
  readonly lastSeen: () => Incarnation | undefined;
  readonly rememberSeen: (incarnation: Incarnation) => void;
  /**
   * Goes on with other collectors of the same kinds and keeps everything it knows, running streaks included; resolves
   * when the old ones are no longer in use.
   */
  readonly adopt: (collectors: GatewayCollectors) => Promise<void>;
  /** What has to survive a restart of the guard: the detector's state, the last incarnation seen, the slowest start. */
  readonly save: () => string;
};

/** Watches one gateway; `saved` is what an earlier life of the guard kept of the same incarnation. */
export function watchGateway(
  collectors: GatewayCollectors,
  host: () => Seen<HostReading> | undefined,
  seams: Seams,
  /** Asked anew with every reading, so that another configuration holds at once. */
  policyNow: () => WatchPolicy,
  saved?: string,
  /** Told once per life, when it has answered and is no longer starting: that is worth saving at once. */
  onFirstAnswer: () => void = () => undefined,
): Watch {
  const restored = restore(saved);
  let stall: Stall = { ...unseen, slowestStart: restored.slowestStart };
  let kept = restored.detector;
  let lastSeen = restored.seen;
  // A gateway that hangs while the guard is started anew will not answer again: what it once did must not be forgotten.
  let answered = restored.answered;
  let trend: Trend = freshTrend(policyNow().trendMinute);
  let limit: Limit | undefined;
  let descriptorsHighSince: Instant | undefined;
  let version: string | undefined;
  /** What a life said its version was, also to an earlier life of the guard: a hung one does not say it again. */
  let told = restored.told;
  let updating: Updating = restored.updating;
  let wokeAt: Instant | undefined;

  const onGap = (at: Instant) => {
    wokeAt = at;
    stall = afterGap(stall);
    descriptorsHighSince = undefined;
  };
  const process = sampling(collectors.process, seams, { read: onProcess, gap: onGap });
  // Whichever of the two comes to itself first: a silence must not be counted over a sleep of the host.
  const probe = sampling(collectors.probe, seams, { read: onProbe, gap: onGap });
  const others = (collectors.others ?? []).map((each) => sampling(each, seams));
  const work = collectors.work === undefined ? undefined : sampling(collectors.work, seams);
  const installation =
    collectors.installation === undefined
      ? undefined
      : sampling(collectors.installation, seams, { read: noteInstallation });

  function noteInstallation(): void {
    const running = process.latest()?.reading.found === true ? version : undefined;
    updating = noteUpdate(updating, seams.now(), installation?.latest()?.reading, running);
  }

  async function readInstallation(signal: AbortSignal): Promise<void> {
    const seen = installation?.latest();
    if (seen !== undefined && elapsed(seen.at, seams.now()) < installationFreshFor) return;
    await installation?.read(signal);
  }

  function onProcess(seen: Seen<ProcessReading> | undefined): void {
    const policy = policyNow();
    if (seen === undefined) {
      stall = observe(stall, { at: seams.now(), process: undefined, probe: undefined }, policy);
      return;
    }
    const { at, reading } = seen;
    if (!reading.found) {
      stall = observe(stall, { at, process: reading, probe: undefined }, policy);
      limit = undefined;
      descriptorsHighSince = undefined;
      updating = withoutLife(updating);
      return;
    }
    if (!sameIncarnation(stall.incarnation, reading.incarnation)) {
      // A new life: nothing that was true of the old one may be read into it.
      probe.collector.renew?.();
      stall = observe(stall, { at, process: reading, probe: undefined }, policy);
      const name = nameOf(reading.incarnation);
      if (answered === name)
        stall = { ...stall, answeredOnce: true, startedOnce: true, startingSince: undefined };
      const known = kept?.incarnation === name ? kept.trend : undefined;
      trend = known ?? freshTrend(policy.trendMinute);
      kept = undefined;
      descriptorsHighSince = undefined;
      version = told?.life === name ? told.version : undefined;
      if (version === undefined) updating = withoutLife(updating);
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
    stall = observe(stall, { at, process: process.latest()?.reading, probe: seen?.reading }, policyNow());
    const name = stall.incarnation === undefined ? undefined : nameOf(stall.incarnation);
    const wasWell = stall.answeredOnce && stall.startingSince === undefined;
    const tells = seen?.reading.version;
    if (name !== undefined && tells !== undefined && (told?.life !== name || told.version !== tells)) {
      told = { life: name, version: tells };
      noteInstallation();
    }
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
      updating,
    };
  }

  return {
    evidence,
    async look(signal) {
      await process.read(signal);
      const installed = readInstallation(signal);
      if (process.latest()?.reading.found === true) {
        await probe.read(signal);
        // A gateway that is silent on HTTP is not asked twice: the RPC would only cost its timeout before every step.
        if (heard(probe.latest()?.reading)) await work?.read(signal);
        // Once more: the accept queue counts only after the probe has been in it.
        await process.read(signal);
      }
      await installed;
      signal.throwIfAborted();
      const seen = evidence();
      return heard(seen.probe?.reading) ? seen : { ...seen, work: undefined };
    },
    samplings: () => [
      process,
      probe,
      ...(work === undefined ? [] : [work]),
      ...(installation === undefined ? [] : [installation]),
      ...others,
    ],
    async run(signal, phase) {
      // Without the process a probe's answer belongs to nobody.
      await process.read(signal);
      await Promise.all(
        [process, probe, work, installation, ...others].map(async (each) => each?.run(signal, phase)),
      );
    },
    lastSeen: () => lastSeen,
    rememberSeen(incarnation) {
      lastSeen = incarnation;
    },
    async adopt(next) {
      await Promise.all([
        process.adopt(next.process),
        probe.adopt(next.probe),
        ...(next.work === undefined ? [] : [work?.adopt(next.work)]),
        ...(next.installation === undefined ? [] : [installation?.adopt(next.installation)]),
        ...others.map((each) => {
          const same = next.others?.find(({ name }) => name === each.collector.name);
          return same === undefined ? undefined : each.adopt(same);
        }),
      ]);
    },
    save() {
      const detector =
        stall.incarnation === undefined ? kept : { incarnation: nameOf(stall.incarnation), trend };
      const { slowestStart } = stall;
      return JSON.stringify({ seen: lastSeen, answered, detector, slowestStart, told, updating });
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
