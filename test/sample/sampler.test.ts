// Is everything looked at in time, once at a time, and is nothing taken for seen that was not?
import assert from "node:assert/strict";
import { test } from "node:test";
import { after, type Instant, ms, seconds } from "../../src/core/time.ts";
import { sampling } from "../../src/sample/sampler.ts";
import { noon } from "../core/support.ts";
import { collectorOf, handClock, settled } from "./support.ts";

test("a collector reads at once and then at its cadence", async () => {
  const clock = handClock();
  const at: number[] = [];
  using run = running((signal) =>
    sampling(
      collectorOf(() => at.push(clock.now() - noon)),
      clock,
    ).run(signal),
  );
  await clock.pass(seconds(20));
  assert.deepEqual(at, [0, 5000, 10_000, 15_000, 20_000]);
  await run.end();
});

test("loops that begin together do not stay together when each has a phase of its own", async () => {
  const clock = handClock();
  const at: number[] = [];
  using run = running((signal) =>
    sampling(
      collectorOf(() => at.push(clock.now() - noon)),
      clock,
    ).run(signal, 0.2),
  );
  await clock.pass(seconds(12));
  assert.deepEqual(at, [0, 1000, 6000, 11_000], "the first look at once, the cadence as ever");
  await run.end();
});

test("another collector is taken over between two readings, at its own cadence from then on", async () => {
  const clock = handClock();
  const at: string[] = [];
  const named = (name: string, every: number) =>
    collectorOf(() => at.push(`${name} ${clock.now() - noon}`), { every: ms(every) });
  const one = sampling(named("old", 5000), clock);
  using run = running((signal) => one.run(signal));
  await clock.pass(seconds(6));
  await one.adopt(named("new", 2000));
  await clock.pass(seconds(8));
  assert.deepEqual(at, ["old 0", "old 5000", "new 10000", "new 12000", "new 14000"]);
  assert.equal(one.collector.every, 2000);
  await run.end();
});

test("readings of one kind never overlap, and one that took too long is not caught up in a burst", async () => {
  const clock = handClock();
  const begun: number[] = [];
  let readings = 0;
  let most = 0;
  const slow = collectorOf(async (signal) => {
    begun.push(clock.now() - noon);
    most = Math.max(most, ++readings);
    // Three cadences long, as if the machine were short of breath; shorter than the real deadline.
    await clock.sleep(seconds(16), signal);
    readings--;
  });
  using run = running((signal) => sampling(slow, clock).run(signal));
  await clock.pass(seconds(50));
  assert.equal(most, 1);
  assert.deepEqual(begun, [0, 16_000, 32_000, 48_000]);
  await run.end();
});

test("who asks while a reading is under way gets that one", async () => {
  const clock = handClock();
  let begun = 0;
  const answer = Promise.withResolvers<string>();
  const one = sampling(
    collectorOf(() => {
      begun++;
      return answer.promise;
    }),
    clock,
  );
  const both = Promise.all([one.read(forever), one.read(forever)]);
  answer.resolve("seen");
  await both;
  assert.equal(begun, 1);
  assert.equal(one.latest()?.reading, "seen");
  await one.read(forever);
  assert.equal(begun, 2);
});

test("a reading that does not listen is given up at its deadline, and the next one is taken", async () => {
  const clock = handClock();
  let begun = 0;
  const deaf = collectorOf(() => (++begun === 1 ? new Promise<string>(() => undefined) : "seen"), {
    deadline: ms(20),
  });
  const one = sampling(deaf, clock);
  await one.read(forever);
  assert.equal(one.track().success, false);
  assert.match(one.track().problem ?? "", /timeout/i);
  assert.equal(one.latest(), undefined);
  await one.read(forever);
  assert.equal(one.latest()?.reading, "seen");
});

test("a failing collector keeps its own track and no other's readings", async () => {
  const clock = handClock();
  const failing = sampling(
    collectorOf(() => Promise.reject(new Error("permission denied")), { name: "bad" }),
    clock,
  );
  const good = sampling(
    collectorOf(() => 42, { name: "good" }),
    clock,
  );
  using run = running((signal) => Promise.all([failing.run(signal), good.run(signal)]));
  await clock.pass(seconds(12));
  assert.deepEqual(
    [failing.track().success, failing.track().problem, failing.track().lastSuccessAt, failing.latest()],
    [false, "permission denied", undefined, undefined],
  );
  assert.deepEqual([good.track().success, good.latest()?.reading], [true, 42]);
  await run.end();
});

