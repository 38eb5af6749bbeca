// What does Prometheus get of a running guard, and how fast, whatever state its gateways are in?
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { refusals } from "../../src/core/refusal.ts";
import { stallClasses } from "../../src/core/stall.ts";
import { startStandIn, supervisedStandIn, until } from "../support/gateway.ts";
import { folder, settingsIn, startGuard, valueIn } from "./support.ts";

const golden = fileURLToPath(new URL("../fixtures/exposition.txt", import.meta.url));

test("the exposition of a running guard is the golden one, but for its values", async (t) => {
  await using gateway = await supervisedStandIn();
  using at = folder();
  const gatewayToken = join(at.dir, "gateway.token");
  writeFileSync(gatewayToken, gateway.token, { mode: 0o600 });
  const { start, restart, status } = gateway.commands;
  const main = {
    name: "main",
    url: gateway.url,
    token_file: gatewayToken,
    supervisor: { kind: "command", start, restart, status },
  };
  await using guard = await startGuard(settingsIn(at.dir, [main], { trend: { minute: "100ms" } }));
  // What takes a while to be known: a whole minute of the trend's, and the mode once the restart path is verified.
  const late = [
    'openclaw_gateway_memory_floor_bytes{gateway="main"}',
    'openclaw_gateway_event_loop_lag_seconds{stat="p99",gateway="main"}',
    'openclaw_gateway_restart_safe{gateway="main"}',
    "nodejs_eventloop_lag_p99_seconds",
    'openclaw_gateway_proportional_memory_bytes{scope="tree",gateway="main"}',
    'openclaw_gateway_sockets{state="listen",scope="process",gateway="main"}',
    'openclaw_gateway_claimants{claim="port",gateway="main"}',
    "openclaw_guard_state_filesystem_size_bytes",
  ];
  let text = "";
  await until("everything is known", async () => {
    text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    return late.every((each) => valueIn(text, each) !== undefined);
  });
  t.assert.fileSnapshot(`${masked(text).join("\n")}\n`, golden, { serializers: [String] });
});

test("on the first scrape nothing of a closed set is missing, and a gateway that is gone is down, not unknown", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]));
  let first = "";
  await until("ready", async () => (await guard.get(`${guard.metricsUrl}/-/ready`)).status === 200);
  await until("the first look", async () => {
    first = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    return valueIn(first, 'openclaw_gateway_up{gateway="main"}') !== undefined;
  });
  assert.equal(valueIn(first, 'openclaw_gateway_up{gateway="main"}'), 0);
  assert.equal(valueIn(first, 'openclaw_gateway_processes{gateway="main"}'), 0);
  for (const each of stallClasses)
    assert.equal(
      valueIn(first, `openclaw_gateway_stall_class{class="${each}",gateway="main"}`),
      each === "gone" ? 1 : 0,
    );
  for (const each of refusals) {
    assert.equal(valueIn(first, `openclaw_guard_decisions_total{gateway="main",decision="${each}"}`), 0);
    assert.equal(valueIn(first, `openclaw_guard_restart_blocked{refusal="${each}",gateway="main"}`), 0);
  }
});

test("a scrape does not wait for a gateway that hangs, nor does any other gateway", async () => {
  await using hung = await startStandIn();
  await using well = await startStandIn();
  using at = folder();
  const gateways = [
    { name: "hung", url: hung.url },
    { name: "well", url: well.url },
  ];
  await using guard = await startGuard(settingsIn(at.dir, gateways));
  const up = (name: string) => guard.series(`openclaw_gateway_up{gateway="${name}"}`);
  await until("both are seen", async () => (await up("hung")) === 1 && (await up("well")) === 1);
  // A silence that begins before the start is known to be over counts as one of the start.
  await until(
    "the start is over",
    async () => (await guard.series('openclaw_gateway_stall_class{gateway="hung",class="alive"}')) === 1,
  );
  await hung.ill("hang");
  await until("the hang is seen", async () => (await up("hung")) === 0);

  const lengths: number[] = [];
  for (let n = 0; n < 30; n++) {
    const from = performance.now();
    const { status } = await guard.get(`${guard.metricsUrl}/metrics`);
    lengths.push(performance.now() - from);
    assert.equal(status, 200);
  }
  // A probe of the hung gateway takes its whole timeout of 100 ms; the typical scrape may not contain one.
  const typical = lengths.toSorted((a, b) => a - b)[15] ?? Number.NaN;
  assert.ok(typical < 100, `${typical.toFixed(1)} ms`);

  const seenAt = async () =>
    (await guard.series(
      'openclaw_guard_collector_last_success_timestamp_seconds{collector="probe",gateway="well"}',
    )) ?? 0;
  const before = await seenAt();
  await until("the other gateway goes on being read", async () => (await seenAt()) > before + 1);
  assert.equal(await up("well"), 1);
  await until(
    "the silence is counted",
    async () => ((await guard.series('openclaw_gateway_unresponsive_seconds{gateway="hung"}')) ?? 0) > 1,
  );
});

test("the metrics listener changes nothing and knows nothing of the other one", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]));
  for (const path of ["/metrics", "/api/v1/alerts", "/api/v1/pause"]) {
    const answer = await fetch(`${guard.metricsUrl}${path}`, { method: "POST", body: "{}" });
    assert.equal(answer.status, 405);
  }
  assert.equal((await guard.get(`${guard.metricsUrl}/api/v1/status`)).status, 404);
  assert.equal((await guard.get(`${guard.controlUrl}/metrics`)).status, 404);
});

/** Types and series, sorted, without values and without what differs from machine to machine. */
function masked(text: string): readonly string[] {
  return (
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("# HELP"))
      .map((line) => (line.startsWith("#") ? line : line.slice(0, line.lastIndexOf(" "))))
      .map((line) => line.replace(/\b(nodeversion|pid|startticks|unit)="[^"]*"/g, '$1="*"'))
      // Not every kernel measures these; they are tested from recorded trees.
      .filter((line) => !/openclaw_(gateway_cgroup|host_pressure|host_oom)_/.test(line))
      .toSorted()
  );
}
