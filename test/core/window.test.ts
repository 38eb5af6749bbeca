import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { after, type Instant, instant, minutes } from "../../src/core/time.ts";
import {
  endOfNextWindow,
  isOpen,
  nextOpening,
  type Span,
  type Weekday,
  weekdays,
  type Window,
} from "../../src/core/window.ts";
import { noon } from "./support.ts";

const at = (iso: string) => instant(Date.parse(iso));
const iso = (when: Instant | undefined) => (when === undefined ? undefined : new Date(when).toISOString());
const span = (from: string, to: string, days: readonly Weekday[] = weekdays): Span => ({
  fromMinute: minuteOf(from),
  toMinute: minuteOf(to),
  days,
});

function minuteOf(clock: string): number {
  const [hour, minute] = clock.split(":").map(Number);
  return (hour ?? 0) * 60 + (minute ?? 0);
}

const berlin = (...spans: readonly Span[]): Window => ({ zone: "Europe/Berlin", spans });
const utc = (...spans: readonly Span[]): Window => ({ zone: "UTC", spans });

for (const { window, when, open, because } of [
  {
    window: utc(span("02:00", "04:00")),
    when: "2026-11-20T02:00:00Z",
    open: true,
    because: "it just begins",
  },
  {
    window: utc(span("02:00", "04:00")),
    when: "2026-11-20T03:59:59Z",
    open: true,
    because: "its last second",
  },
  {
    window: utc(span("02:00", "04:00")),
    when: "2026-11-20T04:00:00Z",
    open: false,
    because: "its end is past",
  },
  {
    window: utc(span("02:00", "04:00")),
    when: "2026-11-20T01:59:59Z",
    open: false,
    because: "it is a second away",
  },
  {
    window: berlin(span("02:00", "04:00")),
    when: "2026-11-20T01:30:00Z",
    open: true,
    because: "the zone counts",
  },
  {
    window: utc(span("22:00", "06:00", ["fri"])),
    when: "2026-11-20T23:00:00Z",
    open: true,
    because: "friday night",
  },
  {
    window: utc(span("22:00", "06:00", ["fri"])),
    when: "2026-11-21T05:00:00Z",
    open: true,
    because: "it began on friday",
  },
  {
    window: utc(span("22:00", "06:00", ["fri"])),
    when: "2026-11-20T05:00:00Z",
    open: false,
    because: "that night is thursday's",
  },
  {
    window: utc(span("22:00", "06:00", ["fri"])),
    when: "2026-11-21T23:00:00Z",
    open: false,
    because: "saturday has none",
  },
  {
    window: utc(span("22:00", "06:00", ["sun"])),
    when: "2026-11-23T05:00:00Z",
    open: true,
    because: "sunday's night ends on monday",
  },
  {
    window: utc(span("22:00", "24:00", ["fri"])),
    when: "2026-11-20T23:59:00Z",
    open: true,
    because: "midnight ends it",
  },
  {
    window: utc(span("22:00", "24:00", ["fri"])),
    when: "2026-11-21T00:00:00Z",
    open: false,
    because: "midnight is over",
  },
  {
    window: utc(span("02:00", "03:00"), span("12:00", "13:00")),
    when: "2026-11-20T12:30:00Z",
    open: true,
    because: "the second span holds",
  },
  {
    window: utc(span("02:00", "03:00"), span("12:00", "13:00")),
    when: "2026-11-20T04:00:00Z",
    open: false,
    because: "neither span holds",
  },
  {
    window: utc(span("02:00", "04:00", [])),
    when: "2026-11-20T03:00:00Z",
    open: false,
    because: "it has no days",
  },
]) {
  test(`a window is ${open ? "open" : "closed"} at ${when} in ${window.zone}: ${because}`, () => {
    assert.equal(isOpen(window, at(when)), open);
  });
}

test("no span at all means that every time is allowed, and no end of it", () => {
  assert.equal(isOpen(utc(), noon), true);
  assert.equal(nextOpening(utc(), noon), noon);
  assert.equal(endOfNextWindow(utc(), noon), undefined);
});

test("a window that never opens has neither an opening nor an end", () => {
  const never = utc(span("02:00", "04:00", []));
  assert.equal(nextOpening(never, noon), undefined);
  assert.equal(endOfNextWindow(never, noon), undefined);
});

test("a window that is always open never ends", () => {
  assert.equal(endOfNextWindow(utc(span("00:00", "24:00")), noon), undefined);
});

test("openings and ends lie on the minute, whatever the second of asking", () => {
  const night = utc(span("22:00", "06:00"));
  const asked = at("2026-11-20T12:00:37.412Z");
  assert.equal(iso(nextOpening(night, asked)), "2026-11-20T22:00:00.000Z");
  assert.equal(iso(endOfNextWindow(night, asked)), "2026-11-21T06:00:00.000Z");
});

