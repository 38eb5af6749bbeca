// What made others' watchdogs do harm? Stories in virtual time; the number is the pitfall's in the field reports.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/core/history.ts";
import { elapsed, hours, minutes, seconds } from "../../src/core/time.ts";
import { anyTime, dies, hangs, leaks, outcomes } from "./illness.ts";
import { simulate, type Simulation } from "./simulation.ts";

/** Minutes between one kind of entry and the next. */
function gaps(simulation: Simulation, of: (entry: Entry) => boolean): readonly number[] {
  const found = simulation.entries().filter(of);
  return found.slice(1).map(({ at }, i) => Math.round(elapsed(found[i]?.at ?? at, at) / minutes(1)));
}

test("a leaking gateway is asked to restart while nothing is in flight (5)", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.work = "busy";
  leaks(simulation);
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.decisions().at(-1), "busy");
  simulation.patient.settings.work = "idle";
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["restart"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("a long drain is waited for, up to the whole of its time (5)", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.drainTakes = seconds(325);
  leaks(simulation);
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), ["restart"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("a gateway that takes four minutes to start is left alone (1)", async () => {
  using simulation = simulate();
  simulation.patient.settings.startTakes = minutes(4);
  simulation.patient.crash();
  simulation.pipeline("hang", () => simulation.patient.isStarting());
  simulation.pipeline("down", () => simulation.patient.isStarting());
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), []);
});

test("a gateway that keeps hanging is restarted at growing gaps, until a person is needed (2)", async () => {
  using simulation = simulate();
  simulation.pipeline("hang", () => simulation.patient.fault() === "hang");
  simulation.patient.fallIll("hang");
  for (let minute = 0; minute < 20 * 60; minute++) {
    // Well for a quarter of an hour each time, then ill again.
    if (simulation.patient.fault() === "none" && simulation.patient.faultFor() > minutes(15))
      simulation.patient.fallIll("hang");
    await simulation.run(minutes(1));
  }
  const spent = gaps(simulation, (entry) => entry.kind === "intended" && entry.spends);
  assert.ok((spent[0] ?? 0) >= 60, spent.join());
  assert.ok((spent[1] ?? 0) > (spent[0] ?? 0), spent.join());
  assert.ok(simulation.decisions().includes("cooling_down"));
  assert.ok(simulation.deeds().length <= 4);
  assert.deepEqual(simulation.violations, []);
});

test("the third unclean end within five minutes is refused (3)", async () => {
  using simulation = simulate({ policy: { budget: { ...simulate().policy.budget, gap: seconds(0) } } });
  simulation.patient.settings.startTakes = seconds(1);
  await simulation.run(seconds(60));
  for (let crash = 0; crash < 2; crash++) {
    simulation.patient.crash();
    await simulation.run(seconds(50));
  }
  hangs(simulation);
  await simulation.run(seconds(190));
  assert.deepEqual(simulation.deeds(), []);
  assert.ok(simulation.decisions().includes("breaker_risk"), simulation.decisions().join());
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["kill"]);
});

test("a supervisor that gave up starting a crash loop is not asked again and again (4)", async () => {
  using simulation = simulate();
  simulation.patient.settings.latched = true;
  dies(simulation);
  await simulation.run(hours(2));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.decisions().at(-1), "not_curable");
});

test("a restart that keeps the process is no cure, however well it answers (7)", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.keepsProcess = true;
  leaks(simulation);
  await simulation.run(minutes(30));
  // Accepted and not done within the drain: ended by force, and only the new life counts.
  assert.deepEqual(simulation.deeds(), ["restart", "kill"]);
  const back = simulation.entries().find((entry) => entry.kind === "back");
  assert.ok(back !== undefined && back.at > (simulation.patient.deeds[1]?.at ?? back.at));
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("a pid that another process got meanwhile is not signalled (8)", async () => {
  using simulation = simulate();
  simulation.patient.settings.reusesPid = true;
  hangs(simulation);
  await simulation.run(minutes(15));
  assert.deepEqual(simulation.deeds(), []);
  const stepped = simulation.entries().find((entry) => entry.kind === "stepped");
  assert.match(stepped?.kind === "stepped" ? stepped.detail : "", /another process now: not signalled/);
  assert.equal(simulation.episodes()[0]?.verdict, "not_recovered");
});

test("a refused restart is a claim like any other: nobody is killed because of an exit code (17, 24)", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.refuses = true;
  leaks(simulation);
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.episodes()[0]?.verdict, "not_recovered");
  assert.equal(simulation.episodes()[0]?.attempts, 1);
  // Nothing changed, so nothing is forgotten: the attempt is counted and its unit of the budget is gone.
  assert.equal(simulation.standing().episode?.attempts, 1);
  assert.equal(simulation.decisions().at(-1), "cooling_down");
});

test("observe mode says what it would have done, once, and touches nothing (19)", async () => {
  using simulation = simulate({ mode: "observe" });
  hangs(simulation);
  await simulation.run(hours(3));
  assert.deepEqual(simulation.deeds(), []);
  const observed = simulation
    .entries()
    .filter((entry) => entry.kind === "decided" && entry.decision === "observing");
  assert.equal(observed.length, 1);
  assert.equal(simulation.episodes()[0]?.wouldHave, "restart");
});

test("a gap in the guard's own clock is not read as a hang (21)", async () => {
  using simulation = simulate();
  simulation.patient.fallIll("hang");
  simulation.alert("hang");
  await simulation.run(seconds(30));
  simulation.sleepOfHost(seconds(632));
  simulation.patient.fallIll("none");
  simulation.alert("hang");
  await simulation.run(minutes(10));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.decisions().includes("restart"), false);
});

test("a gateway that hangs when the host wakes up has three minutes to find itself (21)", async () => {
  using simulation = simulate();
  simulation.sleepOfHost(minutes(30));
  hangs(simulation);
  await simulation.run(seconds(170));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.decisions().at(-1), "just_woke");
  await simulation.run(minutes(2));
  assert.deepEqual(simulation.deeds(), ["kill"]);
});
