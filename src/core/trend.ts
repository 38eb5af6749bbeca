// Does the memory floor grow in a way that will not stop by itself? Floors of short buckets, a robust slope over all
// their pairs, and a comparison with yesterday, so that warm-up, saw-tooth, steps and a daily peak stay quiet.
// Numbers: simulation over 16-24 seven-day traces per shape; the young gate of 80 % had no false episode on any shape.
import { after, elapsed, type Instant, type Millis, ms } from "./time.ts";

export const trends = ["warming", "steady", "suspect", "leaking"] as const;
export type TrendVerdict = (typeof trends)[number];

/** One way of looking for growth; lengths in minutes, sizes in bytes. */
type Shape = {
  readonly buckets: number;
  readonly bucketMinutes: number;
  readonly leastBuckets: number;
  readonly skipMinutes: number;
  readonly leastGrowthBytes: number;
  readonly horizonMinutes: number;
  readonly hold: number;
};

const mib = 1024 * 1024;
const slow: Shape = {
  buckets: 24,
  bucketMinutes: 15,
  leastBuckets: 12,
  skipMinutes: 60,
  leastGrowthBytes: 64 * mib,
  horizonMinutes: 24 * 60,
  hold: 3,
};
const fast: Shape = {
  buckets: 6,
  bucketMinutes: 10,
  leastBuckets: 6,
  skipMinutes: 30,
  leastGrowthBytes: 96 * mib,
  horizonMinutes: 4 * 60,
  hold: 2,
};
const evaluateEveryMinutes = 5;
/** Thirty hours: a day to compare with, and the six hours that are compared. */
const keptMinutes = 30 * 60;
const recentMinutes = 6 * 60;
const levelMinutes = 10;
const roomMinutes = 30;
const roomRatio = 0.6;
const youngRatio = 0.8;
const newHigh = 1.03;
const exhaustionHold = 2;

/** The detector's memory of one incarnation, oldest minute first, bounded to thirty hours. */
export type Trend = {
  /** Length of the detector's minute; shorter only in the demo and in tests, where everything is scaled with it. */
  readonly minute: Millis;
  readonly floors: readonly number[];
  readonly minuteStartedAt: Instant | undefined;
  readonly minuteFloor: number | undefined;
  readonly minutesSinceEvaluation: number;
  readonly heldSlow: number;
  readonly heldFast: number;
  readonly heldLevel: number;
  readonly verdict: TrendVerdict;
  /** Whether the floor of ten minutes stayed at or above the critical share of the limit. */
  readonly nearLimit: boolean;
  readonly growthBytesPerSecond: number | undefined;
  readonly exhaustionSeconds: { readonly estimate: number; readonly lower: number } | undefined;
};

/** A detector that knows nothing yet, as after each new incarnation. */
export function freshTrend(minute: Millis): Trend {
  return {
    minute,
    floors: [],
    minuteStartedAt: undefined,
    minuteFloor: undefined,
    minutesSinceEvaluation: 0,
    heldSlow: 0,
    heldFast: 0,
    heldLevel: 0,
    verdict: "warming",
    nearLimit: false,
    growthBytesPerSecond: undefined,
    exhaustionSeconds: undefined,
  };
}

/** What the detector measures the floor against. */
export type Ceiling = { readonly limitBytes: number; readonly criticalRatio: number };

/** Takes one reading of the tree's resident memory; without a ceiling there is no verdict beyond `warming`. */
export function feed(trend: Trend, at: Instant, residentBytes: number, ceiling: Ceiling | undefined): Trend {
  const { minuteStartedAt: began, minuteFloor, minute } = trend;
  // A clock stepped backwards begins a new minute: the open one would not end before the old time is reached again.
  if (began === undefined || minuteFloor === undefined || at < began) {
    return { ...trend, minuteStartedAt: at, minuteFloor: residentBytes };
  }
  const passed = Math.floor(elapsed(began, at) / minute);
  if (passed < 1) return { ...trend, minuteFloor: Math.min(minuteFloor, residentBytes) };
  // A minute without readings means no change: what was not seen is not filled in. The next minute begins where this
  // one ended and not at the reading, or readings that do not divide it would stretch every minute.
  const floors = [...trend.floors, minuteFloor].slice(-keptMinutes);
  const minuteStartedAt = after(began, ms(passed * minute));
  const closed: Trend = { ...trend, floors, minuteStartedAt, minuteFloor: residentBytes };
  const since = trend.minutesSinceEvaluation + 1;
  if (since < evaluateEveryMinutes || ceiling === undefined)
    return { ...closed, minutesSinceEvaluation: since };
  return { ...evaluate(closed, ceiling), minutesSinceEvaluation: 0 };
}

