// How is one attempt carried out, and what does each step do when the world is not as it was?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/core/history.ts";
import type { Manner } from "../../src/core/need.ts";
import { minutes, seconds } from "../../src/core/time.ts";
import { type Attempt, climb, startAgain } from "../../src/remedy/climb.ts";
import type { Fault } from "./simulated-gateway.ts";
import { simulate, type Simulation } from "./simulation.ts";

const never = new AbortController().signal;

async function attemptOf(simulation: Simulation, manner: Manner): Promise<Attempt> {
  const { world } = simulation.lives();
  const evidence = await world.look(never);
  const supervisor = await world.action.inspect(never);
  const cause = manner === "kill" ? "hang" : manner === "start" ? "down" : "memory_leak";
  const decision = { do: "restart", cause, urgency: "now", manner, saw: {} } as const;
  const main = supervisor.mainPid === undefined ? undefined : world.identify(supervisor.mainPid);
  return { episode: "e", number: 1, decision, evidence, supervisor, main, mayClear: true };
}

/** Climbs with a second look that finds everything unchanged, unless told otherwise. */
async function climbed(
  simulation: Simulation,
  manner: Manner,
  secondLook?: () => Promise<Attempt | undefined>,
) {
  const { world } = simulation.lives();
  const attempt = await attemptOf(simulation, manner);
  simulation.say({
    kind: "opened",
    episode: "e",
    gateway: "main",
    at: simulation.now(),
    cause: attempt.decision.cause,
    urgency: "now",
    incarnation: undefined,
    alerts: [],
    firstSeenAt: undefined,
  });
  simulation.alert(attempt.decision.cause);
  return climb(attempt, world, simulation.policy, secondLook ?? (async () => attempt), never);
}

async function ill(fault: Fault): Promise<Simulation> {
  const simulation = simulate();
  simulation.patient.fallIll(fault);
  await simulation.run(minutes(3));
  return simulation;
}

const intents = (simulation: Simulation) =>
  simulation
    .entries()
    .flatMap((entry: Entry) => (entry.kind === "intended" ? [[entry.step, entry.spends]] : []));
const details = (simulation: Simulation) =>
  simulation
    .entries()
    .flatMap((entry) => (entry.kind === "stepped" ? [`${entry.step} ${entry.ok}: ${entry.detail}`] : []));

test("a hung gateway: one kill that spends, then the supervisor's own restart, and no start beside it", async () => {
  using simulation = await ill("hang");
  assert.equal(await climbed(simulation, "kill"), "climbed");
  assert.deepEqual(intents(simulation), [["kill_serving", true]]);
  assert.deepEqual(simulation.deeds(), ["kill"]);
  assert.match(details(simulation).join(), /await_supervisor true: the supervisor started it/);
});

test("a supervisor that does not restart by itself is asked to start, and that spends nothing", async () => {
  using simulation = await ill("hang");
  simulation.patient.settings.restartDelay = undefined;
  await climbed(simulation, "kill");
  assert.deepEqual(intents(simulation), [
    ["kill_serving", true],
    ["start", false],
  ]);
});

test("nothing is written and nothing done when the second look finds it no longer due", async () => {
  using simulation = await ill("hang");
  assert.equal(await climbed(simulation, "kill", async () => undefined), "withdrawn");
  assert.deepEqual(intents(simulation), []);
  assert.deepEqual(simulation.deeds(), []);
});

test("a gateway that answers during the last look is left alone before anybody looks twice", async () => {
  using simulation = await ill("hang");
  simulation.schedule(seconds(4), () => simulation.patient.fallIll("none"));
  assert.equal(await climbed(simulation, "kill", () => assert.fail("looked twice")), "answered");
});

test("a graceful restart that works is one step", async () => {
  using simulation = await ill("leak");
  assert.equal(await climbed(simulation, "graceful"), "climbed");
  assert.deepEqual(intents(simulation), [["restart", true]]);
  assert.match(details(simulation)[0] ?? "", /restart true: the old incarnation ended/);
});

test("a drain that overran is cut by a kill that spends nothing more", async () => {
  using simulation = await ill("leak");
  simulation.patient.settings.drainTakes = minutes(60);
  await climbed(simulation, "graceful");
  assert.deepEqual(intents(simulation), [
    ["restart", true],
    ["kill_serving", false],
  ]);
  assert.deepEqual(simulation.violations, []);
});

test("a drain is not cut when that would switch off the gateway's channels", async () => {
  using simulation = await ill("leak");
  simulation.patient.settings.drainTakes = seconds(400);
  simulation.patient.settings.hangsInDrain = true;
  const { incarnation } = simulation.patient;
  for (let i = 0; i < 2; i++) {
    const one = incarnation();
    assert.ok(one !== undefined);
    simulation.say({
      kind: "replaced",
      gateway: "main",
      at: simulation.now(),
      from: one,
      to: one,
      clean: false,
    });
  }
  await climbed(simulation, "graceful");
  assert.deepEqual(simulation.deeds(), ["restart"]);
});

test("a refused restart is recorded as it was refused, and nothing follows from it", async () => {
  using simulation = await ill("leak");
  simulation.patient.settings.refuses = true;
  await climbed(simulation, "graceful");
  assert.deepEqual(intents(simulation), [["restart", true]]);
  assert.match(details(simulation)[0] ?? "", /restart false: restart: systemctl exited 4/);
  assert.deepEqual(simulation.deeds(), []);
});

test("a life that was ended earlier is started only while nothing serves and nobody else starts it", async () => {
  for (const [change, deeds] of [
    [{}, ["start"]],
    [{ restartDelay: seconds(3600) }, []],
  ] as const) {
    using simulation = simulate();
    Object.assign(simulation.patient.settings, { restartDelay: undefined, ...change });
    simulation.patient.crash();
    await simulation.run(seconds(20));
    const attempt = await attemptOf(simulation, "start");
    await startAgain(attempt, simulation.lives().world, simulation.policy, never);
    assert.deepEqual(simulation.deeds(), deeds);
  }
  using alive = simulate();
  const attempt = await attemptOf(alive, "start");
  await startAgain(attempt, alive.lives().world, alive.policy, never);
  assert.deepEqual(alive.deeds(), []);
});
