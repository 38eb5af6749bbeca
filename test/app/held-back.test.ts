// Is a real need held back while somebody updates the gateway, or has silenced its alert, and acted on as soon as not?
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { supervisedStandIn, until } from "../support/gateway.ts";
import { folder, type Guard, journalOf, payload, settingsIn, startGuard } from "./support.ts";

/** What the guard decided so far, in order. */
function decisions(guard: Guard): readonly string[] {
  return journalOf(guard.stateDir).entries.flatMap((entry) =>
    entry.kind === "decided" ? [entry.decision] : [],
  );
}

/** A supervised gateway as the settings name it. */
function named(gateway: Awaited<ReturnType<typeof supervisedStandIn>>, more: object = {}) {
  const { start, restart, status } = gateway.commands;
  const supervisor = { kind: "command", start, restart, status };
  return { name: "main", url: gateway.url, state_dir: gateway.stateDir, supervisor, ...more };
}

async function fallsSilent(
  gateway: Awaited<ReturnType<typeof supervisedStandIn>>,
  guard: Guard,
): Promise<void> {
  await until("the guard may act", async () => {
    const enforces = await guard.series('openclaw_guard_mode{gateway="main",mode="enforce"}');
    const alive = await guard.series('openclaw_gateway_stall_class{gateway="main",class="alive"}');
    return enforces === 1 && alive === 1;
  });
  await gateway.ill("hang");
  await until("the silence is a hang", async () => {
    const silent = await guard.series('openclaw_gateway_unresponsive_seconds{gateway="main"}');
    return (silent ?? 0) > 2;
  });
}

test("a hung gateway whose installation was just replaced is left alone until the update is over", async () => {
  await using gateway = await supervisedStandIn({ version: "2026.9.6" });
  using at = folder();
  const installation = join(at.dir, "openclaw");
  mkdirSync(installation);
  const install = (version: string) =>
    writeFileSync(join(installation, "package.json"), JSON.stringify({ name: "openclaw", version }));
  install("2026.10.1");
  await using guard = await startGuard(settingsIn(at.dir, [named(gateway, { installation })]));
  const sign = 'openclaw_gateway_updating{gateway="main",reason="version_on_disk"}';
  await until("the other version is seen", async () => (await guard.series(sign)) === 1);
  await fallsSilent(gateway, guard);
  const before = gateway.life()?.pid;

  assert.equal((await guard.post(payload("hang"))).status, 202);
  await until("it is refused", () => decisions(guard).includes("updating"));
  assert.equal(gateway.life()?.pid, before);
  assert.ok(!decisions(guard).includes("restart"));

  install("2026.9.6");
  await until("it is acted on", () => decisions(guard).includes("restart"));
  await until("it was replaced", () => gateway.life()?.pid !== before);
});

test("a hung gateway whose alert is silenced is left alone until the silence ends", async () => {
  await using gateway = await supervisedStandIn();
  using at = folder();
  let silences = ["6da291b3-17d7-43eb-9140-38c1cea69598"];
  const alertmanager = createServer((_, response) => {
    const status = { state: "suppressed", silencedBy: silences, inhibitedBy: [] };
    response.end(JSON.stringify([{ fingerprint: "c0ffee0000000001", status }]));
  });
  alertmanager.listen(0, "127.0.0.1");
  await once(alertmanager, "listening");
  const { port } = alertmanager.address() as AddressInfo;
  try {
    const more = { alertmanager: { url: `http://127.0.0.1:${port}` } };
    await using guard = await startGuard(settingsIn(at.dir, [named(gateway)], more));
    await fallsSilent(gateway, guard);
    const before = gateway.life()?.pid;
    assert.equal((await guard.post(payload("hang"))).status, 202);
    await until("it is refused", () => decisions(guard).includes("silenced"));
    assert.equal(gateway.life()?.pid, before);
    const status = await guard.get(`${guard.controlUrl}/api/v1/status`);
    assert.match(status.body, /amtool silence expire/);
    assert.equal(
      await guard.series('openclaw_guard_restart_blocked{gateway="main",refusal="silenced"}'),
      0,
      "a person wanted it: nobody is told",
    );

    silences = [];
    await until("it is acted on", () => decisions(guard).includes("restart"));
    await until("it was replaced", () => gateway.life()?.pid !== before);
  } finally {
    alertmanager.closeAllConnections();
    alertmanager.close();
  }
});
