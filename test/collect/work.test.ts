// Is work in flight read over one lasting connection, and unknown whenever that connection cannot be trusted?
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { parseLanes, parsePreflight, workCollector } from "../../src/collect/work.ts";
import { probeMetrics } from "../../src/collect/tally.ts";
import { ms } from "../../src/core/time.ts";
import { idle, idleCounts, probed, startGateway } from "./rpc-server.ts";

const never = new AbortController().signal;
const noWork = {
  queue: 0,
  pending_reply: 0,
  embedded_run: 0,
  cron_run: 0,
  background_exec: 0,
  root_request: 0,
  task: 0,
};

test("an idle gateway may be restarted, and says so on one connection however often it is asked", async () => {
  await using gateway = await startGateway();
  await using work = watching(gateway);
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(await work.read(never), { known: true, restartSafe: true, active: noWork });
  }
  assert.equal(gateway.connections(), 1);
  assert.deepEqual(gateway.hellos()[0], {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "gateway-client", version: "0", platform: "linux", mode: "backend" },
    role: "operator",
    scopes: ["operator.read"],
    caps: [],
    auth: { token: "T" },
  });
});

test("a busy gateway names its work, and the samples say so", async () => {
  const counts = { ...idleCounts, queueSize: 2, embeddedRuns: 1, rootRequests: 1, totalActive: 4 };
  await using gateway = await startGateway({
    preflight: { safe: false, counts, blockers: [{ kind: "queue", count: 2 }] },
  });
  await using work = watching(gateway);
  const reading = await work.read(never);
  assert.deepEqual(reading, {
    known: true,
    restartSafe: false,
    active: { ...noWork, queue: 2, embedded_run: 1, root_request: 1 },
  });
  const samples = work.samples(reading);
  assert.equal(samples.find(({ name }) => name === "openclaw_gateway_restart_safe")?.value, 0);
  assert.equal(samples.find(({ labels }) => labels?.["kind"] === "queue")?.value, 2);
  const names = new Set([...work.metrics, ...probeMetrics].map(({ name }) => name));
  for (const { name } of samples) assert.ok(names.has(name), name);
});

test("what the gateway does not tell is unknown and has no samples but those of the probe", async () => {
  const gateway = await startGateway();
  await using work = watching(gateway);
  await gateway[Symbol.asyncDispose]();
  const reading = await work.read(never);
  assert.deepEqual(reading, { known: false, failure: "refused" });
  assert.ok(work.samples(reading).every(({ name }) => name.startsWith("openclaw_gateway_probe_")));
  assert.deepEqual(probed(work.samples(reading)), {
    consecutive_failures: 1,
    success: 0,
    failure_info: "refused",
  });
  assert.equal(await work.rpcAnswers(never), false);
});

test("events between the answers, answers to nobody and garbage are passed over", async () => {
  await using gateway = await startGateway({
    before: (socket) => {
      for (const text of [
        "garbage",
        "[]",
        '{"type":"event","event":"tick"}',
        '{"type":"res","id":"999","ok":true}',
        "null",
      ]) {
        socket.send(text);
      }
    },
  });
  await using work = watching(gateway);
  assert.equal((await work.read(never)).known, true);
});

test("a wrong or missing token is unauthorized, is never repeated in the reading, and a rotated one is picked up", async () => {
  await using gateway = await startGateway();
  let token: string | undefined = "stale-secret";
  await using work = workCollector({ url: gateway.url, token: () => token, timeout: ms(500) });
  const refused = await work.read(never);
  assert.deepEqual(refused, { known: false, failure: "unauthorized" });
  token = undefined;
  assert.deepEqual(await work.read(never), { known: false, failure: "unauthorized" });
  assert.equal(Object.hasOwn(gateway.hellos()[1] ?? {}, "auth"), false);
  token = "T";
  assert.equal((await work.read(never)).known, true);
  await until(() => gateway.open() === 1);
});

test("a call that is never answered ends at its limit, and the next reading connects anew", async () => {
  await using gateway = await startGateway();
  await using work = watching(gateway);
  assert.equal((await work.read(never)).known, true);
  gateway.silence(true);
  const started = performance.now();
  assert.deepEqual(await work.read(never), { known: false, failure: "timeout" });
  assert.ok(performance.now() - started < 1500);
  assert.equal(await work.rpcAnswers(never), false);
  gateway.silence(false);
  assert.equal((await work.read(never)).known, true);
  await until(() => gateway.open() === 1);
});

