// How long may a start take? At least as configured, and twice the slowest that was really seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterGap, hangConfirmed, observe, startBudget, type Stall, unseen } from "../../src/core/stall.ts";
import { after, hours, minutes, ms, seconds } from "../../src/core/time.ts";
import { judge } from "../../src/core/verdict.ts";
import {
  aliveStall,
  evidence,
  incarnation,
  noon,
  policy,
  probeReading,
  processReading,
  silentProbe,
  supervisor,
} from "./support.ts";
import { timeline, young } from "./timeline.ts";

test("without any start that was seen the budget is the configured one", () => {
  const story = timeline();
  story.answers();
  assert.equal(story.stall.slowestStart, undefined);
  assert.equal(startBudget(story.stall, policy), minutes(20));
});

test("a start of fifteen minutes raises the budget to thirty, a later quick one does not lower it", () => {
  const story = timeline(young(ms(0)));
  story.deaf(minutes(15));
  story.answers();
  assert.equal(story.stall.slowestStart, minutes(15));
  assert.equal(startBudget(story.stall, policy), minutes(30));
  const at = after(noon, hours(1));
  story.replaced({ incarnation: incarnation({ startTicks: 2000, startedAt: at }) });
  story.gone();
  assert.equal(story.stall.slowestStart, minutes(15), "the next life may be as slow");
  story.answers();
  assert.equal(startBudget(story.stall, policy), minutes(30));
});

test("the next start gets that budget: it is still starting after twenty-nine minutes", () => {
  let stall: Stall = { ...unseen, slowestStart: minutes(15) };
  const process = processReading({ incarnation: incarnation({ startedAt: noon }), listening: false });
  const look = (length: ReturnType<typeof minutes>) => {
    stall = observe(stall, { at: after(noon, length), process, probe: silentProbe() }, policy);
    return stall.class;
  };
  assert.equal(look(minutes(29)), "starting");
  assert.equal(look(minutes(30)), "no_listener");
});

test("a closed port of a gateway that starts slowly counts only after the raised budget", () => {
  let stall: Stall = { ...aliveStall(noon), slowestStart: minutes(15) };
  for (let minute = 1; minute <= 40; minute++) {
    const at = after(noon, minutes(minute));
    stall = observe(
      stall,
      { at, process: processReading({ listening: false }), probe: silentProbe() },
      policy,
    );
    // Deaf since the first minute: thirty of start budget, then ninety seconds of silence.
    assert.equal(hangConfirmed(stall, at, policy), minute >= 33, `minute ${minute}`);
  }
});

test("a restart is given the raised budget too before it has failed", () => {
  const last = after(noon, minutes(25));
  const fresh = processReading({
    incarnation: incarnation({ startTicks: 9, startedAt: noon }),
    listening: false,
  });
  const stall = observe(
    { ...unseen, slowestStart: minutes(15) },
    { at: last, process: fresh, probe: silentProbe() },
    policy,
  );
  const e = evidence({ process: { at: last, reading: fresh }, stall });
  const expected = {
    cause: "hang",
    before: incarnation(),
    residentBefore: undefined,
    lastStepAt: noon,
    rpc: false,
  } as const;
  assert.equal(judge(expected, e, supervisor(), last, policy).is, "waiting");
  const quick = { ...e, stall: { ...stall, slowestStart: undefined } };
  assert.equal(judge(expected, quick, supervisor(), last, policy).is, "failed");
});

test("a short start changes nothing", () => {
  const story = timeline(young(ms(0)));
  story.deaf(15_000);
  story.answers();
  assert.equal(story.stall.slowestStart, seconds(15));
  assert.equal(startBudget(story.stall, policy), minutes(20));
});

test("a gateway that had long started when the guard came tells nothing about its start", () => {
  const story = timeline(young(minutes(19)));
  story.unseen();
  story.answers();
  assert.equal(story.stall.slowestStart, undefined);
});

test("one slow answer of a young gateway, seen by a guard that came late, is no start", () => {
  const story = timeline(young(minutes(15)));
  story.silent(10_000);
  assert.equal(story.class, "starting");
  story.answers();
  assert.equal(story.stall.slowestStart, undefined);
});

test("a start that outlasted its budget is the one that raises it", () => {
  const story = timeline(young(ms(0)));
  story.deaf(minutes(25));
  assert.equal(story.class, "no_listener");
  story.answers();
  assert.equal(startBudget(story.stall, policy), minutes(50));
});

test("a start over which the host slept is not measured", () => {
  const story = timeline(young(ms(0)));
  story.deaf(10_000);
  story.sleeps(minutes(30));
  story.answers(5_000, "starting");
  story.answers();
  assert.equal(story.stall.slowestStart, undefined);
});

test("the sleep of a host does not spoil the measure of a later start", () => {
  const well = observe(unseen, { at: noon, process: processReading(), probe: probeReading() }, policy);
  assert.equal(afterGap(well).startSeen, "not_yet");
});

test("a restart inside the same process is measured from when it was first seen", () => {
  const story = timeline();
  story.answers(60_000);
  story.answers(seconds(60), "starting");
  story.answers();
  assert.equal(story.stall.slowestStart, seconds(60));
});

test("a phase that was stuck for more than an hour is no start", () => {
  const story = timeline(young(ms(0)));
  story.answers(hours(1), "starting");
  story.answers(5_000, "starting");
  story.answers();
  assert.equal(story.stall.slowestStart, undefined);
});
