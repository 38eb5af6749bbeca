// Who looks, and how often? One loop per collector at its own cadence: readings of one kind never overlap, each has a
// deadline, and a gap in our own clock is noticed instead of being read as somebody else's silence.
import type { Collector, Seen } from "../core/sample.ts";
import { after, elapsed, type Instant, type Millis, ms, seconds } from "../core/time.ts";

/** A pause of the guard itself beyond its cadence that is longer than this voids running streaks: the host slept. */
const gapAbove = seconds(15);
/** A reading older than so many cadences is unknown again. */
const staleCadences = 3;

export type Seams = {
  readonly now: () => Instant;
  readonly sleep: (length: Millis, signal: AbortSignal) => Promise<void>;
};

/** How the last reading of a collector went. */
export type Track = {
  readonly collector: string;
  readonly success: boolean | undefined;
  readonly duration: Millis | undefined;
  readonly lastSuccessAt: Instant | undefined;
  /** Why the last reading failed, for the log and the status page. */
  readonly problem: string | undefined;
};

export type Sampling<Reading> = {
  readonly collector: Collector<Reading>;
  /** The last reading while it is younger than three cadences; afterwards it is unknown. */
  readonly latest: () => Seen<Reading> | undefined;
  readonly track: () => Track;
  /** Takes a reading now, or joins the one that is under way; a failure is kept in the track, never thrown. */
  readonly read: (signal: AbortSignal) => Promise<void>;
  /**
   * Reads at the collector's cadence until the signal ends it. The second reading comes after `phase`, a share of the
   * cadence: with one for each, many loops that begin together do not stay together.
   */
  readonly run: (signal: AbortSignal, phase?: number) => Promise<void>;
  /** Reads with another collector of the same name from now on; resolves when the old one is no longer in use. */
  adopt(collector: Collector<Reading>): Promise<void>;
};

/** Drives one collector; `read` hears of every reading, `gap` of pauses in the guard's own clock. */
export function sampling<Reading>(
  first: Collector<Reading>,
  seams: Seams,
  on: {
    readonly read?: (seen: Seen<Reading> | undefined) => void;
    readonly gap?: (at: Instant) => void;
  } = {},
): Sampling<Reading> {
  let collector = first;
  let last: Seen<Reading> | undefined;
  let track: Track = {
    collector: collector.name,
    success: undefined,
    duration: undefined,
    lastSuccessAt: undefined,
    problem: undefined,
  };
  let underWay: Promise<void> | undefined;
  let awakeAt: Instant | undefined;
  const longestPause = () => ms(Math.max(collector.every, collector.deadline) + gapAbove);

  /** Called wherever the loop comes to itself, before anything is made of what was read meanwhile. */
  function noticeGap(): void {
    const at = seams.now();
    if (awakeAt !== undefined && elapsed(awakeAt, at) > longestPause()) on.gap?.(at);
    awakeAt = at;
  }

  async function readOnce(signal: AbortSignal): Promise<void> {
    noticeGap();
    const from = seams.now();
    const stop = AbortSignal.any([signal, AbortSignal.timeout(collector.deadline)]);
    try {
      const reading = await within(stop, collector.read(stop));
      noticeGap();
      const at = seams.now();
      last = { at, reading };
      track = { ...track, success: true, duration: elapsed(from, at), lastSuccessAt: at, problem: undefined };
      on.read?.(last);
    } catch (error) {
      if (signal.aborted) return;
      noticeGap();
      const problem = error instanceof Error ? error.message : "failed";
      track = { ...track, success: false, duration: elapsed(from, seams.now()), problem };
      last = undefined;
      on.read?.(undefined);
    }
  }

  function read(signal: AbortSignal): Promise<void> {
    underWay ??= readOnce(signal).finally(() => {
      underWay = undefined;
    });
    return underWay;
  }

  return {
    get collector() {
      return collector;
    },
    latest: () =>
      last !== undefined && elapsed(last.at, seams.now()) <= staleCadences * collector.every
        ? last
        : undefined,
    track: () => track,
    read,
    async run(signal, phase = 1) {
      let due = seams.now();
      let share = phase;
      while (!signal.aborted) {
        await read(signal);
        due = after(due, ms(collector.every * share));
        share = 1;
        const at = seams.now();
        // Late by more than a cadence: skip what was missed instead of catching up in a burst.
        if (due <= at) due = at;
        // A clock that was set back by an hour must not keep the loop asleep for an hour.
        if (due > after(at, collector.every)) due = after(at, collector.every);
        await seams.sleep(elapsed(at, due), signal).catch(() => undefined);
      }
    },
    async adopt(next) {
      collector = next;
      await underWay;
    },
  };
}

/** The reading, unless the signal comes first: a collector that does not listen to it must not hold up the loop. */
function within<T>(signal: AbortSignal, reading: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  return Promise.race([reading, promise]).finally(() => signal.removeEventListener("abort", stop));
}
