// How long from a crash to the beginning of the action, at the default pace and through real Prometheus and Alertmanager?
// The figure is reported; only a gross failure of the promise of 15 s fails, since the machine is not ours alone.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { seconds } from "../../src/core/time.ts";
import { startLoop } from "../support/loop.ts";
import { supervisedStandIn } from "../support/gateway.ts";
import { folder } from "../app/support.ts";

test("a gateway that is gone is being started within seconds of the first sample that missed it", async (t) => {
  await using gateway = await supervisedStandIn();
  using at = folder("latency");
  const tokenFile = join(at.dir, "gateway.token");
  writeFileSync(tokenFile, gateway.token, { mode: 0o600 });
  const { start, restart, status } = gateway.commands;
  await using loop = await startLoop({
    gateway: {
      url: gateway.url,
      token_file: tokenFile,
      state_dir: gateway.stateDir,
      supervisor: { kind: "command", start, restart, status },
    },
    settings: {
      probe: { every: "5s", timeout: "2s", slow_every: "15s", process_every: "5s" },
      start: { after: "10s", retry: ["10s", "30s", "90s"] },
      verify: { every: "1s", settle: "5s", replace_within: "60s" },
      alerts: { decide_every: "30s" },
    },
  });
  await loop.watching();
  const fellAt = Date.now();
  await gateway.ill("crash");
  const episode = await loop.ended();
  assert.equal(episode.outcome, "recovered");

  const entries = loop.entries();
  const opened = entries.find((entry) => entry.kind === "opened");
  const intended = entries.find((entry) => entry.kind === "intended");
  assert.ok(opened?.kind === "opened" && opened.firstSeenAt !== undefined && intended !== undefined);
  const seen = (opened.firstSeenAt - fellAt) / 1000;
  const told = (opened.at - opened.firstSeenAt) / 1000;
  const acted = (intended.at - opened.firstSeenAt) / 1000;
  t.diagnostic(
    `crash to first failed sample ${seen.toFixed(1)} s, to the alert ${told.toFixed(1)} s, to the action ${acted.toFixed(1)} s (promised: 15 s)`,
  );
  assert.ok(acted <= seconds(30) / 1000, `${acted} s`);
});
