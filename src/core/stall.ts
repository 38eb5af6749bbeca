// Why does the gateway not answer, and for how long has it really been silent? Pure: one look after the other goes in.
// What is visible from outside a hung Node process: an answered TCP connect proves nothing, the listener's accept
// queue grows because nobody calls accept(), and the main thread's state and CPU name the cause.
import { type Incarnation, sameIncarnation } from "./identity.ts";
import type { ProbeReading, ProcessReading } from "./readings.ts";
import { elapsed, type Instant, type Millis, ms } from "./time.ts";

export const stallClasses = [
  "alive",
  "starting",
  "draining",
  "blocked",
  "deadlocked",
  "stopped",
  "no_listener",
  "gone",
  "unreachable",
] as const;
export type StallClass = (typeof stallClasses)[number];

/** A share of one core above which a silent main thread is computing rather than waiting (measured: 0.47-1.0 when blocked). */
const busyCoreShare = 0.2;
/** So many inconclusive probes in a row void a streak: what cannot be seen must not be counted. */
const inconclusiveLimit = 3;

/** A run of unanswered probes of one incarnation. */
export type Silence = {
  readonly since: Instant;
  readonly failedProbes: number;
  /** Whether connections waited in the accept queue at the last and the one before. */
  readonly queued: readonly [boolean, boolean];
};

/** What is known about the gateway's responsiveness after the looks so far. */
export type Stall = {
  /** `undefined` while the guard cannot tell. */
  readonly class: StallClass | undefined;
  readonly incarnation: Incarnation | undefined;
  readonly answeredOnce: boolean;
  readonly startedOnce: boolean;
  readonly lastHeardAt: Instant | undefined;
  readonly silence: Silence | undefined;
  readonly inconclusive: number;
  readonly goneSince: Instant | undefined;
  readonly deafSince: Instant | undefined;
  /** When the start began that is not known to be over: of the process, or of its gateway within the same process. */
  readonly startingSince: Instant | undefined;
  readonly drainingSince: Instant | undefined;
  readonly cpu: { readonly at: Instant; readonly seconds: number } | undefined;
};

type Phase = NonNullable<ProbeReading["phase"]>;

export type StallPolicy = {
  /** A start lasts at most this long; afterwards a missing listener counts as a hang. */
  readonly startBudget: Millis;
  /** A drain lasts at most this long since it was first seen. */
  readonly drainLimit: Millis;
};

export const unseen: Stall = {
  class: undefined,
  incarnation: undefined,
  answeredOnce: false,
  startedOnce: false,
  lastHeardAt: undefined,
  silence: undefined,
  inconclusive: 0,
  goneSince: undefined,
  deafSince: undefined,
  startingSince: undefined,
  drainingSince: undefined,
  cpu: undefined,
};

/** Takes one look into account; `process` or `probe` undefined means that this look could not see it. */
export function observe(
  before: Stall,
  look: {
    readonly at: Instant;
    readonly process: ProcessReading | undefined;
    readonly probe: ProbeReading | undefined;
  },
  policy: StallPolicy,
): Stall {
  const { at, process, probe } = look;
  if (process === undefined) return unknownLook(before);
  if (!process.found) return { ...unseen, class: "gone", goneSince: before.goneSince ?? at };

  const same = sameIncarnation(before.incarnation, process.incarnation);
  const { incarnation } = process;
  const known: Stall = same ? before : { ...unseen, incarnation, startingSince: incarnation.startedAt };
  const cpu = { at, seconds: process.mainThreadCpuSeconds };
  if (probe === undefined) return { ...unknownLook(known), cpu };

  const heard =
    probe.heldAnswered || [probe.healthz, probe.startupz, probe.readyz].some((p) => p?.heard === true);
  if (heard) return answered(known, at, probe, cpu, policy);
  if (probe.healthz.outcome === "inconclusive") return { ...unknownLook(known), cpu };

  const starting = within(known.startingSince, at, policy.startBudget);
  const draining = within(known.drainingSince, at, policy.drainLimit);
  if (!process.listening) {
    const deafSince = known.deafSince ?? at;
    const stall = { ...known, silence: undefined, inconclusive: 0, deafSince, cpu };
    return { ...stall, class: starting ? "starting" : draining ? "draining" : "no_listener" };
  }
  const seen = { ...known, inconclusive: 0, deafSince: undefined, cpu };
  // A start may block the loop for minutes (103 s were reported): that silence is not even counted.
  if (starting) return { ...seen, class: "starting" };

  const queued = (process.acceptQueue ?? 0) > 0;
  const silence: Silence = {
    since: known.silence?.since ?? at,
    failedProbes: (known.silence?.failedProbes ?? 0) + 1,
    queued: [known.silence?.queued[1] ?? false, queued],
  };
  return {
    ...seen,
    class: draining ? "draining" : silentClass(process.state, queued, known.cpu, cpu),
    silence,
  };
}

