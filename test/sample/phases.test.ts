// Does the watch keep what sections of a gateway's life have to be waited for: starts, updates, waking, over its own end too?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstallationReading, ProcessReading } from "../../src/core/readings.ts";
import { startBudget } from "../../src/core/stall.ts";
import { after, minutes, seconds } from "../../src/core/time.ts";
import { updateUnderWay } from "../../src/core/updating.ts";
import { watchGateway } from "../../src/sample/watch.ts";
import { incarnation, noon, policy, probeReading, processReading, silentProbe } from "../core/support.ts";
import { collectorOf, type HandClock, handClock } from "./support.ts";

const forever = new AbortController().signal;
const limit = minutes(30);

const untouched: InstallationReading = {
  path: "/srv/gw/node_modules/openclaw",
  version: "2026.9.6",
  packageManagerAtWork: false,
  worker: undefined,
};

function watching(given: { readonly saved?: string; readonly clock?: HandClock } = {}) {
  const clock = given.clock ?? handClock();
  const world = {
    process: processReading() as ProcessReading,
    probe: probeReading(),
    installation: untouched as InstallationReading | undefined,
    listed: 0,
  };
  const watch = watchGateway(
    {
      process: collectorOf(() => world.process, { name: "process" }),
      probe: collectorOf(() => world.probe, { name: "probe" }),
      work: undefined,
      installation: collectorOf(
        () => {
          world.listed++;
          if (world.installation === undefined) throw new Error("processes cannot be listed");
          return world.installation;
        },
        { name: "installation", every: seconds(60) },
      ),
    },
    () => undefined,
    clock,
    () => policy,
    given.saved,
  );
  const run = () => {
    const ending = new AbortController();
    const loop = watch.run(ending.signal);
    return { end: () => (ending.abort(new Error("the test is over")), loop) };
  };
  const underWay = () => updateUnderWay(watch.evidence().updating, clock.now(), limit)?.signs;
  return { watch, world, clock, run, underWay };
}

test("once a minute is often enough for the installation, and a fresh look is content with five seconds", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  await clock.pass(minutes(5));
  assert.equal(world.listed, 6);
  await clock.pass(seconds(30));
  await watch.look(forever);
  await watch.look(forever);
  await clock.pass(seconds(4));
  await watch.look(forever);
  assert.equal(world.listed, 7);
  await clock.pass(seconds(1));
  await watch.look(forever);
  assert.equal(world.listed, 8);
  await loop.end();
});

test("another version on the disk than the one that runs is an update, until the new one runs", async () => {
  const { watch, world, underWay } = watching();
  await watch.look(forever);
  assert.equal(underWay(), undefined);
  world.installation = { ...untouched, version: "2026.10.1" };
  const later = watching({ saved: watch.save() });
  later.world.installation = world.installation;
  await later.watch.look(forever);
  assert.deepEqual(later.underWay(), ["version_on_disk"]);
  later.world.process = processReading({ incarnation: incarnation({ pid: 5000, startTicks: 9 }) });
  later.world.probe = probeReading({ version: "2026.10.1" });
  await later.watch.look(forever);
  assert.equal(later.underWay(), undefined);
});

test("a gateway that hangs does not tell its version again: what it told an earlier life of the guard counts", async () => {
  const before = watching();
  await before.watch.look(forever);
  const { watch, world, underWay } = watching({ saved: before.watch.save() });
  world.probe = silentProbe();
  world.installation = { ...untouched, version: "2026.10.1" };
  const e = await watch.look(forever);
  assert.equal(e.version, "2026.9.6");
  assert.deepEqual(underWay(), ["version_on_disk"]);
});

test("a package manager is seen also when the gateway is gone, and a version on the disk then differs from nothing", async () => {
  const { watch, world, underWay } = watching();
  await watch.look(forever);
  world.process = { found: false };
  world.installation = { ...untouched, version: "2026.10.1", packageManagerAtWork: true };
  const later = watching({ saved: watch.save() });
  later.world.process = world.process;
  later.world.installation = world.installation;
  await later.watch.look(forever);
  assert.deepEqual(later.underWay(), ["package_manager"]);
  assert.equal(underWay(), undefined);
});

