// Does Prometheus's own checker find anything to say about what a running guard exposes?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { folder, settingsIn, startGuard } from "../app/support.ts";
import { components } from "../support/components.ts";
import { supervisedStandIn, until } from "../support/gateway.ts";

test("promtool finds nothing to say about the metrics of a running guard", async () => {
  const { promtool } = await components();
  await using gateway = await supervisedStandIn();
  using at = folder();
  const { start, restart, status } = gateway.commands;
  const main = {
    name: "main",
    url: gateway.url,
    token_env: "TOKEN",
    supervisor: { kind: "command", start, restart, status },
  };
  const env = { ...process.env, TOKEN: gateway.token };
  await using guard = await startGuard(settingsIn(at.dir, [main], { trend: { minute: "100ms" } }), {}, env);
  let text = "";
  await until("everything is known", async () => {
    text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    return (
      /^openclaw_gateway_memory_floor_bytes\{/m.test(text) && /^openclaw_gateway_work_active\{/m.test(text)
    );
  });
  const well = await check(promtool, text);
  assert.deepEqual(well, { code: 0, said: "" });

  // A checker that would find nothing in anything proves nothing.
  const ill = await check(promtool, text.replaceAll("openclaw_guard_alerts_total", "openclaw_guard_alerts"));
  assert.notEqual(ill.said, "");
});

async function check(promtool: string, text: string) {
  const child = spawn(promtool, ["check", "metrics"], { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (said += part));
  child.stdin.end(text);
  await once(child, "close");
  return { code: child.exitCode, said };
}