test("inside of a window the opening is now and the end is this window's", () => {
  const night = utc(span("22:00", "06:00"));
  const asked = at("2026-11-20T23:15:20Z");
  assert.equal(nextOpening(night, asked), asked);
  assert.equal(iso(endOfNextWindow(night, asked)), "2026-11-21T06:00:00.000Z");
});

test("a window once a week is found from right after its end", () => {
  const sunday = utc(span("02:00", "03:00", ["sun"]));
  const asked = at("2026-11-22T03:00:00Z");
  assert.equal(iso(nextOpening(sunday, asked)), "2026-11-29T02:00:00.000Z");
  assert.equal(iso(endOfNextWindow(sunday, asked)), "2026-11-29T03:00:00.000Z");
});

// Clocks in Berlin go from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October 2026.

test("in the night that loses an hour, a window of it is as much shorter", () => {
  const night = berlin(span("01:00", "04:00"));
  assert.equal(iso(nextOpening(night, at("2026-03-28T12:00:00Z"))), "2026-03-29T00:00:00.000Z");
  assert.equal(iso(endOfNextWindow(night, at("2026-03-28T12:00:00Z"))), "2026-03-29T02:00:00.000Z");
});

test("a window inside of the lost hour does not open that night", () => {
  const lost = berlin(span("02:10", "02:50"));
  assert.equal(iso(nextOpening(lost, at("2026-03-28T12:00:00Z"))), "2026-03-30T00:10:00.000Z");
});

test("in the night that has an hour twice, a window of it is as much longer", () => {
  const night = berlin(span("01:00", "04:00"));
  assert.equal(iso(nextOpening(night, at("2026-10-24T12:00:00Z"))), "2026-10-24T23:00:00.000Z");
  assert.equal(iso(endOfNextWindow(night, at("2026-10-24T12:00:00Z"))), "2026-10-25T03:00:00.000Z");
});

test("a window inside of the doubled hour opens twice, as the wall clock says", () => {
  const doubled = berlin(span("02:10", "02:50"));
  assert.equal(iso(endOfNextWindow(doubled, at("2026-10-25T00:00:00Z"))), "2026-10-25T00:50:00.000Z");
  assert.equal(iso(nextOpening(doubled, at("2026-10-25T00:50:00Z"))), "2026-10-25T01:10:00.000Z");
});

test("a window that crosses midnight keeps its weekday over a change of the clock", () => {
  const night = berlin(span("23:00", "05:00", ["sat"]));
  assert.equal(iso(nextOpening(night, at("2026-03-27T12:00:00Z"))), "2026-03-28T22:00:00.000Z");
  assert.equal(iso(endOfNextWindow(night, at("2026-03-27T12:00:00Z"))), "2026-03-29T03:00:00.000Z");
});

test("the next opening and the next end are what looking at every minute would find", () => {
  const minuteOfDay = fc.integer({ min: 0, max: 1440 });
  fc.assert(
    fc.property(
      fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"),
      fc.array(
        fc
          .record({
            fromMinute: minuteOfDay.map((minute) => minute % 1440),
            toMinute: minuteOfDay,
            days: fc.subarray([...weekdays]),
          })
          .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute),
        { minLength: 1, maxLength: 3 },
      ),
      // Near a change of the clock in one of the zones, or anywhere in a year.
      fc.oneof(
        fc
          .constantFrom("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04")
          .chain((day) =>
            fc.integer({ min: -2 * 86_400, max: 86_400 }).map((shift) => Date.parse(day) + shift * 1000),
          ),
        fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) }),
      ),
      (zone, spans, when) => {
        const window = { zone, spans };
        const asked = instant(when);
        const { opening, end } = byLooking(window, asked, 36 * 60);
        const found = { opening: nextOpening(window, asked), end: endOfNextWindow(window, asked) };
        const known = after(asked, minutes(36 * 60 - 1));
        for (const name of ["opening", "end"] as const) {
          const there = found[name];
          const expected = { opening, end }[name];
          if (expected === undefined) assert.ok(there === undefined || there >= known, `${name} came early`);
          else assert.equal(iso(there), iso(expected), name);
        }
      },
    ),
    { numRuns: 40, seed: 20_261_120 },
  );
});

function byLooking(window: Window, from: Instant, ahead: number) {
  let opening: Instant | undefined;
  let inside = false;
  for (let n = 0; n < ahead; n++) {
    const whole = Math.floor(from / 60_000) * 60_000 + n * 60_000;
    const then = n === 0 ? from : instant(whole);
    const open = isOpen(window, then);
    if (open) opening ??= then;
    if (inside && !open) return { opening, end: then };
    inside = open;
  }
  return { opening, end: undefined };
}
