// What does an episode do to a gateway from its first alert to its end? Stories in virtual time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { elapsed, hours, minutes, seconds } from "../../src/core/time.ts";
import { anyTime, dies, hangs, leaks, outcomes } from "./illness.ts";
import { simulate } from "./simulation.ts";

test("a hung gateway is ended once and is back, and its alert is closed", async () => {
  using simulation = simulate();
  hangs(simulation);
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["kill"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
  assert.deepEqual(simulation.violations, []);
  const kinds = simulation.entries().map(({ kind }) => kind);
  assert.ok(kinds.indexOf("evidence") < kinds.indexOf("intended"));
});

test("a drain that does not end in its time is ended by force, and one that hangs as soon as a hang is sure", async () => {
  for (const [change, within] of [
    [{ drainTakes: seconds(2000) }, [328, 334]],
    [{ hangsInDrain: true }, [88, 100]],
  ] as const) {
    using simulation = simulate({ policy: anyTime });
    Object.assign(simulation.patient.settings, change);
    leaks(simulation);
    await simulation.run(minutes(30));
    assert.deepEqual(simulation.deeds(), ["restart", "kill"]);
    const [asked, killed] = simulation.patient.deeds;
    const waited = elapsed(asked?.at ?? simulation.now(), killed?.at ?? simulation.now()) / 1000;
    assert.ok(waited >= within[0] && waited <= within[1], `${waited} s`);
    assert.deepEqual(simulation.violations, []);
  }
});

test("a latch that followed our own kill is cleared, once", async () => {
  using simulation = simulate();
  simulation.patient.settings.restartDelay = undefined;
  simulation.crashWhen((point) => {
    if (point === "after kill") simulation.patient.settings.latched = true;
    return false;
  });
  hangs(simulation);
  await simulation.run(minutes(20));
  const steps = simulation.entries().flatMap((entry) => (entry.kind === "intended" ? [entry.step] : []));
  assert.deepEqual(steps, ["kill_serving", "start", "clear_failure"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("when the mode changes the open alerts are decided again, with fresh patience", async () => {
  using simulation = simulate({ mode: "observe" });
  hangs(simulation);
  await simulation.run(minutes(10));
  simulation.setMode("enforce");
  await simulation.run(minutes(20));
  assert.deepEqual(outcomes(simulation), ["mode_changed", "recovered"]);
  assert.deepEqual(simulation.deeds(), ["kill"]);
});

test("a change of mode after the point of no return changes nothing: the episode is carried to its end", async () => {
  using simulation = simulate();
  simulation.crashWhen((point) => {
    if (point === "after kill") simulation.setMode("observe");
    return false;
  });
  hangs(simulation);
  await simulation.run(minutes(20));
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("a resolved alert cancels at the last moment: during the last look and the evidence", async () => {
  for (const delay of [1, 2, 3, 4, 5, 6]) {
    using simulation = simulate();
    simulation.patient.fallIll("hang");
    const startsAt = simulation.alert("hang");
    let told = false;
    simulation.crashWhen(() => {
      if (!told && simulation.decisions().at(-1) === "restart") {
        told = true;
        simulation.schedule(seconds(delay), () => simulation.alert("hang", { status: "resolved", startsAt }));
      }
      return false;
    });
    await simulation.run(minutes(10));
    assert.ok(told);
    assert.deepEqual(simulation.deeds(), [], `${delay} s after the decision`);
    assert.deepEqual(outcomes(simulation), ["cancelled"]);
  }
});

test("a pause at the last moment holds as well", async () => {
  using simulation = simulate();
  let told = false;
  simulation.crashWhen(() => {
    if (!told && simulation.decisions().at(-1) === "restart") {
      told = true;
      simulation.schedule(seconds(4), () => simulation.pause(minutes(60)));
    }
    return false;
  });
  hangs(simulation);
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), []);
  assert.equal(simulation.decisions().at(-1), "paused");
});

test("a byte during the last look means slow, not hung", async () => {
  using simulation = simulate();
  hangs(simulation);
  let told = false;
  simulation.crashWhen(() => {
    if (!told && simulation.decisions().at(-1) === "restart") {
      told = true;
      simulation.schedule(seconds(3), () => simulation.patient.fallIll("none"));
    }
    return false;
  });
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), []);
  assert.deepEqual(outcomes(simulation), ["cancelled"]);
});

test("the same need within a quarter of an hour of a resolve rejoins: patience runs from the first alert", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.work = "busy";
  simulation.patient.fallIll("leak");
  const startsAt = simulation.alert("memory_leak");
  await simulation.run(minutes(2));
  const askedAt = simulation.standing().episode?.askedAt;
  simulation.alert("memory_leak", { status: "resolved", startsAt });
  await simulation.run(minutes(10));
  assert.deepEqual(outcomes(simulation), ["cancelled"]);
  simulation.alert("memory_leak");
  await simulation.run(minutes(1));
  assert.equal(simulation.episodes().length, 1);
  assert.equal(simulation.standing().episode?.askedAt, askedAt);

  const again = simulation.alert("memory_leak", { startsAt: simulation.now() });
  simulation.alert("memory_leak", { status: "resolved", startsAt: again });
  const open = simulation.entries().findLast((entry) => entry.kind === "opened");
  assert.equal(open?.kind === "opened" && open.cause, "memory_leak");
});

test("a gateway that somebody else replaced is not touched for an old alert; a new one is looked at afresh", async () => {
  using simulation = simulate({ policy: anyTime });
  await simulation.run(seconds(30));
  simulation.patient.settings.work = "busy";
  simulation.patient.fallIll("leak");
  const startsAt = simulation.alert("memory_leak");
  await simulation.run(minutes(1));
  simulation.patient.restartedByPerson();
  await simulation.run(minutes(2));
  assert.deepEqual(outcomes(simulation), ["replaced"]);
  const replaced = simulation.entries().filter((entry) => entry.kind === "replaced");
  assert.deepEqual(
    replaced.map((entry) => entry.kind === "replaced" && entry.clean),
    [true],
  );

  // The same alert goes on firing, since the new life is as ill as the old one.
  simulation.patient.settings.work = "idle";
  simulation.patient.fallIll("leak");
  simulation.alert("memory_leak", { startsAt });
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), []);
  simulation.alert("memory_leak", { startsAt });
  await simulation.run(minutes(10));
  assert.deepEqual(simulation.violations, []);
});

