// What if the guard dies in the middle? It is killed before and after every write and every deed of an episode; the next
// life over the same journal finishes the one episode and stops nothing a second time.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "../../src/core/cause.ts";
import { minutes, seconds } from "../../src/core/time.ts";
import { simulate, type Simulation } from "./simulation.ts";

/** The leak need not wait for the night. */
const policy = { window: { zone: "UTC", spans: [] } };

type Story = { readonly name: string; readonly begin: (simulation: Simulation) => void };

const ill = (cause: Cause, fault: "hang" | "leak"): Story => ({
  name: fault,
  begin(simulation) {
    simulation.patient.fallIll(fault);
    simulation.pipeline(cause, () => simulation.patient.fault() === fault);
  },
});

const stories: readonly Story[] = [
  ill("hang", "hang"),
  ill("memory_leak", "leak"),
  {
    name: "hang without a supervisor that restarts",
    begin(simulation) {
      simulation.patient.settings.restartDelay = undefined;
      ill("hang", "hang").begin(simulation);
    },
  },
  {
    name: "drain that hangs",
    begin(simulation) {
      simulation.patient.settings.hangsInDrain = true;
      ill("memory_leak", "leak").begin(simulation);
    },
  },
  {
    name: "down",
    begin(simulation) {
      simulation.patient.settings.restartDelay = undefined;
      simulation.patient.crash();
      simulation.pipeline("down", () => simulation.patient.incarnation() === undefined);
    },
  },
];

/** Runs until the episode has ended, and some time in which a second one would begin. */
async function finish(simulation: Simulation): Promise<string | undefined> {
  for (let tenMinutes = 0; tenMinutes < 15; tenMinutes++) {
    const crashed = await simulation.run(minutes(10));
    if (crashed !== undefined) return crashed;
    const [first] = simulation.episodes();
    if (first !== undefined && first.outcome !== "running") break;
  }
  return simulation.run(minutes(5));
}

/** Every point of the story at which the guard can die, in order. */
async function pointsOf(story: Story): Promise<readonly string[]> {
  using simulation = simulate({ policy });
  const points: string[] = [];
  simulation.crashWhen((point) => {
    points.push(point);
    return false;
  });
  story.begin(simulation);
  await finish(simulation);
  assert.equal(simulation.episodes().at(-1)?.outcome, "recovered");
  return points;
}

for (const story of stories) {
  test(`a guard that is killed at any point of an episode (${story.name}) ends it once and stops once`, async () => {
    const points = await pointsOf(story);
    assert.ok(points.length > 10, points.join());
    for (const [index, point] of points.entries()) {
      using simulation = simulate({ policy });
      let left = index;
      simulation.crashWhen(() => left-- === 0);
      story.begin(simulation);
      assert.equal(await finish(simulation), point);
      simulation.restartGuard();
      await finish(simulation);

      const told = `${story.name}, killed ${point} (${index} of ${points.length}): ${JSON.stringify(simulation.episodes())}`;
      assert.deepEqual(simulation.violations, [], told);
      const stops = simulation.deeds().filter((verb) => verb !== "start");
      const expected = story.name === "drain that hangs" ? ["restart", "kill"] : stops.slice(0, 1);
      assert.deepEqual(stops, expected.slice(0, stops.length), told);
      assert.equal(simulation.episodes().length, 1, told);
      assert.notEqual(simulation.episodes()[0]?.outcome, "running", told);
      assert.equal(simulation.patient.fault(), "none", told);
    }
  });
}

test("a guard that dies again and again still stops only once", async () => {
  using simulation = simulate({ policy });
  ill("hang", "hang").begin(simulation);
  for (let life = 0; life < 40; life++) {
    let points = 3;
    simulation.crashWhen(() => points-- === 0);
    await simulation.run(minutes(15));
    simulation.restartGuard();
  }
  await simulation.run(minutes(30));
  assert.deepEqual(simulation.violations, []);
  assert.deepEqual(simulation.deeds(), ["kill"]);
  assert.deepEqual(
    simulation.episodes().map(({ outcome }) => outcome),
    ["recovered"],
  );
});

test("the guard's own SIGTERM before the point of no return leaves nothing done and nothing lost", async () => {
  using simulation = simulate();
  ill("hang", "hang").begin(simulation);
  await simulation.run(seconds(60));
  simulation.schedule(seconds(1), () => simulation.endGuard());
  assert.equal(await simulation.run(minutes(10)), "ended");
  assert.deepEqual(simulation.deeds(), []);
  simulation.restartGuard();
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["kill"]);
  assert.equal(simulation.episodes()[0]?.outcome, "recovered");
  assert.equal(simulation.episodes().length, 1);
});

test("the guard's own SIGTERM during a drain is recorded, and the next life only verifies", async () => {
  using simulation = simulate({ policy });
  simulation.patient.settings.drainTakes = seconds(120);
  ill("memory_leak", "leak").begin(simulation);
  simulation.crashWhen((point) => {
    if (point === "after restart") simulation.schedule(seconds(10), () => simulation.endGuard());
    return false;
  });
  assert.equal(await simulation.run(minutes(10)), "ended");
  const stepped = simulation.entries().findLast((entry) => entry.kind === "stepped");
  assert.equal(stepped?.kind === "stepped" && stepped.detail, "the guard was ended");
  simulation.restartGuard();
  await simulation.run(minutes(20));
  assert.deepEqual(simulation.deeds(), ["restart"]);
  assert.deepEqual(simulation.violations, []);
  assert.equal(simulation.episodes()[0]?.outcome, "recovered");
});
