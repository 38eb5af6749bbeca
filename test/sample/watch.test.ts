// Do the readings of one gateway add up to the same evidence for metrics, decisions and verification?
import assert from "node:assert/strict";
import { test } from "node:test";
import { hangConfirmed, silentFor } from "../../src/core/stall.ts";
import type { HostReading, ProbeReading, ProcessReading, WorkReading } from "../../src/core/readings.ts";
import { elapsed, minutes, ms, seconds } from "../../src/core/time.ts";
import { watchGateway, type WatchPolicy } from "../../src/sample/watch.ts";
import {
  gib,
  incarnation,
  mib,
  noon,
  policy as defaults,
  probeReading,
  processReading,
  silentProbe,
} from "../core/support.ts";
import { collectorOf, type HandClock, handClock } from "./support.ts";

const policy: WatchPolicy & { hangConfirm: typeof defaults.hangConfirm; hangProbes: number } = defaults;
const forever = new AbortController().signal;

test("a fresh look asks everything anew, and the process twice: the queue counts after the probe has been in it", async () => {
  const { watch, asked } = watching();
  const e = await watch.look(forever);
  assert.deepEqual(asked, ["process", "probe", "work", "process"]);
  assert.equal(e.stall.class, "alive");
  assert.equal(e.version, "2026.9.6");
  assert.equal(e.work?.reading.known, true);
});

test("a look at a gateway that is gone asks it nothing", async () => {
  const { watch, world, asked } = watching();
  world.process = { found: false };
  const e = await watch.look(forever);
  assert.deepEqual(asked, ["process"]);
  assert.equal(e.stall.class, "gone");
  assert.equal(e.stall.goneSince, noon);
});

test("a look joins a reading that is under way instead of asking twice", async () => {
  const { watch, asked } = watching();
  await Promise.all([watch.look(forever), watch.look(forever)]);
  assert.deepEqual(asked, ["process", "probe", "work", "process"]);
});

test("a look that is aborted rejects and is not taken for evidence", async () => {
  const { watch } = watching();
  await assert.rejects(watch.look(AbortSignal.abort(new Error("the guard is ending"))), /ending/);
});

test("a silence lasts from its first unanswered probe, and an answer ends it", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  await clock.pass(seconds(10));
  fallSilent(world);
  await clock.pass(seconds(60));
  const silent = silentFor(watch.evidence().stall, clock.now(), policy);
  assert.ok(silent >= 50_000 && silent <= 60_000, `${silent} ms`);
  assert.equal(hangConfirmed(watch.evidence().stall, clock.now(), policy), false);
  await clock.pass(seconds(40));
  assert.equal(hangConfirmed(watch.evidence().stall, clock.now(), policy), true);
  world.probe = probeReading();
  await clock.pass(seconds(5));
  assert.equal(watch.evidence().stall.class, "alive");
  assert.equal(silentFor(watch.evidence().stall, clock.now(), policy), 0);
  await loop.end();
});

test("a sleep of the host voids a silence and says when it was", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  await clock.pass(seconds(10));
  fallSilent(world);
  await clock.pass(seconds(60));
  await clock.suspend(minutes(30));
  const { stall, wokeAt } = watch.evidence();
  assert.ok(silentFor(stall, clock.now(), policy) < 10_000, "half an hour of sleep is nobody's silence");
  assert.ok(wokeAt !== undefined && elapsed(wokeAt, clock.now()) < 1000);
  await loop.end();
});

test("a sleep of the host voids the time that descriptors have been many", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  world.process = processReading({ openFds: 1000 });
  await clock.pass(seconds(20));
  assert.ok(elapsed(watch.evidence().descriptorsHighSince ?? noon, clock.now()) >= 15_000);
  await clock.suspend(minutes(30));
  const { descriptorsHighSince } = watch.evidence();
  assert.ok(descriptorsHighSince !== undefined && elapsed(descriptorsHighSince, clock.now()) < 10_000);
  await loop.end();
});

test("descriptors that fall below their limit once begin anew", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  world.process = processReading({ openFds: 1000 });
  await clock.pass(seconds(20));
  world.process = processReading({ openFds: 100 });
  await clock.pass(seconds(5));
  assert.equal(watch.evidence().descriptorsHighSince, undefined);
  world.process = processReading({ openFds: undefined });
  await clock.pass(seconds(5));
  assert.equal(watch.evidence().descriptorsHighSince, undefined, "unknown is not many");
  await loop.end();
});

