import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes, ms, seconds } from "../../src/core/time.ts";
import { probeReading, processReading } from "./support.ts";
import { timeline, young } from "./timeline.ts";

// Starting.

test("a gateway that needs four minutes to listen is starting, not dead (#74281)", () => {
  const story = timeline(young(ms(0)));
  story.deaf(230_000);
  assert.deepEqual([story.class, story.hung], ["starting", false]);
  story.answers();
  assert.equal(story.class, "alive");
});

test("a start that blocks the loop for 103 s after the first answer is no hang (H01, #73874)", () => {
  const story = timeline(young(ms(0)));
  story.deaf(20_000);
  story.answers(5_000, "starting");
  assert.equal(story.class, "starting");
  story.silent(103_000);
  assert.deepEqual([story.class, story.silentFor, story.hung], ["starting", 0, false]);
});

test("a start is over after the start budget, and a silence counts from then on", () => {
  const story = timeline(young(minutes(19)));
  story.answers(5_000, "starting");
  story.silent(55_000);
  assert.equal(story.class, "starting");
  story.silent(90_000);
  assert.deepEqual([story.class, story.hung], ["deadlocked", false]);
  story.silent(5_000);
  assert.equal(story.hung, true);
});

test("a gateway that says for ever that it is starting is alive after the start budget", () => {
  const story = timeline(young(minutes(19)));
  story.answers(60_000, "starting");
  assert.equal(story.class, "starting");
  story.answers(5_000, "starting");
  assert.equal(story.class, "alive");
});

test("dead at full load two minutes after its start is a hang: it had started (#76109)", () => {
  const story = timeline(young(seconds(10)));
  story.answers(110_000);
  story.silent(95_000, { state: "R" });
  assert.equal(story.hung, true);
});

test("an answer without a phase leaves a young gateway starting until it is ready", () => {
  const story = timeline(young(ms(0)));
  story.look(young(ms(0)), probeReading({ phase: undefined, startupz: undefined, readyz: undefined }));
  assert.equal(story.class, "starting");
  story.look(young(ms(0)), probeReading({ phase: undefined, startupz: undefined }));
  assert.equal(story.class, "alive");
});

test("an old gateway that tells no phase is alive at the first answer", () => {
  const story = timeline();
  story.look(processReading(), probeReading({ phase: undefined, startupz: undefined, readyz: undefined }));
  assert.equal(story.class, "alive");
});

test("a restart inside the same process gets its own time to start", () => {
  const story = timeline();
  story.answers(60_000);
  story.deaf(30_000);
  assert.equal(story.class, "no_listener");
  story.answers(5_000, "starting");
  story.silent(103_000);
  assert.deepEqual([story.class, story.hung], ["starting", false]);
});

// No listener.

test("a closed port of a living process counts only when the time for a start is over (#57115)", () => {
  const story = timeline();
  story.answers();
  story.deaf(minutes(20));
  assert.deepEqual([story.class, story.silentFor], ["no_listener", 0]);
  story.deaf(90_000);
  assert.equal(story.hung, false);
  story.deaf(5_000);
  assert.deepEqual([story.silentFor, story.hung], [90_000, true]);
});

test("a port that could not be looked at three times begins its count anew", () => {
  const story = timeline();
  story.answers();
  story.deaf(minutes(21));
  for (let n = 0; n < 3; n++) story.unseen();
  story.deaf(minutes(20));
  assert.equal(story.silentFor, 0);
});

test("a gap in the guard's clock voids the count of a closed port and of a missing process", () => {
  const story = timeline();
  story.answers();
  story.deaf(minutes(21));
  story.sleeps(60_000);
  story.deaf(5_000);
  assert.equal(story.silentFor, 0);
  story.gone();
  story.sleeps(60_000);
  assert.equal(story.stall.goneSince, undefined);
});

// Draining.

test("a drain may be silent for its 330 s; afterwards the silence is a hang", () => {
  const story = timeline();
  story.answers();
  story.answers(5_000, "draining");
  story.silent(325_000);
  assert.deepEqual([story.class, story.silentFor, story.hung], ["draining", 0, false]);
  assert.ok(story.stall.silence, "whoever began the drain can see how long it has been silent");
  story.silent(5_000);
  assert.deepEqual([story.class, story.hung], ["deadlocked", true]);
});

test("a drain that closed the port is a drain until its time is over", () => {
  const story = timeline();
  story.answers(5_000, "draining");
  story.deaf(325_000);
  assert.equal(story.class, "draining");
  story.deaf(5_000);
  assert.equal(story.class, "no_listener");
});

test("a drain flag that is stuck while everything answers does not hold the guard for ever (#78136)", () => {
  const story = timeline();
  story.answers(seconds(330), "draining");
  assert.equal(story.class, "draining");
  story.answers(5_000, "draining");
  assert.equal(story.class, "alive");
  story.answers(minutes(10), "draining");
  assert.equal(story.class, "alive", "and it is not seen for the first time again");
});

test("a drain is remembered over a look that saw nothing and an answer that does not tell", () => {
  const story = timeline();
  story.answers(5_000, "draining");
  story.unclear();
  story.look(processReading(), probeReading({ phase: undefined, startupz: undefined }));
  assert.equal(story.class, "draining");
});
