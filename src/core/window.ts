// Is this the time of day at which a planned restart hurts least? Correct across clock changes: the wall clock of the
// zone decides, minute by minute.
import { after, type Instant, instant, minutes } from "./time.ts";

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

/** A daily span of wall-clock time; `from` later than `to` crosses midnight and belongs to the day it begins on. */
export type Span = {
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly days: readonly Weekday[];
};

/** The low-peak windows in one named time zone. No span means that every time is allowed. */
export type Window = { readonly zone: string; readonly spans: readonly Span[] };

/** How far ahead an opening is looked for: every weekday occurs at least once. */
const lookAheadMinutes = 8 * 24 * 60;
/** So many minutes ahead share one look at the zone's rules, unless the clock changes among them. */
const blockMinutes = 6 * 60;
const weekMinutes = 7 * 24 * 60;
/** The epoch was a Thursday, and weeks begin on Monday. */
const epochMinuteOfWeek = 3 * 24 * 60;

/** Whether `at` lies inside a window. */
export function isOpen(window: Window, at: Instant): boolean {
  return window.spans.length === 0 || opens(window.spans, localTime(window.zone, at));
}

/** When the current or next window ends, or nothing when it never does within eight days. */
export function endOfNextWindow(window: Window, at: Instant): Instant | undefined {
  if (window.spans.length === 0) return undefined;
  let inside = false;
  for (const { minute, open } of minutesFrom(window, at)) {
    if (inside && !open) return minute;
    inside = open;
  }
  return undefined;
}

/** When the next window opens, or nothing when none does within eight days; `at` itself when it is open. */
export function nextOpening(window: Window, at: Instant): Instant | undefined {
  if (window.spans.length === 0) return at;
  for (const { minute, open } of minutesFrom(window, at)) {
    if (open) return minute;
  }
  return undefined;
}

/** Whether the window is open at `at` and at every whole minute of the eight days after it. */
function* minutesFrom(window: Window, at: Instant): Generator<{ minute: Instant; open: boolean }> {
  const first = Math.floor(at / minutes(1));
  for (let block = 0; block <= lookAheadMinutes; block += blockMinutes) {
    const from = first + block;
    const ahead = minutesAhead(window.zone, from);
    const steady = ahead === minutesAhead(window.zone, from + blockMinutes);
    for (let n = from; n < from + blockMinutes; n++) {
      const shift = steady ? ahead : minutesAhead(window.zone, n);
      const local = (n + epochMinuteOfWeek + shift) % weekMinutes;
      const open = opens(window.spans, { day: Math.floor(local / 1440), minute: local % 1440 });
      yield { minute: n === first ? at : after(instant(0), minutes(n)), open };
    }
  }
}

/** By how much the wall clock of the zone is ahead of UTC at this minute since the epoch, as a part of a week. */
function minutesAhead(zone: string, minute: number): number {
  const { day, minute: ofDay } = localTime(zone, after(instant(0), minutes(minute)));
  const utc = (minute + epochMinuteOfWeek) % weekMinutes;
  return (day * 1440 + ofDay - utc + weekMinutes) % weekMinutes;
}

type LocalTime = { readonly day: number; readonly minute: number };

function opens(spans: readonly Span[], local: LocalTime): boolean {
  const today = weekdays[local.day] ?? "mon";
  const yesterday = weekdays[(local.day + 6) % 7] ?? "sun";
  return spans.some(({ fromMinute, toMinute, days }) => {
    if (fromMinute < toMinute)
      return days.includes(today) && local.minute >= fromMinute && local.minute < toMinute;
    return (
      (days.includes(today) && local.minute >= fromMinute) ||
      (days.includes(yesterday) && local.minute < toMinute)
    );
  });
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(zone: string, at: Instant): LocalTime {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const day = weekdays.findIndex((name) => name === parts.get("weekday")?.toLowerCase());
  return { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}