test("the thirty minutes of an update run on over a restart of the guard", async () => {
  const clock = handClock();
  const before = watching({ clock });
  before.world.installation = { ...untouched, packageManagerAtWork: true };
  await before.watch.look(forever);
  const saved = before.watch.save();
  await clock.suspend(minutes(20));
  const { watch, world, underWay } = watching({ saved, clock });
  world.installation = { ...untouched, packageManagerAtWork: true };
  await watch.look(forever);
  assert.deepEqual(watch.evidence().updating.package_manager, { seen: true, since: noon });
  assert.deepEqual(underWay(), ["package_manager"]);
  await clock.suspend(minutes(10));
  assert.equal(underWay(), undefined);
});

test("an installation that cannot be looked at is unknown, and holds nothing up", async () => {
  const { watch, world, underWay } = watching();
  world.installation = undefined;
  const e = await watch.look(forever);
  assert.deepEqual(e.updating, { package_manager: undefined, version_on_disk: undefined });
  assert.equal(underWay(), undefined);
  assert.equal(e.stall.class, "alive");
  const track = watch
    .samplings()
    .find(({ collector }) => collector.name === "installation")
    ?.track();
  assert.match(track?.problem ?? "", /cannot be listed/);
});

test("the slowest start is remembered over a restart of the guard, and so is the budget that follows", async () => {
  const { watch, world, clock, run } = watching();
  world.process = processReading({ incarnation: incarnation({ startedAt: noon }), listening: false });
  world.probe = silentProbe();
  const loop = run();
  await clock.pass(minutes(13));
  assert.equal(watch.evidence().stall.class, "starting");
  world.process = processReading({ incarnation: incarnation({ startedAt: noon }) });
  world.probe = probeReading();
  await clock.pass(seconds(5));
  await loop.end();
  const slowest = watch.evidence().stall.slowestStart ?? 0;
  assert.ok(slowest >= minutes(13) && slowest <= minutes(13) + seconds(10), `${slowest} ms`);

  const later = watching({ saved: watch.save() });
  assert.equal(startBudget(later.watch.evidence().stall, policy), 2 * slowest);
  later.world.process = { found: false };
  await later.watch.look(forever);
  assert.equal(later.watch.evidence().stall.slowestStart, slowest, "also while nothing runs");
});

test("a sleep of the host is told to the minute, and remains known", async () => {
  const { watch, clock, run } = watching();
  const loop = run();
  await clock.pass(seconds(30));
  assert.equal(watch.evidence().wokeAt, undefined);
  await clock.suspend(seconds(40));
  const wokeAt = watch.evidence().wokeAt;
  assert.ok(wokeAt !== undefined && wokeAt >= after(noon, seconds(70)));
  await clock.pass(minutes(10));
  assert.equal(watch.evidence().wokeAt, wokeAt);
  await loop.end();
});

for (const [what, saved] of [
  ["no object", '"slow"'],
  ["a start that is none", '{"slowestStart":"an hour"}'],
  ["a start before it began", '{"slowestStart":-5}'],
  ["an update of another shape", '{"updating":[1,2]}'],
  ["an update without its beginning", '{"updating":{"package_manager":{"seen":true}}}'],
  ["a version of nobody", '{"told":{"version":"2026.9.6"}}'],
] as const) {
  test(`a saved state with ${what} is forgotten, not believed`, async () => {
    const { watch, world } = watching({ saved });
    world.probe = silentProbe();
    world.installation = undefined;
    const { stall, updating, version } = await watch.look(forever);
    assert.equal(stall.slowestStart, undefined);
    assert.deepEqual(updating, { package_manager: undefined, version_on_disk: undefined });
    assert.equal(version, undefined);
  });
}
