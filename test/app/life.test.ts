// Does a guard begin and end cleanly, act alone, and keep its secrets?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { summarise } from "../../src/core/summary.ts";
import { freePort, startStandIn, supervisedStandIn, until } from "../support/gateway.ts";
import { folder, type Guard, journalOf, payload, settingsIn, startGuard } from "./support.ts";

test("a gateway that is gone is started, verified and recorded, and no token is anywhere", async () => {
  const tokens = { control: `canary-${randomUUID()}`, gateway: `canary-${randomUUID()}` };
  await using gateway = await supervisedStandIn({ token: tokens.gateway });
  using at = folder();
  const { start, restart, status } = gateway.commands;
  const settings = settingsIn(
    at.dir,
    [
      {
        name: "main",
        url: gateway.url,
        token_env: "GATEWAY_TOKEN",
        state_dir: gateway.stateDir,
        supervisor: { kind: "command", start, restart, status },
      },
    ],
    {
      control: { listen: "127.0.0.1:0", token_env: "CONTROL_TOKEN" },
      log: { level: "debug" },
    },
  );
  await using guard = await startGuard(
    settings,
    {},
    {
      ...process.env,
      GATEWAY_TOKEN: tokens.gateway,
      CONTROL_TOKEN: tokens.control,
    },
  );
  await until("the guard may act and knows the work", async () => {
    const { mode, stall, work } = await statusOf(guard);
    return mode === "enforce" && stall === "alive" && work === "idle";
  });
  const before = gateway.life()?.pid;
  await gateway.ill("crash");
  await until("it is seen to be gone", async () => (await statusOf(guard)).stall === "gone");
  const headers = { authorization: `Bearer ${tokens.control}` };
  assert.equal((await guard.post(payload("down"), headers)).status, 202);
  await until("the episode has ended", () => episodes(guard).some(({ outcome }) => outcome !== "running"));

  const [episode] = episodes(guard);
  assert.equal(episode?.outcome, "recovered");
  assert.equal(episode.attempts, 1);
  const after = gateway.life()?.pid;
  assert.ok(after !== undefined && after !== before);
  assert.equal(episode.after?.pid, after);
  assert.equal(
    await guard.series(
      'openclaw_guard_restarts_total{gateway="main",cause="down",action="command",verdict="recovered"}',
    ),
    1,
  );
  assert.deepEqual(journalOf(guard.stateDir).open, [], "the alert it was opened for is closed");
  assert.equal(journalOf(guard.stateDir).verified.ok, true);

  // Wrong words of every kind, so that refusals are logged as well.
  await guard.post("{", headers);
  await guard.post(payload("down"), { authorization: `Bearer ${tokens.gateway}` });
  const said = [
    ...guard.logged,
    (await guard.get(`${guard.metricsUrl}/metrics`)).body,
    (await guard.get(`${guard.controlUrl}/api/v1/status`)).body,
    (await guard.get(`${guard.controlUrl}/api/v1/episodes`)).body,
    ...readdirSync(guard.stateDir).map((name) => readFileSync(join(guard.stateDir, name), "latin1")),
  ].join("\n");
  assert.ok(said.includes('"kind":"evidence"') && guard.logged.length > 5, "there was something to look at");
  assert.ok(!said.includes(tokens.control) && !said.includes(tokens.gateway), "a token was written down");
});

test("in observe mode the guard writes down what it would have done, and touches nothing", async () => {
  await using gateway = await supervisedStandIn();
  using at = folder();
  const { start, restart, status } = gateway.commands;
  const main = { name: "main", url: gateway.url, supervisor: { kind: "command", start, restart, status } };
  await using guard = await startGuard(settingsIn(at.dir, [main], { mode: "observe" }));
  await until("it is seen", async () => (await statusOf(guard)).stall === "alive");
  const pid = gateway.life()?.pid;
  await gateway.ill("stop");
  await until("a hang is seen", async () => (await statusOf(guard)).stall === "stopped");
  await guard.post(payload("hang"));
  await until("it is decided", () =>
    episodes(guard).some(({ lastDecision }) => lastDecision === "observing"),
  );
  assert.equal(episodes(guard)[0]?.wouldHave, "restart");
  assert.equal(await guard.series('openclaw_guard_mode{gateway="main",mode="observe"}'), 1);
  assert.equal(
    await guard.series('openclaw_guard_restart_blocked{gateway="main",refusal="observing"}'),
    1,
    "people must hear of a need that nobody serves",
  );
  assert.match(readFileSync(`/proc/${pid}/stat`, "utf8"), /\) T /, "it still is what it was");
  assert.ok(!journalOf(guard.stateDir).entries.some(({ kind }) => kind === "intended"));
});

test("without a supervisor the guard observes, and says what to do about it", async () => {
  await using gateway = await startStandIn();
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [{ name: "main", url: gateway.url }]));
  await until(
    "the path was checked",
    async () => (await statusOf(guard)).modeReasons[0]?.reason !== "not_checked",
  );
  const { mode, modeReasons, next } = await statusOf(guard);
  assert.deepEqual([mode, modeReasons.map(({ reason }) => reason)], ["observe", ["no_supervisor"]]);
  assert.ok((modeReasons[0]?.fix ?? "").length > 10);
  assert.match(next, /mode/);
  assert.equal(
    await guard.series('openclaw_guard_mode_downgraded{gateway="main",reason="no_supervisor"}'),
    1,
  );
});

