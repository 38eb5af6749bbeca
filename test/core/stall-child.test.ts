// Is a main thread that only waits for a command of its own taken for slow, not for hung?
import assert from "node:assert/strict";
import { test } from "node:test";
import { confirmAfter } from "../../src/core/stall.ts";
import { confirm } from "../../src/core/evidence.ts";
import { after, minutes, ms, seconds } from "../../src/core/time.ts";
import { before, evidence, type Found, noon, policy, silentProbe } from "./support.ts";
import { every, timeline } from "./timeline.ts";

const child = (startedAt = after(noon, seconds(4))): Partial<Found> => ({
  state: "S",
  youngBusyChild: { startedAt },
});

test("ninety seconds in a command that works are no hang, ten minutes are", () => {
  const story = timeline();
  story.answers();
  story.silent(300_000, child());
  assert.deepEqual([story.class, story.silentFor, story.hung], ["deadlocked", 295_000, false]);
  assert.equal(confirmAfter(story.stall, policy), minutes(10));
  story.silent(300_000, child());
  assert.deepEqual([story.silentFor, story.hung], [595_000, false]);
  story.silent(5_000, child());
  assert.deepEqual([story.silentFor, story.hung], [600_000, true]);
});

test("a worker that was there before the stall explains nothing, however busy it is", () => {
  const story = timeline();
  story.answers(10_000);
  story.silent(95_000, child(before(noon, minutes(60))));
  assert.equal(story.hung, true);
});

test("the kernel's clock may make a child seem two seconds older than it is", () => {
  for (const [startedAt, hung] of [
    [before(noon, seconds(2)), false],
    [before(noon, ms(2001)), true],
  ] as const) {
    const story = timeline();
    story.answers(); // heard for the last time at noon
    story.silent(95_000, child(startedAt));
    assert.equal(story.hung, hung);
  }
});

test("a main thread that computes itself is not waiting for the child beside it", () => {
  const story = timeline();
  story.answers();
  let spent = 60;
  for (let n = 0; n < 19; n++)
    story.silent(every, { ...child(), state: "R", mainThreadCpuSeconds: (spent += 4) });
  assert.deepEqual([story.class, story.hung], ["blocked", true]);
});

test("a gateway that was stopped waits for nobody", () => {
  const story = timeline();
  story.answers();
  story.silent(95_000, { ...child(), state: "T" });
  assert.deepEqual([story.class, story.hung], ["stopped", true]);
});

test("between two commands of a row the wait goes on; after the last of them the silence is a hang", () => {
  const story = timeline();
  story.answers();
  for (let n = 0; n < 12; n++) {
    story.silent(every, child());
    story.silent(every);
  }
  assert.equal(story.hung, false);
  story.silent(every);
  assert.equal(story.hung, true);
});

test("a guard that never heard the gateway cannot tell how old the stall is, and waits the longer time", () => {
  const story = timeline();
  story.silent(every, child(before(noon, minutes(3))));
  assert.equal(confirmAfter(story.stall, policy), minutes(10));
});

test("in a drain, too, whoever began it waits the longer time for a command that works", () => {
  const story = timeline();
  story.answers(every, "draining");
  story.silent(100_000, child());
  assert.equal(story.class, "draining");
  assert.equal(confirmAfter(story.stall, policy), minutes(10));
});

test("a longer confirmation that was configured for all is not shortened by a child", () => {
  const story = timeline();
  story.answers();
  story.silent(every, child());
  assert.equal(confirmAfter(story.stall, { ...policy, hangConfirm: minutes(15) }), minutes(15));
});

test("what the guard saw says why it still waits, and until when", () => {
  const story = timeline();
  story.answers();
  story.silent(120_000, child());
  const now = after(noon, seconds(120));
  const probe = { at: now, reading: silentProbe() };
  const process = { at: now, reading: { ...(evidence().process?.reading as Found), ...child() } };
  const is = confirm("hang", evidence({ stall: story.stall, probe, process }), now, policy);
  assert.equal(is.answer, "not_yet");
  assert.match(is.saw, /silent for 115000 ms, .* 600000 ms count: .*waits for a child that works/);
  assert.equal(is.until, after(now, seconds(485)));
});
