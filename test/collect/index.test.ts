// Does the list of collectors agree with itself: names, cadences, families?
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayCollectors, hostCollectors } from "../../src/collect/index.ts";
import type { MetricSpec } from "../../src/core/sample.ts";
import { instant, seconds } from "../../src/core/time.ts";

const world = { procRoot: "/proc", sysRoot: "/sys", now: () => instant(0) };
const gateway = { port: 18789, host: "127.0.0.1", token: () => undefined };

test("every collector ends before its next reading begins, and its name is the one it is listed under", async () => {
  const listed = { ...gatewayCollectors(gateway, world), host: hostCollectors(world).host };
  assert.ok(Object.keys(listed).length > 4);
  for (const [name, collector] of Object.entries(listed)) {
    assert.equal(collector.name, name);
    assert.ok(collector.deadline > 0 && collector.deadline < collector.every, name);
  }
  await listed.probe[Symbol.asyncDispose]();
  await listed.work[Symbol.asyncDispose]();
});

test("no family is declared twice, and each name and help is fit for an exposition", () => {
  const listed = [gatewayCollectors(gateway, world), hostCollectors(world)].flatMap((each) =>
    Object.values<{ readonly metrics: readonly MetricSpec[] }>(each),
  );
  const metrics = listed.flatMap((collector) => collector.metrics);
  assert.equal(new Set(metrics.map(({ name }) => name)).size, metrics.length);
  for (const { name, type, help } of metrics) {
    assert.match(name, /^openclaw_(gateway|host|guard)_[a-z0-9_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.match(help, /^[A-Z/].*\.$/);
  }
});

test("without /proc the process is read by other means, more rarely, and whatever needs /proc is silent", async () => {
  const blind = { ...world, procRoot: "/nowhere" };
  const listed = gatewayCollectors({ ...gateway, cadence: { process: seconds(1) } }, blind);
  assert.equal(listed.process.every, seconds(15));
  const signal = new AbortController().signal;
  const { sockets, memory_map: memoryMap, claimants } = listed;
  assert.deepEqual(sockets.samples(await sockets.read(signal)), []);
  assert.deepEqual(memoryMap.samples(await memoryMap.read(signal)), []);
  assert.deepEqual(claimants.samples(await claimants.read(signal)), []);
  await listed.work[Symbol.asyncDispose]();
});

test("cadences can be set, and an IPv6 host makes a proper address", async () => {
  const cadence = { process: seconds(1), probe: seconds(2), probeTimeout: seconds(0.5), work: seconds(3) };
  const { process, probe, work } = gatewayCollectors({ ...gateway, host: "::1", cadence }, world);
  assert.deepEqual([process.every, probe.every, work.every], [1000, 2000, 3000]);
  await work[Symbol.asyncDispose]();
});
