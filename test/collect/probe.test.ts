// Do the probes tell well, slow, silent, refused and garbled apart, at their cadence, and keep count over readings?
import assert from "node:assert/strict";
import { test } from "node:test";
import { probeCollector } from "../../src/collect/probe.ts";
import { instant, seconds } from "../../src/core/time.ts";
import { named, startGateway, until, values, watching } from "./probe-server.ts";

const epoch = () => instant(0);

test("a gateway that is well: three successes, its version, its phase and its lag", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  const reading = await watch.read();
  assert.equal(reading.healthz.outcome, "ok");
  assert.equal(reading.startupz?.outcome, "ok");
  assert.equal(reading.readyz?.outcome, "ok");
  assert.equal(reading.phase, "started");
  assert.equal(reading.version, "2026.9.6");
  assert.equal(reading.loopDelayP99, 21.5);
  assert.equal(reading.loopDelayMax, 40);
  assert.deepEqual(values(watch.samples(), "duration_seconds").length, 3);
  assert.deepEqual(named(watch.samples(), "probe_success"), { healthz: 1, startupz: 1, readyz: 1 });
  assert.deepEqual(named(watch.samples(), "probe_last_success_timestamp_seconds"), {
    healthz: 1_800_000_000,
    startupz: 1_800_000_000,
    readyz: 1_800_000_000,
  });
});

test("a gateway that is well is asked for start and readiness at the slower cadence only, and their samples stay", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  const slow: boolean[] = [];
  const lags: unknown[] = [];
  for (let n = 0; n < 5; n++) {
    const reading = await watch.read();
    slow.push(reading.startupz !== undefined);
    lags.push(reading.loopDelayMax);
    assert.deepEqual(named(watch.samples(), "probe_success"), { healthz: 1, startupz: 1, readyz: 1 });
    watch.pass(5);
  }
  assert.deepEqual(slow, [true, false, false, true, false]);
  assert.deepEqual(lags, [40, 40, 40, 40, 40], "what was told lasts until it is told anew");
  assert.deepEqual(gateway.asked(), { healthz: 5, startupz: 2, readyz: 2 });
});

test("while it starts or drains it is asked each time, until it has started", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  const phases: unknown[] = [];
  for (const phase of ["starting", "starting", "started", "started"] as const) {
    gateway.be(phase);
    const reading = await watch.read();
    phases.push(reading.phase);
    assert.equal(reading.healthz.outcome, "ok");
    if (phase === "starting")
      assert.partialDeepStrictEqual(reading.startupz, { outcome: "failed", heard: true, status: 503 });
    watch.pass(5);
  }
  assert.deepEqual(phases, ["starting", "starting", "started", undefined]);
  gateway.be("draining");
  watch.pass(10);
  assert.equal((await watch.read()).phase, "draining");
});

test("silence is counted, the slow probes rest, and one request stays open that tells when the answer comes late", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  await watch.read();
  gateway.be("blocked");
  for (let n = 1; n <= 3; n++) {
    watch.pass(5);
    const reading = await watch.read();
    assert.partialDeepStrictEqual(reading.healthz, { outcome: "failed", heard: false, failure: "timeout" });
    assert.equal(reading.startupz, undefined);
    assert.equal(reading.loopDelayMax, undefined, "of a silent gateway no lag is known");
    assert.equal(reading.heldAnswered, false);
    assert.equal(named(watch.samples(), "probe_consecutive_failures")["healthz"], n);
    await until(() => gateway.connections() === 1);
  }
  assert.deepEqual(named(watch.samples(), "probe_success"), { healthz: 0 });

  gateway.answerWaiting();
  watch.pass(5);
  // The late answer counts although this probe goes unanswered again: slow, not hung.
  const late = await watch.read();
  assert.equal(late.healthz.outcome, "failed");
  assert.equal(late.heldAnswered, true);
  watch.pass(5);
  assert.equal((await watch.read()).heldAnswered, false);

  gateway.be("started");
  const back = await watch.read();
  assert.equal(back.healthz.outcome, "ok");
  assert.equal(back.phase, "started");
  assert.equal(named(watch.samples(), "probe_consecutive_failures")["healthz"], 0);
  await until(() => gateway.connections() === 0);
});

test("a held request that was cut off makes way for the next one", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  gateway.be("blocked");
  await watch.read();
  gateway.cut();
  await until(() => gateway.connections() === 0);
  await watch.read();
  await until(() => gateway.connections() === 1);
  gateway.answerWaiting();
  assert.equal((await watch.read()).heldAnswered, true);
});

test("a refused connection failed without a byte", async () => {
  const gateway = await startGateway();
  await using watch = watching(gateway);
  await gateway[Symbol.asyncDispose]();
  const reading = await watch.read();
  assert.partialDeepStrictEqual(reading.healthz, { outcome: "failed", heard: false, failure: "refused" });
  assert.deepEqual(named(watch.samples(), "probe_success"), { healthz: 0 });
  assert.deepEqual(named(watch.samples(), "probe_last_success_timestamp_seconds"), {});
});

test("an inconclusive probe adds no failure and has no success", async () => {
  await using nowhere = watching({ url: new URL("http://gateway.invalid:1/") });
  const reading = await nowhere.read();
  assert.equal(reading.healthz.outcome, "inconclusive");
  assert.deepEqual(named(nowhere.samples(), "probe_success"), {});
  assert.equal(named(nowhere.samples(), "probe_consecutive_failures")["healthz"], 0);
});

test("an answer in another shape is an answer, and what it says is unknown", async () => {
  for (const body of [
    "",
    "<html>",
    "[]",
    "null",
    '{"status":7,"version":"","eventLoop":{"delayP99Ms":"x","delayMaxMs":-1}}',
  ]) {
    await using gateway = await startGateway(body);
    await using watch = watching(gateway);
    const reading = await watch.read();
    assert.equal(reading.healthz.outcome, "ok");
    assert.equal(reading.startupz?.outcome, "ok");
    assert.equal(reading.phase, undefined);
    assert.equal(reading.version, undefined);
    assert.equal(reading.loopDelayP99, undefined);
  }
});

test("an error page is heard and is no success", async () => {
  await using gateway = await startGateway();
  gateway.be("broken");
  await using watch = watching(gateway);
  assert.partialDeepStrictEqual((await watch.read()).healthz, {
    outcome: "failed",
    heard: true,
    status: 500,
  });
});

test("every sample belongs to a declared family", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  await watch.read();
  const names = new Set(watch.collector.metrics.map(({ name }) => name));
  for (const { name } of watch.samples()) assert.ok(names.has(name), name);
});

test("a timeout that does not fit twice into the cadence is refused", () => {
  const url = new URL("http://127.0.0.1:1/");
  assert.throws(
    () => probeCollector({ url, now: epoch, every: seconds(3), timeout: seconds(2) }),
    /does not fit twice/,
  );
  assert.ok(probeCollector({ url, now: epoch }).deadline < 5000);
});

test("a reading that is called off rejects, and disposal closes what is open", async () => {
  await using gateway = await startGateway();
  gateway.be("blocked");
  const watch = watching(gateway);
  await watch.read();
  const stop = new AbortController();
  const reading = watch.collector.read(stop.signal);
  await until(() => gateway.connections() === 2);
  stop.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
  await watch[Symbol.asyncDispose]();
  await until(() => gateway.connections() === 0);
});