test("nothing that was true of one life is read into the next", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  world.process = processReading({ openFds: 1000 });
  await clock.pass(seconds(10));
  fallSilent(world);
  await clock.pass(seconds(30));
  world.probe = probeReading({ version: undefined });
  world.process = processReading({ incarnation: incarnation({ pid: 5000, startTicks: 99 }) });
  await clock.pass(seconds(5));
  const e = watch.evidence();
  assert.equal(e.stall.incarnation?.pid, 5000);
  assert.equal(e.stall.silence, undefined);
  assert.equal(e.descriptorsHighSince, undefined);
  assert.equal(e.version, undefined);
  assert.ok(e.trend.floors.length <= 1);
  await loop.end();
});

test("what fails to be read is unknown, and the others go on", async () => {
  const { watch, world, clock, run } = watching();
  const loop = run();
  await clock.pass(seconds(10));
  world.process = undefined;
  await clock.pass(seconds(5));
  const e = watch.evidence();
  assert.equal(e.process, undefined);
  assert.equal(e.stall.class, undefined, "without the process nobody can tell");
  assert.equal(e.probe?.reading.healthz.outcome, "ok");
  assert.deepEqual(
    watch.samplings().map((each) => [each.collector.name, each.track().success]),
    [
      ["process", false],
      ["probe", true],
      ["work", true],
    ],
  );
  await loop.end();
});

test("the smallest limit applies: of the cgroup, of the configuration, of what the host can still give", async () => {
  const { watch, world } = watching();
  await watch.look(forever);
  assert.deepEqual(watch.evidence().limit, { bytes: 2 * gib, source: "cgroup" });
  world.host = { ...roomy, memoryAvailableBytes: 100 * mib };
  await watch.look(forever);
  assert.deepEqual(watch.evidence().limit, { bytes: 1000 * mib, source: "host" });
  const configured = watching({ policy: { ...policy, configuredLimitBytes: 512 * mib } });
  await configured.watch.look(forever);
  assert.deepEqual(configured.watch.evidence().limit, { bytes: 512 * mib, source: "configured" });
});

test("the detector's memory survives a restart of the guard for the same life only", async () => {
  const before = watching();
  const loop = before.run();
  await before.clock.pass(minutes(10));
  before.watch.rememberSeen(incarnation());
  const saved = before.watch.save();
  const { floors } = before.watch.evidence().trend;
  assert.ok(floors.length >= 9);
  await loop.end();

  const same = watching({ saved });
  assert.equal(same.watch.lastSeen()?.pid, incarnation().pid);
  await same.watch.look(forever);
  assert.deepEqual(same.watch.evidence().trend.floors, floors);

  const other = watching({ saved });
  other.world.process = processReading({ incarnation: incarnation({ startTicks: 1001 }) });
  await other.watch.look(forever);
  assert.deepEqual(other.watch.evidence().trend.floors, []);
  other.world.process = processReading();
  await other.watch.look(forever);
  assert.deepEqual(other.watch.evidence().trend.floors, [], "a life that was replaced does not come back");
});

test("a gateway that answered before the guard was started anew can still be seen to hang, another life cannot", async () => {
  const before = watching();
  await before.watch.look(forever);
  const saved = before.watch.save();
  assert.equal(before.saves(), 1, "the first answer is saved at once");
  await before.watch.look(forever);
  assert.equal(before.saves(), 1);

  for (const [life, isHang] of [
    [incarnation(), true],
    [incarnation({ startTicks: 1001 }), false],
  ] as const) {
    const { watch, world, clock, run } = watching({ saved });
    world.process = processReading({ acceptQueue: 3, state: "R", incarnation: life });
    world.probe = silentProbe();
    const loop = run();
    await clock.pass(minutes(2));
    assert.equal(hangConfirmed(watch.evidence().stall, clock.now(), policy), isHang);
    await loop.end();
  }
});

test("an answer that comes before the process was seen is not lost", async () => {
  const { watch, world, clock, run } = watching();
  const found = Promise.withResolvers<ProcessReading>();
  world.slow = found.promise;
  const loop = run();
  await clock.pass(seconds(1));
  world.slow = undefined;
  found.resolve(processReading());
  await clock.pass(ms(1));
  fallSilent(world);
  await clock.pass(minutes(2));
  assert.equal(hangConfirmed(watch.evidence().stall, clock.now(), policy), true);
  await loop.end();
});

