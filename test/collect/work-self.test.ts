// Does the connection that tells the work also tell whether the gateway answers, and what it says about itself?
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { parseHealth, parseStatus } from "../../src/collect/self-report.ts";
import { workCollector } from "../../src/collect/work.ts";
import { instant, ms } from "../../src/core/time.ts";
import { probed, startGateway } from "./rpc-server.ts";

const never = new AbortController().signal;

/** What a gateway of version 2026.9.6 answered, shortened to what is read and a few of its neighbours. */
const status = {
  runtimeVersion: "2026.9.6",
  eventLoop: { degraded: false, delayP99Ms: 21.4, delayMaxMs: 35.5, utilization: 0.02 },
  processMemory: {
    rssBytes: 890_232_832,
    heapUsedBytes: 241_577_248,
    heapTotalBytes: 378_429_440,
    externalBytes: 8_007_329,
    arrayBuffersBytes: 3_800_925,
  },
  shutdownBudget: { timeoutMs: 325_000, reserveMs: 10_000, activeWork: { rootRequests: 0 } },
};
const health = {
  ok: true,
  durationMs: 61,
  plugins: { loaded: ["browser", "canvas"], errors: [{ id: "x" }], unavailable: [] },
  modelRuntime: { degraded: false, pendingAgents: [] },
};

test("the same connection tells heap, drain budget, lag, plugins and health", async () => {
  await using gateway = await startGateway({ status, health });
  await using work = watching(gateway);
  const reading = await work.read(never);
  assert.equal(gateway.connections(), 1);
  assert.partialDeepStrictEqual(reading, {
    known: true,
    self: { loopDelayP99: 21.4, loopDelayMax: 35.5, drainBudget: 325_000 },
  });
  const told = Object.fromEntries(
    work
      .samples(reading)
      .filter(({ name }) => /_(runtime_memory_bytes|drain_budget|health_ok|plugins|degraded)/.test(name))
      .map(({ name, labels, value }) => [
        [name.replace("openclaw_gateway_", ""), ...Object.values(labels ?? {})].join(" "),
        value,
      ]),
  );
  assert.deepEqual(told, {
    "runtime_memory_bytes heap_used": 241_577_248,
    "runtime_memory_bytes heap_total": 378_429_440,
    "runtime_memory_bytes external": 8_007_329,
    "runtime_memory_bytes array_buffers": 3_800_925,
    drain_budget_seconds: 325,
    health_ok: 1,
    "plugins loaded": 2,
    "plugins failed": 1,
    "plugins unavailable": 0,
    model_runtime_degraded: 0,
  });
});

test("health is asked once a minute and status at its cadence, however often the work is looked at", async () => {
  await using gateway = await startGateway({ status, health });
  await using work = watching(gateway);
  for (let n = 0; n < 10; n++) assert.ok("self" in (await work.read(never)));
  assert.deepEqual(gateway.called(), { "gateway.restart.preflight": 10, status: 1, health: 1 });
  // On another connection another life may answer: what the one before it said is asked anew.
  gateway.cut();
  await until(() => gateway.open() === 0);
  await work.read(never);
  assert.partialDeepStrictEqual(gateway.called(), { status: 2, health: 2 });
});

test("a gateway that keeps silent about itself, says nonsense or does not know the question still tells its work", async () => {
  for (const odd of [
    "silence",
    undefined,
    null,
    [],
    { processMemory: 7, plugins: { loaded: 3 }, ok: "yes" },
  ]) {
    await using gateway = await startGateway({ status: odd, health: odd });
    await using work = watching(gateway);
    const reading = await work.read(never);
    assert.partialDeepStrictEqual(reading, { known: true, restartSafe: true });
    const names = work.samples(reading).map(({ name }) => name);
    assert.ok(
      !names.some((name) => /runtime_memory|health_ok|plugins|drain_budget/.test(name)),
      names.join(),
    );
    assert.equal(probed(work.samples(reading))["success"], 1);
  }
});

test("an answer about itself may lack anything, and a part of another shape is unknown", () => {
  assert.partialDeepStrictEqual(parseStatus({ processMemory: { heapUsedBytes: -1, heapTotalBytes: 5 } }), {
    heapUsedBytes: undefined,
    heapTotalBytes: 5,
    drainBudget: undefined,
  });
  assert.deepEqual(parseHealth({ ok: 1, plugins: {}, modelRuntime: null }), {
    ok: undefined,
    plugins: undefined,
    modelRuntimeDegraded: undefined,
  });
  for (const bad of [undefined, null, "ok", 7]) {
    assert.equal(parseStatus(bad), undefined);
    assert.equal(parseHealth(bad), undefined);
  }
});

test("the RPC is a probe: it succeeds, fails, and counts since when", async () => {
  await using gateway = await startGateway();
  const latencies: [string, boolean][] = [];
  await using work = workCollector({
    url: gateway.url,
    token: () => "T",
    timeout: ms(300),
    now: () => instant(1_800_000_000_000),
    latency: (probe, seconds, answered) => {
      assert.ok(answered ? seconds < 0.3 : seconds >= 0.29, `${seconds}`);
      latencies.push([probe, answered]);
    },
  });
  assert.deepEqual(probed(work.samples(await work.read(never))), {
    consecutive_failures: 0,
    success: 1,
    last_success_timestamp_seconds: 1_800_000_000,
  });
  gateway.silence(true);
  for (let n = 1; n <= 2; n++)
    assert.deepEqual(probed(work.samples(await work.read(never))), {
      consecutive_failures: n,
      success: 0,
      failure_info: "timeout",
      last_success_timestamp_seconds: 1_800_000_000,
    });
  gateway.silence(false);
  assert.equal(probed(work.samples(await work.read(never)))["consecutive_failures"], 0);
  assert.deepEqual(latencies, [
    ["rpc", true],
    ["rpc", false],
    ["rpc", false],
    ["rpc", true],
  ]);
});

test("a token that is refused says nothing about the gateway: neither success nor failure, and the reason is shown", async () => {
  await using gateway = await startGateway();
  await using work = workCollector({ url: gateway.url, token: () => "wrong", timeout: ms(500) });
  for (let n = 0; n < 3; n++)
    assert.deepEqual(probed(work.samples(await work.read(never))), {
      consecutive_failures: 0,
      failure_info: "unauthorized",
    });
});

test("garbage instead of an answer is a failure with its reason", async () => {
  for (const [preflight, reason] of [
    [{ safe: "perhaps" }, "protocol"],
    ["<html>", "protocol"],
  ] as const) {
    await using gateway = await startGateway({ preflight });
    await using work = watching(gateway);
    assert.deepEqual(probed(work.samples(await work.read(never))), {
      consecutive_failures: 1,
      success: 0,
      failure_info: reason,
    });
  }
});

function watching(gateway: { readonly url: URL }) {
  return workCollector({ url: gateway.url, token: () => "T", timeout: ms(500) });
}

async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!so()) {
    assert.ok(performance.now() < deadline, "not so within 5 s");
    await wait(5);
  }
}