test("a gateway that was replaced is found again with the next reading", async () => {
  await using gateway = await startGateway();
  await using work = watching(gateway);
  await work.read(never);
  gateway.cut();
  await until(() => gateway.open() === 0);
  assert.equal(await work.rpcAnswers(never), true);
  assert.equal(gateway.connections(), 2);
});

test("a gateway that does not know the preflight is asked for its lanes", async () => {
  const refusals = [
    { code: "INVALID_REQUEST", message: "unknown method: gateway.restart.preflight" },
    { code: "FORBIDDEN", message: "missing scope: operator.admin" },
  ];
  const lanes = { ts: 1, lanes: [lane("main", 1, 2), lane("cron", 0, 0)] };
  for (const error of refusals) {
    await using gateway = await startGateway({ error, lanes });
    await using work = watching(gateway);
    const reading = await work.read(never);
    assert.deepEqual(reading, { known: true, restartSafe: false, active: { queue: 1, running: 2 } });
  }
});

test("a preflight that is refused for another reason is unknown, and the connection stays", async () => {
  await using gateway = await startGateway({ error: { code: "UNAVAILABLE", message: "suspended" } });
  await using work = watching(gateway);
  assert.deepEqual(await work.read(never), { known: false, failure: "unavailable" });
  assert.deepEqual(await work.read(never), { known: false, failure: "unavailable" });
  assert.equal(gateway.connections(), 1);
});

test("an answer beyond all bounds is not read", async () => {
  await using gateway = await startGateway({ preflight: { ...idle, summary: "x".repeat(5 * 1024 * 1024) } });
  await using work = watching(gateway);
  assert.equal((await work.read(never)).known, false);
  await until(() => gateway.open() === 0);
});

test("a reading that is called off rejects, and disposal leaves no connection", async () => {
  await using gateway = await startGateway();
  const work = watching(gateway);
  await work.read(never);
  gateway.silence(true);
  const stop = new AbortController();
  const reading = work.read(stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(reading, /enough/);
  await work[Symbol.asyncDispose]();
  await until(() => gateway.open() === 0);
  await assert.rejects(work.read(never));
});

test("a server that upgrades and says nothing is a timeout", async () => {
  await using gateway = await startGateway({ mute: true });
  await using work = watching(gateway);
  assert.deepEqual(await work.read(never), { known: false, failure: "timeout" });
  await until(() => gateway.open() === 0);
});

test("only an answer of the known shape is read", () => {
  assert.equal(parsePreflight(idle).known, true);
  for (const bad of [
    undefined,
    null,
    {},
    { safe: "true", counts: {} },
    { safe: true },
    { safe: true, counts: { queueSize: -1 } },
  ]) {
    assert.deepEqual(parsePreflight(bad), { known: false, failure: "protocol" });
  }
});

test("work of a kind that is new to us, or a safe that contradicts its counts, is not safe", () => {
  const newKind = parsePreflight({ safe: true, counts: { ...idleCounts, dreamRuns: 1 } });
  assert.deepEqual(newKind, { known: true, restartSafe: false, active: { ...noWork, other: 1 } });
  assert.partialDeepStrictEqual(parsePreflight({ safe: true, counts: { totalActive: 1 } }), {
    restartSafe: false,
  });
  assert.partialDeepStrictEqual(parsePreflight({ safe: true, counts: { constructor: 1 } }), {
    restartSafe: false,
  });
});

test("lanes may be a list or named; none at all says nothing", () => {
  const named = { main: lane("main", 0, 0) };
  assert.partialDeepStrictEqual(parseLanes({ lanes: named }), { known: true, restartSafe: true });
  for (const bad of [undefined, {}, { lanes: [] }, { lanes: [{}] }]) {
    assert.deepEqual(parseLanes(bad), { known: false, failure: "protocol" });
  }
});

function lane(name: string, queuedCount: number, activeCount: number): object {
  return { lane: name, queuedCount, activeCount, maxConcurrent: 8, draining: false, blockedBy: null };
}

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
