// Does the stand-in answer the probes as a real gateway does, in every phase of its life?
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { startStandIn, until } from "../support/gateway.ts";

const answered = z.record(z.string(), z.unknown());

async function ask(url: string, path: string, init: RequestInit = {}) {
  const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(5000), ...init });
  const text = await response.text();
  const body = text.startsWith("{") ? answered.parse(JSON.parse(text)) : {};
  return { status: response.status, body, text };
}

test("a healthy stand-in is live, started and ready", async () => {
  await using gateway = await startStandIn({ version: "2026.9.7" });
  assert.deepEqual((await ask(gateway.url, "/healthz")).body, { ok: true, status: "live" });
  const startup = await ask(gateway.url, "/startupz");
  assert.equal(startup.status, 200);
  assert.equal(startup.body["status"], "started");
  assert.equal(startup.body["version"], "2026.9.7");
  assert.equal(typeof startup.body["uptimeMs"], "number");
  const ready = await ask(gateway.url, "/readyz");
  assert.deepEqual([ready.status, ready.body["ready"], ready.body["failing"]], [200, true, []]);
});

test("the event-loop block appears when the first window ends, and tells of a stall that ended in one", async () => {
  await using gateway = await startStandIn();
  const window = z.object({ delayP99Ms: z.number(), delayMaxMs: z.number(), degraded: z.boolean() });
  const last = async () => window.safeParse((await ask(gateway.url, "/readyz")).body["eventLoop"]).data;
  await until("a calm window", async () => (await last())?.degraded === false);
  await gateway.ill("hang", { forMs: 1200 });
  await until("a window with the stall", async () => ((await last())?.delayMaxMs ?? 0) > 1000);
  assert.equal((await last())?.degraded, true);
});

test("while starting it is live but neither started nor ready", async () => {
  await using gateway = await startStandIn({ startupMs: 60_000, openBeforeMs: 60_000, openOnly: true });
  assert.equal((await ask(gateway.url, "/healthz")).status, 200);
  const startup = await ask(gateway.url, "/startupz");
  assert.equal(startup.status, 503);
  assert.equal(startup.body["status"], "starting");
  assert.equal(startup.body["pendingReason"], "startup-sidecars");
  const ready = await ask(gateway.url, "/readyz");
  assert.equal(ready.status, 503);
  assert.deepEqual(ready.body["failing"], ["startup-sidecars"]);
});

test("it becomes started by itself when its start-up time is over", async () => {
  await using gateway = await startStandIn({ startupMs: 300, openBeforeMs: 300, openOnly: true });
  await until("started", async () => (await ask(gateway.url, "/startupz")).status === 200);
});

test("it listens on 127.0.0.1 only, and its command line shows a name and no port", async () => {
  await using gateway = await startStandIn();
  const line = readFileSync(`/proc/${gateway.pid}/cmdline`, "utf8").replaceAll("\0", "").trim();
  assert.equal(line, "openclaw-gateway");
  assert.equal(readFileSync(`/proc/${gateway.pid}/comm`, "utf8"), "openclaw-gatewa\n");
  const code = await new Promise((resolve) => {
    connect(gateway.port, "127.0.0.2").once("error", (error) => resolve("code" in error && error.code));
  });
  assert.equal(code, "ECONNREFUSED");
});

test("unknown paths, other methods and forwarded requests are refused as a real gateway refuses them", async () => {
  await using gateway = await startStandIn();
  assert.equal((await ask(gateway.url, "/nope")).status, 404);
  assert.equal((await ask(gateway.url, "/healthz", { method: "POST" })).status, 405);
  const head = await ask(gateway.url, "/healthz", { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  const forwarded = await ask(gateway.url, "/readyz", { headers: { "x-forwarded-for": "10.0.0.1" } });
  assert.equal(forwarded.status, 403);
  assert.match(forwarded.text, /proxy_attribution_required/);
});

test("its lock files name pid, start time, port and state, and vanish with a clean exit", async () => {
  await using gateway = await startStandIn();
  const folder = join(gateway.stateDir, "tmp", `openclaw-${process.getuid?.()}`);
  const names = readdirSync(folder).sort();
  assert.equal(names.length, 2);
  assert.match(names[0] ?? "", /^gateway\.[0-9a-f]{8}\.lock$/);
  assert.equal(names[1], "gateway.state.lock");
  const stat = readFileSync(`/proc/${gateway.pid}/stat`, "utf8");
  const startTime = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  for (const name of names) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.ok(text.endsWith("  "), "padded with blanks");
    const lock = answered.parse(JSON.parse(text.trim()));
    assert.deepEqual([lock["pid"], lock["port"], lock["startTime"]], [gateway.pid, gateway.port, startTime]);
    assert.equal(lock["stateDir"], gateway.stateDir);
  }
  process.kill(gateway.pid, "SIGTERM");
  assert.deepEqual(await gateway.exited, { code: 0, signal: null });
  assert.deepEqual(readdirSync(folder), []);
});
