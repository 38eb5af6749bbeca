import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterGap, hangConfirmed, observe, type Stall, unseen } from "../../src/core/stall.ts";
import { after, hours, type Instant, ms, seconds } from "../../src/core/time.ts";
import {
  answer,
  incarnation,
  noAnswerOfUse,
  noon,
  policy,
  probeReading,
  processReading,
  silence,
  silentProbe,
} from "./support.ts";
import { timeline } from "./timeline.ts";

// The streak.

test("ninety seconds without a byte while connections wait are a hang, eighty-five are not", () => {
  const story = timeline();
  story.answers();
  story.silent(90_000);
  assert.deepEqual([story.silentFor, story.hung], [85_000, false]);
  story.silent(5_000);
  assert.deepEqual([story.silentFor, story.hung], [90_000, true]);
});

test("two delayed heartbeats of 35 s and 66 s, with an answer between them, are no hang (H02)", () => {
  const story = timeline();
  story.answers();
  for (const length of [35_000, 66_000]) {
    story.silent(length);
    assert.equal(story.hung, false);
    story.answers();
    assert.equal(story.silentFor, 0);
  }
});

test("five failed probes do not make a hang, however far apart they are", () => {
  let stall = observe(unseen, { at: noon, process: processReading(), probe: probeReading() }, policy);
  let at = noon;
  for (let n = 1; n <= 6; n++) {
    at = after(at, seconds(60));
    stall = observe(stall, { at, process: processReading({ acceptQueue: 1 }), probe: silentProbe() }, policy);
    assert.equal(hangConfirmed(stall, at, policy), n === 6, `${n} probes`);
  }
});

test("the last two looks must both have seen connections waiting", () => {
  const story = timeline();
  story.answers();
  story.silent(120_000);
  assert.equal(story.hung, true);
  story.silent(5_000, { acceptQueue: 0 });
  assert.deepEqual([story.class, story.hung], ["unreachable", false]);
  story.silent(5_000);
  assert.deepEqual([story.class, story.hung], ["deadlocked", false]);
  story.silent(5_000);
  assert.equal(story.hung, true);
});

test("a timeout with an empty queue is our own network, for as long as it lasts", () => {
  const story = timeline();
  story.answers();
  story.silent(hours(1), { acceptQueue: 0 });
  assert.deepEqual([story.class, story.silentFor, story.hung], ["unreachable", 0, false]);
});

test("blocked, deadlocked and stopped are one silence", () => {
  const story = timeline();
  story.answers();
  story.silent(30_000, { state: "R", mainThreadCpuSeconds: 75 });
  story.silent(30_000, { state: "S" });
  story.silent(30_000, { state: "T" });
  assert.equal(story.class, "stopped");
  story.silent(5_000, { state: "D" });
  assert.equal(story.hung, true);
});

test("an inconclusive probe neither adds to a silence nor ends it", () => {
  const story = timeline();
  story.answers();
  story.silent(60_000);
  const before = story.stall.silence;
  story.unclear(10_000);
  assert.deepEqual(story.stall.silence, before);
  assert.equal(story.silentFor, 0, "while the guard cannot tell, nothing is confirmed");
  story.silent(25_000);
  assert.equal(story.hung, true);
});

test("three inconclusive probes in a row void the silence", () => {
  const story = timeline();
  story.answers();
  story.silent(85_000);
  story.unclear(15_000);
  assert.equal(story.stall.silence, undefined);
  story.silent(90_000);
  assert.equal(story.hung, false);
  story.silent(5_000);
  assert.equal(story.hung, true);
});

test("looks that could not see the process void a silence as well", () => {
  const story = timeline();
  story.answers();
  story.silent(85_000);
  for (let n = 0; n < 3; n++) story.unseen();
  assert.equal(story.stall.silence, undefined);
});

test("a host that slept 632 s froze nobody (#140010)", () => {
  const story = timeline();
  story.answers();
  story.silent(60_000);
  story.sleeps(632_000);
  story.silent(5_000);
  assert.deepEqual([story.silentFor, story.hung], [0, false]);
  story.silent(80_000);
  assert.equal(story.hung, false);
});

test("a late byte on the probe that was kept open means slow, not hung", () => {
  const story = timeline();
  story.answers();
  story.silent(120_000);
  assert.equal(story.hung, true);
  story.look(processReading({ acceptQueue: 3 }), silentProbe({ heldAnswered: true }));
  assert.deepEqual([story.class, story.silentFor, story.hung], ["alive", 0, false]);
});

test("a new incarnation starts afresh, also with the same pid", () => {
  const story = timeline();
  story.answers();
  story.silent(85_000);
  story.replaced({ incarnation: incarnation({ startTicks: 2000 }) });
  story.silent(300_000);
  assert.deepEqual([story.stall.answeredOnce, story.hung], [false, false]);
});

test("an incarnation that never answered is never a hang, with or without a listener", () => {
  for (const way of ["silent", "deaf"] as const) {
    const story = timeline();
    story[way](hours(2));
    assert.deepEqual([story.class, story.hung], [way === "silent" ? "deadlocked" : "no_listener", false]);
  }
});

test("a program on the port that is not a gateway has not answered as one", () => {
  const story = timeline();
  story.look(
    processReading(),
    silentProbe({ healthz: { ...answer, outcome: "failed", status: 404 }, phase: undefined }),
  );
  assert.equal(story.stall.answeredOnce, false);
  story.silent(300_000);
  assert.equal(story.hung, false);
});

// Whatever happens.

const looks = fc.constantFrom(
  "answers",
  "late",
  "silent",
  "silent",
  "silent",
  "empty queue",
  "deaf",
  "inconclusive",
  "unseen",
  "gone",
  "gap",
  "replaced",
);

test("whatever the order of looks, a hang is confirmed only without a byte for ninety seconds", () => {
  let confirmed = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          kind: looks,
          times: fc.integer({ min: 1, max: 30 }),
          every: fc.integer({ min: 500, max: 20_000 }),
        }),
        { maxLength: 12 },
      ),
      (story) => {
        let stall: Stall = unseen;
        let at: Instant = noon;
        let lastHeard: Instant | undefined;
        let ticks = 1;
        for (const { kind, times, every } of story) {
          for (let n = 0; n < times; n++) {
            at = after(at, ms(every));
            if (kind === "gap") stall = afterGap(stall);
            if (kind === "replaced") ticks++;
            const process = processReading({
              incarnation: incarnation({ startTicks: ticks }),
              acceptQueue: kind === "empty queue" ? 0 : 1,
              listening: kind !== "deaf",
            });
            const heard = kind === "answers" || kind === "late";
            const probe =
              kind === "answers"
                ? probeReading()
                : silentProbe({
                    healthz: kind === "inconclusive" ? noAnswerOfUse : silence,
                    heldAnswered: kind === "late",
                  });
            const seen =
              kind === "unseen" ? undefined : kind === "gone" ? { found: false as const } : process;
            if (heard) lastHeard = at;
            stall = observe(stall, { at, process: seen, probe }, policy);
            if (!hangConfirmed(stall, at, policy)) continue;
            confirmed++;
            assert.ok(stall.answeredOnce);
            assert.ok(lastHeard !== undefined && at - lastHeard >= policy.hangConfirm);
          }
        }
      },
    ),
    { numRuns: 500, seed: 20_261_120 },
  );
  assert.ok(confirmed > 100, `only ${confirmed} hangs were seen, so this has shown little`);
});