/** Seconds of real time that the detector needs to see before it says anything but `warming`. */
export function warmUp(minute: Millis): Millis {
  return ms(minute * (fast.skipMinutes + fast.leastBuckets * fast.bucketMinutes));
}

function evaluate(trend: Trend, { limitBytes: limit, criticalRatio }: Ceiling): Trend {
  const bySlow = growth(trend.floors, limit, slow);
  const byFast = growth(trend.floors, limit, fast);
  const heldSlow = bySlow?.grows === true ? trend.heldSlow + 1 : 0;
  const heldFast = byFast?.grows === true ? trend.heldFast + 1 : 0;
  const level = floorOf(trend.floors, levelMinutes);
  const heldLevel = level !== undefined && level >= criticalRatio * limit ? trend.heldLevel + 1 : 0;
  const suspect = heldSlow >= slow.hold || heldFast >= fast.hold;
  // Warm-ups of four hours were reported: slow growth proves a leak only when all six hours of it have been seen.
  const proven = heldFast >= fast.hold || (heldSlow >= slow.hold && bySlow?.buckets === slow.buckets);
  const measured = heldFast > 0 ? byFast : (bySlow ?? byFast);
  const verdict: TrendVerdict =
    byFast === undefined
      ? "warming"
      : !suspect
        ? "steady"
        : proven && roomGone(trend.floors, limit)
          ? "leaking"
          : "suspect";
  const perSecond = (bytesPerMinute: number) => bytesPerMinute / (trend.minute / 1000);
  const last = trend.floors.at(-1) ?? 0;
  const left = (slope: number) => Math.max(0, limit - last) / perSecond(slope);
  return {
    ...trend,
    heldSlow,
    heldFast,
    heldLevel,
    verdict,
    nearLimit: heldLevel >= exhaustionHold,
    growthBytesPerSecond: measured === undefined ? undefined : perSecond(measured.typical),
    exhaustionSeconds:
      measured === undefined || measured.low <= 0
        ? undefined
        : { estimate: left(measured.typical), lower: left(measured.high) },
  };
}

type Growth = {
  readonly buckets: number;
  readonly grows: boolean;
  readonly low: number;
  readonly typical: number;
  readonly high: number;
};

/** The slopes between all pairs of floors, in bytes per minute, or nothing before there are enough buckets. */
function growth(floors: readonly number[], limit: number, shape: Shape): Growth | undefined {
  const n = Math.min(shape.buckets, Math.floor((floors.length - shape.skipMinutes) / shape.bucketMinutes));
  if (n < shape.leastBuckets) return undefined;
  const bucket = Array.from(
    { length: n },
    (_, i) => floorOf(floors, shape.bucketMinutes, (n - 1 - i) * shape.bucketMinutes) ?? 0,
  );
  const slopes = Float64Array.from(
    bucket.flatMap((a, i) => bucket.slice(i + 1).map((b, k) => (b - a) / ((k + 1) * shape.bucketMinutes))),
  ).sort();
  const [low, typical, high] = [quantile(slopes, 0.1), quantile(slopes, 0.5), quantile(slopes, 0.9)];
  const last = bucket.at(-1) ?? 0;
  const grows =
    low > 0 &&
    typical * n * shape.bucketMinutes >= Math.max(shape.leastGrowthBytes, 0.05 * limit) &&
    ((limit - last) / typical <= shape.horizonMinutes || last > 0.75 * limit);
  return { buckets: n, grows, low, typical, high };
}

/** Whether the floor is high and higher than at any time yesterday; a young incarnation has no yesterday. */
function roomGone(floors: readonly number[], limit: number): boolean {
  if ((floorOf(floors, levelMinutes) ?? 0) <= roomRatio * limit) return false;
  const now = floorOf(floors, roomMinutes) ?? 0;
  if (floors.length < keptMinutes) return now > youngRatio * limit;
  const yesterday = floors.slice(0, -recentMinutes - 1);
  const before = highestFloor(yesterday, roomMinutes);
  return now > newHigh * before;
}

/** The highest of the floors of all stretches of `length` minutes. */
function highestFloor(floors: readonly number[], length: number): number {
  let highest = 0;
  for (let end = length; end <= floors.length; end++) {
    highest = Math.max(highest, floorOf(floors, length, floors.length - end) ?? 0);
  }
  return highest;
}

/** The lowest of `length` minutes that ended `ago` minutes ago. */
function floorOf(floors: readonly number[], length: number, ago = 0): number | undefined {
  const end = floors.length - ago;
  const part = floors.slice(Math.max(0, end - length), end);
  return part.length < length ? undefined : Math.min(...part);
}

/** Linear interpolation between the two nearest of sorted values. */
function quantile(sorted: Float64Array, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? below;
  return below + (above - below) * (position - Math.floor(position));
}
