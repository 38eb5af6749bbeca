// What does a guard tell on a machine without /proc? What other means can tell, and it never acts on it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { supervisedStandIn, until } from "../support/gateway.ts";
import { folder, journalOf, payload, settingsIn, startGuard, valueIn } from "./support.ts";

test("with /proc switched off memory, swap and probes are there, what cannot be known is absent, and nothing is restarted", async () => {
  await using gateway = await supervisedStandIn();
  using at = folder();
  const blind = join(at.dir, "no-proc");
  mkdirSync(blind);
  const { start, restart, status } = gateway.commands;
  const main = { name: "main", url: gateway.url, supervisor: { kind: "command", start, restart, status } };
  await using guard = await startGuard(settingsIn(at.dir, [main]), { procRoot: blind, sysRoot: blind });
  let text = "";
  await until("the gateway is seen", async () => {
    text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    return valueIn(text, 'openclaw_gateway_up{gateway="main"}') === 1;
  });
  const value = (name: string, labels = "") => valueIn(text, `openclaw_${name}{${labels}gateway="main"}`);
  assert.ok((value("gateway_resident_memory_bytes", 'scope="process",') ?? 0) > 10_000_000);
  assert.ok((value("gateway_resident_memory_bytes", 'scope="tree",') ?? 0) > 10_000_000);
  assert.equal(value("gateway_listening"), 1);
  assert.equal(value("gateway_probe_success", 'probe="healthz",'), 1);
  assert.ok((valueIn(text, "openclaw_host_memory_total_bytes") ?? 0) > 0);
  assert.ok((valueIn(text, "openclaw_host_swap_total_bytes") ?? -1) >= 0);
  for (const family of [
    "open_fds",
    "threads",
    "accept_queue_length",
    "cpu_seconds_total",
    "sockets",
    "claimants",
  ])
    assert.doesNotMatch(text, new RegExp(`^openclaw_gateway_${family}\\{`, "m"), family);
  assert.match(text, /^openclaw_gateway_process_info\{.*startticks="".*\} 1$/m);

  const before = gateway.life();
  await guard.post(payload("hang"));
  await until("the alert is decided", () => guard.logged.some((line) => line.includes('"decision"')));
  assert.deepEqual(gateway.life(), before);
  assert.ok(!journalOf(guard.stateDir).entries.some(({ kind }) => kind === "intended"));
});