test("a dead gateway is started after 10, 30 and 90 seconds, three times, and spends no budget", async () => {
  using simulation = simulate();
  simulation.patient.settings.nextFault = "stillborn";
  dies(simulation);
  await simulation.run(hours(3));
  assert.deepEqual(simulation.deeds(), ["start", "start", "start"]);
  assert.equal(
    simulation.entries().some((entry) => entry.kind === "intended" && entry.spends),
    false,
  );
  assert.equal(outcomes(simulation)[0], "gave_up");
});

test("after gave_up nothing happens and little is written, until a person resumes", async () => {
  using simulation = simulate();
  simulation.patient.settings.nextFault = "stillborn";
  dies(simulation);
  await simulation.run(hours(1));
  const written = simulation.entries().length;
  await simulation.run(hours(12));
  assert.ok(simulation.entries().length - written <= 3, `${simulation.entries().length - written} entries`);
  assert.equal(simulation.decisions().at(-1), "gave_up");

  simulation.patient.settings.nextFault = "none";
  simulation.resume();
  await simulation.run(minutes(20));
  assert.equal(simulation.deeds().length, 4);
  assert.equal(outcomes(simulation).at(-1), "recovered");
});

test("a gateway that our attempt left dead is started again, also when its alert is over", async () => {
  using simulation = simulate();
  simulation.patient.settings.restartDelay = undefined;
  simulation.patient.settings.nextFault = "stillborn";
  simulation.crashWhen((point) => {
    if (simulation.deeds().length === 2 && point === "before start")
      simulation.patient.settings.nextFault = "none";
    return false;
  });
  hangs(simulation);
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), ["kill", "start", "start"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
});

test("what a person stopped between two attempts stays stopped", async () => {
  using simulation = simulate();
  simulation.patient.settings.nextFault = "hang";
  hangs(simulation);
  simulation.pipeline("down", () => simulation.patient.incarnation() === undefined);
  // The new life hangs as well: the attempt fails, and before the next one a person stops it.
  await simulation.run(minutes(40));
  assert.equal(simulation.standing().episode?.attempts ?? 1, 1);
  simulation.patient.settings.restartDelay = undefined;
  simulation.patient.settings.stoppedOnPurpose = true;
  const deeds = simulation.deeds().length;
  simulation.patient.crash();
  await simulation.run(hours(1));
  assert.equal(simulation.deeds().length, deeds);
  assert.ok(simulation.decisions().includes("stopped_on_purpose"), simulation.decisions().join());
});

test("an unchanged refusal is written once, one that flaps every two seconds does not fill the disk", async () => {
  using simulation = simulate({ policy: anyTime });
  simulation.patient.settings.drainTakes = seconds(1);
  simulation.pause(hours(9));
  leaks(simulation);
  const flap = (reachable: boolean) => {
    simulation.patient.settings.reachable = reachable;
    if (reachable) simulation.patient.fallIll("leak");
    else simulation.patient.fallIll("none");
    simulation.schedule(seconds(2), () => flap(!reachable));
  };
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.decisions(), ["paused"]);
  simulation.alert("memory_exhaustion");
  flap(false);
  await simulation.run(hours(2));
  assert.ok(simulation.decisions().length <= 2 * 6 * 20 + 20, `${simulation.decisions().length}`);
  assert.deepEqual(simulation.deeds(), []);
});

test("without a journal nothing is done, and with it everything goes on", async () => {
  using simulation = simulate();
  hangs(simulation);
  simulation.fillDisk(true);
  await simulation.run(minutes(10));
  assert.deepEqual(simulation.deeds(), []);
  simulation.fillDisk(false);
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["kill"]);
});

test("a disk that is full in the middle of an attempt stops no second time, and the start still comes", async () => {
  using simulation = simulate();
  simulation.patient.settings.restartDelay = undefined;
  hangs(simulation);
  simulation.crashWhen((point) => {
    if (point === "after kill") {
      simulation.fillDisk(true);
      simulation.schedule(minutes(2), () => simulation.fillDisk(false));
    }
    return false;
  });
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.deeds(), ["kill", "start"]);
  assert.deepEqual(outcomes(simulation), ["recovered"]);
  assert.deepEqual(simulation.violations, []);
});

test("an attempt of another boot is over", async () => {
  for (const begin of [hangs, dies]) {
    using simulation = simulate();
    simulation.patient.settings.nextFault = "stillborn";
    begin(simulation);
    while (simulation.standing().episode?.attempt === undefined) await simulation.run(seconds(5));
    simulation.patient.settings.nextFault = "none";
    const deeds = simulation.deeds().length;
    simulation.patient.reboot();
    simulation.restartGuard();
    await simulation.run(minutes(10));
    assert.equal(outcomes(simulation)[0], "replaced");
    assert.equal(simulation.deeds().length, deeds);
  }
});
