import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Budget, budgetLeft } from "../../src/core/budget.ts";
import type { Cause } from "../../src/core/cause.ts";
import type { Entry, StepKind } from "../../src/core/history.ts";
import { after, days, hours, type Instant, minutes, ms, seconds } from "../../src/core/time.ts";
import { incarnation, noon, policy } from "./support.ts";

function opened(episode: string, at: Instant, cause: Cause = "hang"): Entry {
  return {
    gateway: "main",
    kind: "opened",
    episode,
    at,
    cause,
    urgency: "now",
    incarnation: incarnation(),
    alerts: [],
    firstSeenAt: undefined,
  };
}

function intended(
  episode: string,
  at: Instant,
  {
    cause = "hang",
    step = "kill_serving",
    spends = true,
  }: { cause?: Cause; step?: StepKind; spends?: boolean } = {},
): Entry {
  return {
    gateway: "main",
    kind: "intended",
    episode,
    at,
    attempt: 1,
    step,
    cause,
    action: "systemd",
    incarnation: incarnation(),
    spends,
    residentBytes: undefined,
  };
}

/** An episode of one restart, asked for at `at` and done at once. */
const restart = (at: Instant, cause: Cause = "hang"): readonly Entry[] => [
  opened(`e${at}`, at, cause),
  intended(`e${at}`, at, { cause }),
];

function replaced(at: Instant, clean: boolean): Entry {
  return {
    kind: "replaced",
    gateway: "main",
    at,
    from: incarnation(),
    to: incarnation({ startTicks: 2 }),
    clean,
  };
}

const later = (length: number) => after(noon, ms(length));

/** What is left for a need that arose just now. */
function left(entries: readonly Entry[], now: Instant, cause: Cause = "descriptors"): Budget {
  return budgetLeft(entries, { cause, at: now }, now, policy.budget);
}

const allowed = (budget: Budget, now: Instant) => budget.left > 0 && budget.coolUntil <= now;

test("a gateway that was never restarted has its whole budget", () => {
  assert.deepEqual(left([], noon), { left: 3, coolUntil: noon, freeAt: noon });
});

test("a restart opens a gap of thirty minutes and spends one", () => {
  const entries = restart(noon);
  assert.equal(left(entries, later(0)).left, 2);
  assert.equal(left(entries, later(minutes(29))).coolUntil, later(minutes(30)));
  assert.equal(allowed(left(entries, later(minutes(29))), later(minutes(29))), false);
  assert.equal(allowed(left(entries, later(minutes(30))), later(minutes(30))), true);
});

test("the fourth restart within six hours waits until the first is six hours old", () => {
  const entries = [0, 60, 120].flatMap((minute) => restart(later(minutes(minute))));
  const now = later(hours(3));
  assert.deepEqual(left(entries, now), { left: 0, coolUntil: now, freeAt: later(hours(6)) });
  assert.equal(left(entries, later(hours(6))).left, 1);
});

test("the fifth restart of a day waits until the first is a day old", () => {
  const entries = [0, 6, 12, 18].flatMap((hour) => restart(later(hours(hour))));
  const now = later(hours(20));
  assert.deepEqual(left(entries, now), { left: 0, coolUntil: now, freeAt: later(days(1)) });
  assert.equal(left(entries, later(days(1))).left, 1);
});

test("starting a gateway that is gone spends nothing and opens no gap", () => {
  const entries = [opened("e", noon, "down"), intended("e", noon, { step: "start", spends: false })];
  assert.deepEqual(left(entries, noon), { left: 3, coolUntil: noon, freeAt: noon });
});

test("the steps of one attempt spend once: the start after a kill is part of it", () => {
  const entries = [
    ...restart(noon),
    intended(`e${noon}`, later(seconds(20)), { step: "start", spends: false }),
  ];
  assert.equal(left(entries, later(hours(1))).left, 2);
});

test("a second stop within an episode needs gap and budget like a new one, and its gap is doubled", () => {
  const now = later(minutes(2));
  const budget = budgetLeft(restart(noon), { cause: "hang", at: noon }, now, policy.budget);
  assert.equal(budget.coolUntil, later(minutes(60)));
});

test("the gap doubles each time the same cause returns within thirty minutes", () => {
  const first = restart(noon);
  const back = later(minutes(20));
  assert.equal(left(first, back, "hang").coolUntil, later(minutes(60)));
  const second = [...first, opened("second", back), intended("second", later(minutes(60)))];
  const again = later(minutes(80));
  assert.equal(left(second, again, "hang").coolUntil, later(minutes(60 + 120)));
});

