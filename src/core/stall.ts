// Why does the gateway not answer, and for how long has it really been silent? Pure: one look after the other goes in.
// What is visible from outside a hung Node process: an answered TCP connect proves nothing, the listener's accept
// queue grows because nobody calls accept(), and the main thread's state and CPU name the cause.
import { type Incarnation, sameIncarnation } from "./identity.ts";
import type { ProbeReading, ProcessReading } from "./readings.ts";
import { after, elapsed, hours, type Instant, type Millis, ms, seconds } from "./time.ts";

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
/** The kernel gives its boot time in whole seconds: a process may seem to have started that much too early. */
const startSlack = seconds(2);
/** A start may take twice as long as the slowest that was seen. */
const slowStarts = 2;
/** Up to 30 min were reported; a phase that ends after more than this was stuck and says nothing about starts. */
const longestStart = hours(1);

/** A run of unanswered probes of one incarnation. */
export type Silence = {
  readonly since: Instant;
  readonly failedProbes: number;
  /** Whether connections waited in the accept queue at the last and the one before. */
  readonly queued: readonly [boolean, boolean];
  /** Whether a busy child younger than the silence was seen at the last and the one before: one of many may just have ended. */
  readonly waitsForChild: readonly [boolean, boolean];
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
  /** Whether that start was seen going on; `void` when a sleep of the host lies in it, which says nothing about its length. */
  readonly startSeen: "not_yet" | "seen" | "void";
  /** The longest start of this gateway that was seen from its beginning to its end, of whatever incarnation. */
  readonly slowestStart: Millis | undefined;
  readonly drainingSince: Instant | undefined;
  readonly cpu: { readonly at: Instant; readonly seconds: number } | undefined;
};

type Phase = NonNullable<ProbeReading["phase"]>;

export type StallPolicy = {
  /** A start lasts at most this long, or twice the slowest that was seen; afterwards a missing listener counts as a hang. */
  readonly startBudget: Millis;
  /** A drain lasts at most this long since it was first seen. */
  readonly drainLimit: Millis;
};

export type HangPolicy = StallPolicy & {
  readonly hangConfirm: Millis;
  /** Instead of it while the main thread waits for a child that works: a synchronous command is slow, not hung. */
  readonly hangConfirmBusyChild: Millis;
  readonly hangProbes: number;
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
  startSeen: "not_yet",
  slowestStart: undefined,
  drainingSince: undefined,
  cpu: undefined,
};

/** How long a start may take: the policy's time, raised to twice the slowest start that was seen. */
export function startBudget({ slowestStart }: Pick<Stall, "slowestStart">, policy: StallPolicy): Millis {
  return ms(Math.max(policy.startBudget, slowStarts * (slowestStart ?? 0)));
}

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
  const { slowestStart } = before;
  if (!process.found) return { ...unseen, slowestStart, class: "gone", goneSince: before.goneSince ?? at };

  const same = sameIncarnation(before.incarnation, process.incarnation);
  const { incarnation } = process;
  const known: Stall = same
    ? before
    : { ...unseen, slowestStart, incarnation, startingSince: incarnation.startedAt };
  const spent = process.mainThreadCpuSeconds;
  const cpu = spent === undefined ? undefined : { at, seconds: spent };
  if (probe === undefined) return { ...unknownLook(known), cpu };

  const heard =
    probe.heldAnswered || [probe.healthz, probe.startupz, probe.readyz].some((p) => p?.heard === true);
  if (heard) return answered(known, at, probe, cpu, policy);
  if (probe.healthz.outcome === "inconclusive") return { ...unknownLook(known), cpu };

  const starting = within(known.startingSince, at, startBudget(known, policy));
  const draining = within(known.drainingSince, at, policy.drainLimit);
  if (!process.listening) {
    const deafSince = known.deafSince ?? at;
    // A closed port is a start that goes on; mere silence may be a gateway that started long ago and is slow just now.
    const startSeen = starting ? seenStarting(known) : known.startSeen;
    const stall = { ...known, startSeen, silence: undefined, inconclusive: 0, deafSince, cpu };
    return { ...stall, class: starting ? "starting" : draining ? "draining" : "no_listener" };
  }
  const seen = { ...known, inconclusive: 0, deafSince: undefined, cpu };
  // A start may block the loop for minutes (103 s were reported): that silence is not even counted.
  if (starting) return { ...seen, class: "starting" };

  const queued = (process.acceptQueue ?? 0) > 0;
  const silentAs = silentClass(process.state, queued, known.cpu, cpu);
  const waits = silentAs === "deadlocked" && hasYoungBusyChild(process, known.lastHeardAt);
  const silence: Silence = {
    since: known.silence?.since ?? at,
    failedProbes: (known.silence?.failedProbes ?? 0) + 1,
    queued: [known.silence?.queued[1] ?? false, queued],
    waitsForChild: [known.silence?.waitsForChild[1] ?? false, waits],
  };
  return { ...seen, class: draining ? "draining" : silentAs, silence };
}