test("the time of the last success stays when a collector begins to fail", async () => {
  const clock = handClock();
  let ill = false;
  const one = sampling(
    collectorOf(() => {
      if (ill) throw new Error("ill");
      return 1;
    }),
    clock,
  );
  await one.read(forever);
  ill = true;
  await clock.pass(seconds(5));
  await one.read(forever);
  assert.equal(one.track().success, false);
  assert.equal(one.track().lastSuccessAt, noon);
  assert.equal(one.latest(), undefined, "what failed last is unknown, not what it was before");
});

test("a reading older than three cadences is unknown again", async () => {
  const clock = handClock();
  const one = sampling(
    collectorOf(() => "seen"),
    clock,
  );
  await one.read(forever);
  await clock.pass(seconds(15));
  assert.equal(one.latest()?.reading, "seen");
  await clock.pass(ms(1));
  assert.equal(one.latest(), undefined);
});

test("a sleep of the host is noticed before the reading after it is made use of", async () => {
  const clock = handClock();
  const story: string[] = [];
  const one = sampling(
    collectorOf(() => "seen"),
    clock,
    {
      read: () => story.push(`read ${(clock.now() - noon) / 1000}`),
      gap: (at) => story.push(`gap ${(at - noon) / 1000}`),
    },
  );
  using run = running((signal) => one.run(signal));
  await clock.pass(seconds(5));
  await clock.suspend(seconds(600));
  assert.deepEqual(story, ["read 0", "read 5", "gap 605", "read 605"]);
  await run.end();
});

test("a sleep of the host in the middle of a reading is noticed before that reading is made use of", async () => {
  const clock = handClock();
  const story: string[] = [];
  const one = sampling(
    collectorOf(async (signal) => clock.sleep(seconds(1), signal)),
    clock,
    { read: () => story.push("read"), gap: () => story.push("gap") },
  );
  using run = running((signal) => one.run(signal));
  await settled();
  await clock.suspend(seconds(600));
  assert.deepEqual(story, ["gap", "read"]);
  await run.end();
});

test("a late wake-up of less than fifteen seconds is no gap", async () => {
  const clock = handClock();
  let gaps = 0;
  const one = sampling(
    collectorOf(() => "seen"),
    clock,
    { gap: () => gaps++ },
  );
  using run = running((signal) => one.run(signal));
  await clock.pass(seconds(5));
  await clock.suspend(seconds(20));
  assert.equal(gaps, 0);
  await clock.suspend(ms(20_001));
  assert.equal(gaps, 1);
  await run.end();
});

test("a clock that is set back neither voids anything nor stops the sampling", async () => {
  let at: Instant = noon;
  let reads = 0;
  const sleeps: number[] = [];
  const ending = new AbortController();
  const one = sampling(
    collectorOf(() => ++reads),
    {
      now: () => at,
      async sleep(length) {
        sleeps.push(length);
        at = after(at, sleeps.length === 2 ? ms(-3_600_000) : length);
        if (sleeps.length === 6) ending.abort();
      },
    },
    { gap: () => assert.fail("no time was lost") },
  );
  await one.run(ending.signal);
  assert.equal(reads, 6);
  assert.ok(
    sleeps.every((length) => length <= 5000),
    `${sleeps.join()}: no sleep is longer than the cadence`,
  );
});

test("ending is no failure: the track keeps what was", async () => {
  const clock = handClock();
  const ending = new AbortController();
  const one = sampling(
    collectorOf(() => new Promise<string>(() => undefined)),
    clock,
  );
  const run = one.run(ending.signal);
  await settled();
  ending.abort(new Error("the guard is ending"));
  await run;
  assert.equal(one.track().success, undefined);
});

const forever = new AbortController().signal;

/** Runs a loop that ends with the test; `end` waits for it. */
function running(
  loop: (signal: AbortSignal) => Promise<unknown>,
): Disposable & { end: () => Promise<unknown> } {
  const ending = new AbortController();
  const run = loop(ending.signal);
  const end = () => {
    ending.abort(new Error("the test is over"));
    return run;
  };
  return { end, [Symbol.dispose]: () => ending.abort() };
}
