// How often is a gateway asked, however many look at it, and what is told of the time and of the failure of each probe?
import assert from "node:assert/strict";
import { test } from "node:test";
import { startGateway, watching } from "./probe-server.ts";

test("why a probe was no success is shown, in a word of a closed set", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  const reasons = async () => {
    await watch.read();
    watch.pass(5);
    const shown = watch.samples().filter(({ name }) => name === "openclaw_gateway_probe_failure_info");
    return Object.fromEntries(shown.map(({ labels }) => [labels?.["probe"], labels?.["reason"]]));
  };
  assert.deepEqual(await reasons(), {});
  gateway.be("draining");
  watch.pass(15);
  assert.deepEqual(await reasons(), { startupz: "status", readyz: "status" });
  gateway.be("blocked");
  assert.deepEqual(await reasons(), { healthz: "timeout" });
  gateway.be("started");
  assert.deepEqual(await reasons(), {});
});

test("every answer and every silence is told with its time; how quickly a connection is refused is not", async () => {
  const told: [string, boolean][] = [];
  const gateway = await startGateway();
  await using watch = watching(gateway, (probe, took, answered) => {
    assert.ok(answered || took >= 0.14, `${took} s`);
    told.push([probe, answered]);
  });
  await watch.read();
  assert.deepEqual(
    new Map(told.splice(0)),
    new Map([
      ["healthz", true],
      ["startupz", true],
      ["readyz", true],
    ]),
  );
  gateway.be("blocked");
  watch.pass(5);
  await watch.read();
  assert.deepEqual(told.splice(0), [["healthz", false]]);
  await gateway[Symbol.asyncDispose]();
  watch.pass(5);
  await watch.read();
  assert.deepEqual(told, []);
});

test("however often it is looked, a gateway is asked at most once per second, whatever its phase", async () => {
  for (const phase of ["started", "starting", "draining"] as const) {
    await using gateway = await startGateway();
    gateway.be(phase);
    await using watch = watching(gateway);
    const lasted = 60;
    for (let look = 0; look < 2 * lasted; look++) {
      assert.equal((await watch.read()).healthz.outcome, "ok");
      watch.pass(0.5);
    }
    const requests = Object.values(gateway.asked()).reduce((sum, n) => sum + n, 0);
    assert.ok(requests <= lasted, `${phase}: ${requests} requests in ${lasted} s`);
    assert.ok(requests >= lasted / 3, `${phase}: it is still looked at: ${requests} requests`);
  }
});

test("at its own cadence a gateway is asked a good deal less", async () => {
  for (const [phase, most] of [
    ["started", 0.35],
    ["starting", 0.61],
  ] as const) {
    await using gateway = await startGateway();
    gateway.be(phase);
    await using watch = watching(gateway);
    for (let round = 0; round < 60; round++) {
      await watch.read();
      watch.pass(5);
    }
    const perSecond = Object.values(gateway.asked()).reduce((sum, n) => sum + n, 0) / 300;
    assert.ok(perSecond <= most, `${phase}: ${perSecond} per second`);
  }
});

test("silence is never read twice: each look at a silent gateway asks it again", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  gateway.be("blocked");
  for (let n = 1; n <= 3; n++) {
    await watch.read();
    assert.equal(gateway.asked()["healthz"], n);
  }
});

test("an answer of another life, or of before the clock was set back, is not given again", async () => {
  await using gateway = await startGateway();
  await using watch = watching(gateway);
  await watch.read();
  await watch.read();
  assert.equal(gateway.asked()["healthz"], 1);
  watch.collector.renew?.();
  assert.equal((await watch.read()).phase, "started", "a new life is asked for everything");
  assert.equal(gateway.asked()["healthz"], 2);
  watch.pass(-3600);
  await watch.read();
  assert.equal(gateway.asked()["healthz"], 3);
});