test("a second guard on the same gateway observes and says so, and takes over when the first has ended", async () => {
  await using gateway = await supervisedStandIn();
  using here = folder("first");
  using there = folder("second");
  const { start, restart, status } = gateway.commands;
  const main = { name: "main", url: gateway.url, supervisor: { kind: "command", start, restart, status } };
  const first = await startGuard(settingsIn(here.dir, [{ ...main, state_dir: gateway.stateDir }]));
  await until("the first may act", async () => (await statusOf(first)).mode === "enforce");
  // Another name of the same address, and no state directory: still the same gateway.
  const url = gateway.url.replace("127.0.0.1", "localhost");
  const second = await startGuard(settingsIn(there.dir, [{ ...main, url }]));
  try {
    await until("the second has tried", async () => {
      const { mode, modeReasons } = await statusOf(second);
      return mode === "observe" && modeReasons.some(({ reason }) => reason === "another_guard");
    });
    assert.equal(
      await second.series('openclaw_guard_mode_downgraded{gateway="main",reason="another_guard"}'),
      1,
    );
    assert.equal((await statusOf(first)).mode, "enforce");
  } finally {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  }
  await using third = await startGuard(settingsIn(there.dir, [{ ...main, url }]));
  await until("the next one may act", async () => (await statusOf(third)).mode === "enforce");
});

test("pausing and resuming take the token, who and why, and are on record", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]));
  const tell = (verb: string, body: object, token = "control-token-of-the-tests") =>
    fetch(`${guard.controlUrl}/api/v1/${verb}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const order = { gateway: "main", who: "ada", why: "maintenance", forMs: 60_000 };
  assert.equal((await tell("pause", order, "wrong")).status, 401);
  for (const wrong of [
    { ...order, gateway: "elsewhere" },
    { ...order, who: " " },
    { ...order, why: undefined },
    { ...order, forMs: 0 },
    { ...order, forMs: 8 * 24 * 3_600_000 },
    { ...order, forMs: "soon" },
    [],
  ])
    assert.equal((await tell("pause", wrong)).status, 400, JSON.stringify(wrong));
  assert.deepEqual(journalOf(guard.stateDir).entries, []);
  assert.equal((await tell("pause", order)).status, 200);
  assert.equal(await guard.series('openclaw_guard_paused{gateway="main"}'), 1);
  assert.equal((await statusOf(guard)).paused?.who, "ada");
  assert.equal((await tell("resume", { gateway: "main", who: "ada", why: "done" })).status, 200);
  assert.equal(await guard.series('openclaw_guard_paused{gateway="main"}'), 0);
  assert.deepEqual(
    journalOf(guard.stateDir).entries.map((entry) => [entry.kind, "who" in entry ? entry.who : ""]),
    [
      ["paused", "ada"],
      ["resumed", "ada"],
    ],
  );
});

test("closing gives everything back: ports, the lock, and no handle that keeps the process alive", async () => {
  using at = folder();
  const settings = settingsIn(at.dir, [{ name: "main", url: `http://127.0.0.1:${await freePort()}` }]);
  const program = `
    const { startGuard } = await import(${JSON.stringify(new URL("support.ts", import.meta.url).href)});
    const guard = await startGuard(${JSON.stringify(settings)});
    await guard.get(guard.metricsUrl + "/metrics");
    await guard[Symbol.asyncDispose]();
    process.stdout.write("closed\\n");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const [code] = await once(child, "exit", { signal: AbortSignal.timeout(20_000) }).catch(
    (error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    },
  );
  assert.equal(out, "closed\n");
  assert.equal(code, 0);

  const guard = await startGuard(settings);
  const ports = [guard.metricsUrl, guard.controlUrl].map((url) => Number(new URL(url).port));
  await guard[Symbol.asyncDispose]();
  for (const port of ports) {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    await new Promise((resolve) => server.close(resolve));
  }
});

test("a start that fails halfway gives everything back, and says which address is taken", async () => {
  using at = folder();
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const metricsPort = await freePort();
  const settings = settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }], {
    metrics: { listen: `127.0.0.1:${metricsPort}` },
    control: { listen: `127.0.0.1:${port}`, token_file: join(at.dir, "control.token") },
  });
  await assert.rejects(startGuard(settings), new RegExp(`127\\.0\\.0\\.1:${port}`));
  const again = createServer().listen(metricsPort, "127.0.0.1");
  await once(again, "listening");
  await new Promise((resolve) => again.close(resolve));
  await new Promise((resolve) => taken.close(resolve));
});

test("a token that is named but not there is told before anything is opened", async () => {
  using at = folder();
  const missing = join(at.dir, "missing.token");
  const settings = settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1", token_file: missing }]);
  await assert.rejects(startGuard(settings), /gateways\.0\.token_file: there is no token/);
  writeFileSync(missing, "\n");
  await assert.rejects(startGuard(settings), /there is no token/, "an empty token is none");
});

test("what the guard writes may be read by its own user only", async () => {
  using at = folder();
  await using guard = await startGuard({
    ...settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]),
    control: { listen: "127.0.0.1:0" },
  });
  assert.equal(statSync(guard.stateDir).mode & 0o077, 0);
  assert.equal(statSync(join(guard.stateDir, "control.token")).mode & 0o077, 0);
  assert.ok(readFileSync(join(guard.stateDir, "control.token"), "utf8").trim().length >= 32);
});

type Status = {
  readonly stall: string;
  readonly mode: string;
  readonly modeReasons: readonly { readonly reason: string; readonly fix: string }[];
  readonly work: string;
  readonly paused?: { readonly who: string };
  readonly next: string;
};

async function statusOf(guard: Guard): Promise<Status> {
  const { gateways }: { gateways: readonly [Status] } = JSON.parse(
    (await guard.get(`${guard.controlUrl}/api/v1/status`)).body,
  );
  return gateways[0];
}

const episodes = (guard: Guard) => summarise(journalOf(guard.stateDir).entries);