test("what was saved and never seen again is saved on, so that a crash at the start loses nothing", () => {
  const before = watching();
  before.watch.rememberSeen(incarnation());
  const saved = before.watch.save();
  assert.equal(watching({ saved }).watch.save(), saved);
});

for (const [what, saved] of [
  ["no JSON", "{"],
  ["another shape", JSON.stringify([1, 2, 3])],
  [
    "a detector that is none",
    JSON.stringify({ detector: { incarnation: "boot-1:4242:1000", trend: 7 }, seen: 3 }),
  ],
  ["floors that are none", JSON.stringify({ detector: { incarnation: "a", trend: { floors: ["x"] } } })],
] as const) {
  test(`a saved state that is ${what} is forgotten, not believed`, async () => {
    const { watch } = watching({ saved });
    assert.equal(watch.lastSeen(), undefined);
    await watch.look(forever);
    assert.deepEqual(watch.evidence().trend.floors, []);
  });
}

test("a gateway whose probes hang delays no look at another", async () => {
  const clock = handClock();
  const hung = watching({ clock });
  hung.world.hangs = true;
  const well = watching({ clock });
  const loops = [hung.run(), well.run()];
  await clock.pass(minutes(2));
  const reads = well.asked.filter((name) => name === "probe").length;
  assert.ok(reads >= 24, `${reads} probes in two minutes`);
  assert.equal(well.watch.evidence().stall.class, "alive");
  const itsOwn = hung.asked.filter((name) => name === "process").length;
  assert.ok(itsOwn >= reads, "its own other readings go on, too");
  for (const loop of loops) await loop.end();
});

test("without a token nothing is asked about work", async () => {
  const { watch, asked } = watching({ work: false });
  const e = await watch.look(forever);
  assert.deepEqual(asked, ["process", "probe", "process"]);
  assert.equal(e.work, undefined);
  assert.equal(watch.samplings().length, 2);
});

const roomy: HostReading = {
  memoryTotalBytes: 8 * gib,
  memoryAvailableBytes: 5 * gib,
  swapTotalBytes: 0,
  swapFreeBytes: 0,
};

type World = {
  /** Undefined: cannot be read. */
  process: ProcessReading | undefined;
  probe: ProbeReading;
  work: WorkReading;
  host: HostReading | undefined;
  hangs: boolean;
  /** The process is read as soon as this resolves. */
  slow?: Promise<ProcessReading> | undefined;
};

function fallSilent(world: World): void {
  world.process = processReading({ acceptQueue: 3, state: "R" });
  world.probe = silentProbe();
}

/** A watch over a world that a test changes as it goes. */
function watching(
  given: {
    readonly saved?: string;
    readonly clock?: HandClock;
    readonly work?: boolean;
    readonly policy?: WatchPolicy;
  } = {},
) {
  const clock = given.clock ?? handClock();
  const asked: string[] = [];
  let saves = 0;
  const world: World = {
    process: processReading(),
    probe: probeReading(),
    work: { known: true, restartSafe: true, active: {} },
    host: roomy,
    hangs: false,
  };
  const read = <Reading>(name: string, what: () => Reading | undefined | Promise<Reading>) =>
    collectorOf(
      async () => {
        asked.push(name);
        const reading = await what();
        if (reading === undefined) throw new Error(`${name} cannot be read`);
        return reading;
      },
      { name, deadline: ms(4000) },
    );
  const watch = watchGateway(
    {
      process: read("process", () => world.slow ?? world.process),
      probe: read("probe", () => (world.hangs ? new Promise<ProbeReading>(() => undefined) : world.probe)),
      work: given.work === false ? undefined : read("work", () => world.work),
    },
    () => (world.host === undefined ? undefined : { at: clock.now(), reading: world.host }),
    clock,
    () => given.policy ?? policy,
    given.saved,
    () => saves++,
  );
  const run = () => {
    const ending = new AbortController();
    const loop = watch.run(ending.signal);
    return {
      end: () => {
        ending.abort(new Error("the test is over"));
        return loop;
      },
    };
  };
  return { watch, world, clock, asked, run, saves: () => saves };
}