test("a cause that returns after thirty-one minutes, or another cause, has the plain gap", () => {
  const entries = restart(noon);
  assert.equal(left(entries, later(minutes(31)), "hang").coolUntil, later(minutes(31)));
  assert.equal(left(entries, later(minutes(20)), "descriptors").coolUntil, later(minutes(30)));
});

test("a quick return long ago does not double the gap of a slow one today", () => {
  const entries = [
    ...restart(noon),
    opened("second", later(minutes(20))),
    intended("second", later(minutes(60))),
  ];
  const now = later(minutes(60 + 45));
  assert.equal(left(entries, now, "hang").coolUntil, now);
});

test("doubling ends: a year of returns does not make a gap of a year", () => {
  const entries: Entry[] = [];
  for (let n = 0; n < 40; n++) entries.push(...restart(later(minutes(n))));
  const now = later(minutes(40));
  assert.equal(left(entries, now, "hang").coolUntil, later(minutes(39 + 30 * 64)));
});

test("seven restarts by somebody else's watchdog in a day leave nothing for ours (C03)", () => {
  const entries = [0, 0, 4260, 4320, 40_380, 52_320, 60_600].map((at) => replaced(later(seconds(at)), false));
  const now = later(seconds(61_000));
  assert.equal(left(entries, now).left, 0);
  assert.ok(left(entries, now).freeAt > later(days(1)));
});

test("a clean restart by a person opens five minutes and spends nothing", () => {
  const entries = [replaced(noon, true)];
  assert.deepEqual(left(entries, later(minutes(1))), {
    left: 3,
    coolUntil: later(minutes(5)),
    freeAt: later(minutes(1)),
  });
  assert.equal(allowed(left(entries, later(minutes(5))), later(minutes(5))), true);
});

test("without a need only the plain gap is told", () => {
  const now = later(minutes(10));
  assert.equal(budgetLeft(restart(noon), undefined, now, policy.budget).coolUntil, later(minutes(30)));
});

test("a clock stepped back by a day neither frees a restart nor waits for the old time", () => {
  const entries = restart(later(days(1)));
  const budget = left(entries, noon);
  assert.deepEqual(budget, { left: 2, coolUntil: later(minutes(30)), freeAt: noon });
  const three = [0, 1, 2].flatMap((n) => restart(later(days(1) + hours(n))));
  assert.equal(left(three, noon).freeAt, later(hours(6)));
});

test("after a clock was stepped back, the order of the journal does not matter", () => {
  const entries = [...restart(later(hours(5))), ...restart(later(hours(1))), ...restart(later(hours(3)))];
  assert.equal(left(entries, later(hours(5.5))).freeAt, later(hours(7)));
});

test("an intent whose opening was pruned counts from itself", () => {
  const entries = [intended("pruned", noon)];
  assert.equal(left(entries, later(minutes(10)), "hang").coolUntil, later(minutes(60)));
});

test("launchd restarts in clusters never leave room for a third of ours inside six hours (C01)", () => {
  const clusters = [0, 370, 708, 25_523, 26_761, 27_337, 27_641, 61_253].map((at) => later(seconds(at)));
  const entries: Entry[] = [];
  for (const at of clusters) {
    entries.push(replaced(at, false));
    const now = after(at, minutes(31));
    const recent = entries.filter((entry) => now - entry.at < hours(6)).length;
    assert.equal(
      allowed(left(entries, now), now),
      recent < 3 && withinDay(entries, now) < 4,
      `${at - noon} ms`,
    );
  }
});

function withinDay(entries: readonly Entry[], now: Instant): number {
  return entries.filter((entry) => now - entry.at < days(1)).length;
}

test("whoever asks however often: never two in half an hour, four in six hours or five in a day", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          wait: fc.oneof(fc.integer({ min: 1, max: 600_000 }), fc.integer({ min: 1, max: hours(8) })),
          cause: fc.constantFrom<Cause>("hang", "memory_exhaustion", "descriptors"),
          foreign: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
        }),
        { minLength: 50, maxLength: 400 },
      ),
      (asks) => {
        let now = noon;
        const entries: Entry[] = [];
        const ours: Instant[] = [];
        for (const { wait, cause, foreign } of asks) {
          now = after(now, ms(wait));
          if (foreign) entries.push(replaced(now, false));
          else if (allowed(left(entries, now, cause), now)) {
            entries.push(...restart(now, cause));
            ours.push(now);
          }
        }
        assert.ok(ours.length > 0);
        for (const [n, at] of ours.entries()) {
          const spentAt = (length: number) => ours.slice(0, n).filter((one) => at - one < length).length;
          assert.equal(spentAt(minutes(30)), 0);
          assert.ok(spentAt(hours(6)) < 3);
          assert.ok(spentAt(hours(24)) < 4);
        }
      },
    ),
    { numRuns: 60, seed: 20_261_120 },
  );
});