/** Voids running streaks after a gap in the guard's own clock: the host slept, nobody hung. */
export function afterGap(stall: Stall): Stall {
  return {
    ...stall,
    silence: undefined,
    inconclusive: 0,
    deafSince: undefined,
    goneSince: undefined,
    cpu: undefined,
  };
}

/** How long the silence that counts towards a hang has lasted; 0 when there is none. */
export function silentFor(stall: Stall, now: Instant, policy: StallPolicy): Millis {
  if (!stall.answeredOnce) return ms(0);
  if (stall.class === "no_listener" && stall.deafSince !== undefined) {
    // No listener counts only once the time a start may take is over: an in-process restart closes the port too.
    return ms(Math.max(0, elapsed(stall.deafSince, now) - policy.startBudget));
  }
  if (stall.silence === undefined || !isSilent(stall.class)) return ms(0);
  const [before, last] = stall.silence.queued;
  return before && last ? elapsed(stall.silence.since, now) : ms(0);
}

/** Whether the silence is a hang: long enough, probed often enough, and connections are really waiting. */
export function hangConfirmed(
  stall: Stall,
  now: Instant,
  policy: StallPolicy & { readonly hangConfirm: Millis; readonly hangProbes: number },
): boolean {
  if (silentFor(stall, now, policy) < policy.hangConfirm) return false;
  return stall.class === "no_listener" || (stall.silence?.failedProbes ?? 0) >= policy.hangProbes;
}

/** Whether an unanswered probe of this class adds to a hang. */
function isSilent(stallClass: StallClass | undefined): boolean {
  return stallClass === "blocked" || stallClass === "deadlocked" || stallClass === "stopped";
}

function answered(
  known: Stall,
  at: Instant,
  probe: ProbeReading,
  cpu: NonNullable<Stall["cpu"]>,
  policy: StallPolicy,
): Stall {
  const startBegan = known.startingSince ?? at;
  const drainBegan = known.drainingSince ?? at;
  const phase = probe.phase ?? likelyPhase(known, at, probe, policy);
  const starting = phase === "starting" && within(startBegan, at, policy.startBudget);
  const draining = phase === "draining" && within(drainBegan, at, policy.drainLimit);
  return {
    ...known,
    class: starting ? "starting" : draining ? "draining" : "alive",
    // A foreign program on the port answers too, but not like a gateway.
    answeredOnce:
      known.answeredOnce || [probe.healthz, probe.startupz, probe.readyz].some((p) => p?.outcome === "ok"),
    startedOnce: known.startedOnce || probe.phase === "started",
    lastHeardAt: at,
    silence: undefined,
    inconclusive: 0,
    goneSince: undefined,
    deafSince: undefined,
    startingSince: phase === "starting" ? startBegan : undefined,
    drainingSince: phase === "draining" ? drainBegan : undefined,
    cpu,
  };
}

/** The phase of a gateway that answers without telling it: what it was, until it is ready or the time for it is over. */
function likelyPhase(known: Stall, at: Instant, probe: ProbeReading, policy: StallPolicy): Phase {
  if (known.drainingSince !== undefined) return "draining";
  const starting = within(known.startingSince, at, policy.startBudget) && probe.readyz?.outcome !== "ok";
  return starting ? "starting" : "started";
}

function within(since: Instant | undefined, at: Instant, limit: Millis): boolean {
  return since !== undefined && elapsed(since, at) < limit;
}

/** A look that saw nothing neither adds nor resets, until there were too many of them. */
function unknownLook(stall: Stall): Stall {
  const inconclusive = stall.inconclusive + 1;
  const voided = inconclusive >= inconclusiveLimit;
  const streaks = voided ? { silence: undefined, deafSince: undefined } : {};
  return { ...stall, ...streaks, class: undefined, inconclusive };
}

function silentClass(
  state: string,
  queued: boolean,
  before: Stall["cpu"],
  now: NonNullable<Stall["cpu"]>,
): StallClass {
  if (state === "T" || state === "t") return "stopped";
  if (!queued) return "unreachable";
  const span = before === undefined ? 0 : elapsed(before.at, now.at) / 1000;
  const share = before === undefined || span === 0 ? 0 : (now.seconds - before.seconds) / span;
  return share >= busyCoreShare || (span === 0 && state === "R") ? "blocked" : "deadlocked";
}
