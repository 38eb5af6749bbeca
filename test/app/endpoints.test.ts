// Does a running guard show its endpoints and the files of its gateways, all of them, and follow another configuration?
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../support/gateway.ts";
import { listening, saying } from "../collect/endpoint-servers.ts";
import { fast, folder, settingsIn, startGuard, valueIn } from "./support.ts";

const probe = { ...fast.probe, endpoint_every: "400ms" };

test("a hundred endpoints are all shown, and one that is online but silent is told from one that answers", async () => {
  await using cache = await saying("+PONG\r\n");
  await using silent = await listening();
  using at = folder();
  const endpoints = Array.from({ length: 100 }, (_, i) => ({
    name: `e${i}`,
    kind: "redis",
    port: i === 0 ? silent.port : cache.port,
    timeout: "200ms",
    ...(i === 0 ? { gateway: "main" } : {}),
  }));
  const main = { name: "main", url: "http://127.0.0.1:1" };
  await using guard = await startGuard(settingsIn(at.dir, [main], { probe, endpoints }));
  let text = "";
  await until("all are seen", async () => {
    text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    return [...text.matchAll(/^openclaw_endpoint_up\{.* 1$/gm)].length === 99;
  });
  const of = (name: string, labels: string) =>
    valueIn(text, `openclaw_endpoint_${name}{${labels},kind="redis"}`);
  assert.equal(of("up", 'endpoint="e99"'), 1);
  assert.equal(of("up", 'endpoint="e0",gateway="main"'), 0);
  assert.equal(of("reachable", 'endpoint="e0",gateway="main"'), 1);
  assert.equal(of("failures_threshold", 'endpoint="e50"'), 3);
  assert.equal(valueIn(text, "openclaw_guard_series_dropped_total"), 0);
  assert.equal(valueIn(text, 'openclaw_guard_collector_success{collector="endpoints"}'), 1);
});

test("the settings of the gateway's unit are shown as the check of the restart path found them", async () => {
  using at = folder();
  const unit = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled";
  const settings =
    "KillMode=control-group\nTimeoutStopUSec=1min 30s\nStartLimitBurst=5\nStartLimitIntervalUSec=10s";
  const run = async () => ({ stdout: `${unit}\n${settings}\n`, stderr: "" });
  const supervisor = { kind: "systemd", unit: "openclaw-gateway.service" };
  const main = { name: "main", url: "http://127.0.0.1:1", supervisor };
  await using guard = await startGuard(settingsIn(at.dir, [main], { drain: { limit: "330s" }, verify: {} }), {
    run,
  });
  const of = (name: string, labels = "") =>
    guard.series(`openclaw_gateway_unit_${name}{gateway="main"${labels}}`);
  await until("the unit was checked", async () => (await of("stop_timeout_seconds")) === 90);
  assert.deepEqual(
    [
      await of("safe", ',reason="stop_timeout_short"'),
      await of("safe", ',reason="kill_mode"'),
      await of("safe", ',reason="start_limit"'),
      await of("kill_mode", ',mode="control-group"'),
      await of("start_limit_interval_seconds"),
    ],
    [0, 0, 1, 1, 10],
  );
});

test("what a gateway piles up and how it is configured is shown beside the thresholds", async () => {
  using at = folder();
  const state = join(at.dir, "gateway");
  mkdirSync(join(state, "workspace", "memory"), { recursive: true });
  writeFileSync(join(state, "workspace", "memory", "2026-11-20.md"), "x".repeat(200_000));
  writeFileSync(join(state, "openclaw.json"), '{"auth":{}}');
  writeFileSync(join(state, "good.json"), "{}");
  const main = {
    name: "main",
    url: "http://127.0.0.1:1",
    state_dir: state,
    upkeep: { every: "300ms", good_config: join(state, "good.json"), backups: join(state, "backups") },
  };
  await using guard = await startGuard(settingsIn(at.dir, [main]));
  const of = (name: string, labels = "") => guard.series(`openclaw_gateway_${name}{gateway="main"${labels}}`);
  await until("the files are seen", async () => (await of("config_drifted")) === 1);
  await until("the store is seen", async () => (await of("storage_files", ',store="memory"')) === 1);
  const largest = (await of("storage_largest_file_bytes", ',store="memory"')) ?? 0;
  const threshold = (await of("threshold", ',signal="memory_file_bytes",level="warning"')) ?? Infinity;
  assert.ok(largest > threshold, `${largest} > ${threshold}`);
  assert.deepEqual(
    [await of("config_valid"), await of("config_backups"), await of("config_backup_timestamp_seconds")],
    [1, 0, undefined],
  );
  await until("the profiles are seen", async () => (await of("auth_profiles_named")) === 0);
  assert.equal(await of("threshold", ',signal="unit_stop_timeout_seconds",level="warning"'), 5);
});