/** Voids running streaks after a gap in the guard's own clock: the host slept, nobody hung. */
export function afterGap(stall: Stall): Stall {
  return {
    ...stall,
    silence: undefined,
    inconclusive: 0,
    deafSince: undefined,
    goneSince: undefined,
    startSeen: stall.startingSince === undefined ? stall.startSeen : "void",
    cpu: undefined,
  };
}

/** How long the silence that counts towards a hang has lasted; 0 when there is none. */
export function silentFor(stall: Stall, now: Instant, policy: StallPolicy): Millis {
  if (!stall.answeredOnce) return ms(0);
  if (stall.class === "no_listener" && stall.deafSince !== undefined) {
    // No listener counts only once the time a start may take is over: an in-process restart closes the port too.
    return ms(Math.max(0, elapsed(stall.deafSince, now) - startBudget(stall, policy)));
  }
  if (stall.silence === undefined || !isSilent(stall.class)) return ms(0);
  const [before, last] = stall.silence.queued;
  return before && last ? elapsed(stall.silence.since, now) : ms(0);
}

/** How long the silence must last to be a hang: longer while the main thread waits for a child that works. */
export function confirmAfter(stall: Stall, policy: HangPolicy): Millis {
  const waits = stall.silence?.waitsForChild.includes(true) === true;
  return ms(waits ? Math.max(policy.hangConfirm, policy.hangConfirmBusyChild) : policy.hangConfirm);
}

/** Whether the silence is a hang: long enough, probed often enough, and connections are really waiting. */
export function hangConfirmed(stall: Stall, now: Instant, policy: HangPolicy): boolean {
  if (silentFor(stall, now, policy) < confirmAfter(stall, policy)) return false;
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
  cpu: Stall["cpu"],
  policy: StallPolicy,
): Stall {
  const startBegan = known.startingSince ?? at;
  const drainBegan = known.drainingSince ?? at;
  const phase = probe.phase ?? likelyPhase(known, at, probe, policy);
  const starting = phase === "starting" && within(startBegan, at, startBudget(known, policy));
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
    startSeen:
      probe.phase === "starting" ? seenStarting(known) : phase === "starting" ? known.startSeen : "not_yet",
    slowestStart: probe.phase === "started" ? slowest(known, at) : known.slowestStart,
    drainingSince: phase === "draining" ? drainBegan : undefined,
    cpu,
  };
}

/** The phase of a gateway that answers without telling it: what it was, until it is ready or the time for it is over. */
function likelyPhase(known: Stall, at: Instant, probe: ProbeReading, policy: StallPolicy): Phase {
  if (known.drainingSince !== undefined) return "draining";
  const early = within(known.startingSince, at, startBudget(known, policy));
  const starting = early && probe.readyz?.outcome !== "ok";
  return starting ? "starting" : "started";
}

/** A start that a guard saw going on was not over before it looked. */
function seenStarting({ startSeen }: Stall): Stall["startSeen"] {
  return startSeen === "void" ? "void" : "seen";
}

/** The slowest start after one has ended; one that was never seen going on may have ended long ago. */
function slowest({ startSeen, startingSince, slowestStart }: Stall, at: Instant): Millis | undefined {
  if (startSeen !== "seen" || startingSince === undefined) return slowestStart;
  const took = elapsed(startingSince, at);
  return took > longestStart ? slowestStart : ms(Math.max(slowestStart ?? 0, took));
}

/** Whether a child works that is younger than the stall; when it is not known how old that is, it may be. */
function hasYoungBusyChild(process: ProcessReading, lastHeardAt: Instant | undefined): boolean {
  const child = process.found ? process.youngBusyChild : undefined;
  if (child === undefined) return false;
  return lastHeardAt === undefined || after(child.startedAt, startSlack) >= lastHeardAt;
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
  state: string | undefined,
  queued: boolean,
  before: Stall["cpu"],
  now: Stall["cpu"],
): StallClass {
  if (state === "T" || state === "t") return "stopped";
  if (!queued) return "unreachable";
  const known = before !== undefined && now !== undefined;
  const span = known ? elapsed(before.at, now.at) / 1000 : 0;
  const share = known && span !== 0 ? (now.seconds - before.seconds) / span : 0;
  return share >= busyCoreShare || (span === 0 && state === "R") ? "blocked" : "deadlocked";
}
