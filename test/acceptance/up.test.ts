// Does `up` give somebody with a gateway and nothing else the whole loop, and take all of it away again?
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { identify } from "../../src/platform/signal.ts";
import { findBelow } from "../support/processes.ts";
import { freePort, startStandIn, until } from "../support/gateway.ts";
import { type Home, home } from "../operate/support.ts";

test("with no gateway there is nothing to run: exit 3, and nothing is written", async () => {
  await using at = home();
  const port = await freePort();
  const { code, out, err } = await at.run("up", "--port", `${port}`);
  assert.deepEqual([code, out], [3, ""]);
  assert.match(err, new RegExp(`no gateway serves port ${port} of this host: start it`));
  assert.equal(existsSync(join(at.dir, "state")), false);
});

test("a port that is taken is named before anything is started", async () => {
  await using at = home();
  await using gateway = await startStandIn();
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const ports = await freePorts();
  const { code, out, err } = await at.run(
    "up",
    "--port",
    `${gateway.port}`,
    ...ports.args,
    "--prometheus-port",
    `${port}`,
  );
  taken.close();
  assert.equal(code, 1);
  assert.match(
    err,
    new RegExp(
      `port ${port} is taken, so prometheus cannot be started: choose another with --prometheus-port`,
    ),
  );
  assert.doesNotMatch(out, /guard {2,}http/);
});

test("the whole loop runs for a gateway that is found, says what it is doing, and ends with Ctrl-C", async () => {
  await using at = home();
  await using gateway = await startStandIn();
  const ports = await freePorts();
  const up = at.start("up", "--port", `${gateway.port}`, ...ports.args);
  await up.says("end with      Ctrl-C", 60_000);
  const config = configIn(at, gateway.port);
  assert.deepEqual(config.gateways, [
    { name: "main", url: `http://127.0.0.1:${gateway.port}`, supervisor: { kind: "none" } },
  ]);
  assert.match(up.out(), /mode +observe: no supervisor is configured, so nothing will be restarted/);
  assert.ok(
    up
      .out()
      .split("\n")
      .every((line) => !line.startsWith("{")),
    "log lines are for the file",
  );
  assert.match(readFileSync(join(config.state_dir, "guard.log"), "utf8"), /"event":"serving"/);

  const alertmanager = `http://127.0.0.1:${ports.alertmanager}`;
  const prometheus = `http://127.0.0.1:${ports.prometheus}`;
  await until(
    "Prometheus has scraped the guard",
    async () => {
      const answer = await fetch(`${prometheus}/api/v1/query?query=openclaw_gateway_up`);
      return (await answer.text()).includes('"1"]');
    },
    40_000,
  );
  await until(
    "the dead man's switch has gone the whole way",
    async () => {
      const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
      return /^openclaw_guard_heartbeat_timestamp_seconds \d/m.test(text);
    },
    // On a machine that is too busy for Prometheus' first notification within 3 s, the next one comes a minute later.
    150_000,
  );

  const parts = await pidsBelow(up.child.pid ?? 0);
  assert.equal(parts.length, 2, "Prometheus and Alertmanager");
  up.child.kill("SIGINT");
  assert.equal(await up.ended, 0);
  for (const pid of parts) assert.equal(identify("/proc", pid), undefined, `pid ${pid} is left`);
  for (const url of [
    alertmanager,
    prometheus,
    `http://127.0.0.1:${ports.metrics}`,
    `http://127.0.0.1:${ports.control}`,
  ])
    await assert.rejects(fetch(url), `${url} still answers`);
  assert.ok(identify("/proc", gateway.pid) !== undefined, "the gateway is left as it is");

  // The second time the configuration is the operator's own, and is not written again.
  const again = at.start("up", "--port", `${gateway.port}`, ...ports.args, "--guard-only", "--json");
  await again.says('"event":"serving"');
  for (const line of again.out().trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
  again.child.kill("SIGINT");
  assert.equal(await again.ended, 0);
});

async function freePorts() {
  const [prometheus, alertmanager, metrics, control] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const args = [
    ["--prometheus-port", prometheus],
    ["--alertmanager-port", alertmanager],
    ["--metrics-port", metrics],
    ["--control-port", control],
  ].flatMap(([option, port]) => [`${option}`, `${port}`]);
  return { prometheus, alertmanager, metrics, control, args };
}

function configIn(at: Home, port: number): { readonly state_dir: string; readonly gateways: unknown } {
  return parse(readFileSync(join(at.dir, "state", "openclaw-guard", `guard-${port}.yml`), "utf8"));
}

async function pidsBelow(pid: number): Promise<readonly number[]> {
  const found: number[] = [];
  await findBelow(pid, async (folder) => {
    const below = Number(folder.split("/").at(-1));
    if (below !== pid) found.push(below);
    return false;
  });
  return found;
}
