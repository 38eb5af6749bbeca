// Are fifty gateways in one guard each looked at as if it were alone, whatever the others suffer from?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startStandIn, until } from "../support/gateway.ts";
import { manyGateways } from "../support/many-gateways.ts";
import { controlToken, folder, settingsIn, startGuard, valueIn } from "./support.ts";

const cadenceSeconds = 2;
const pace = { probe: { every: "2s", timeout: "800ms", slow_every: "2s", process_every: "2s" } };

test("one that hangs, one that is stopped and one that is slow delay none of the other forty-seven", async (t) => {
  await using many = await manyGateways(44);
  const start = (token: string) => startStandIn({ token });
  const [deadlocked, stopped, slow, one, two, three] = await Promise.all(
    ["a", "b", "c", "d", "e", "f"].map((each) => start(`token-${each}`)),
  );
  assert.ok(deadlocked && stopped && slow && one && two && three);
  await using _all = disposing([deadlocked, stopped, slow, one, two, three]);
  using at = folder("fleet");
  const real = { deadlocked, stopped, slow, one, two, three };
  const gateways = [
    ...Object.entries(real).map(([name, { url }]) => ({ name, url, token_env: `TOKEN_${name}` })),
    ...many.urls.map((url, i) => ({ name: `many-${i}`, url })),
  ];
  const env = Object.fromEntries(
    Object.entries(real).map(([name, { token }]) => [`TOKEN_${name}`, name === "three" ? "wrong" : token]),
  );
  await using guard = await startGuard(settingsIn(at.dir, gateways, pace), {}, env);
  const scrape = async () => (await guard.get(`${guard.metricsUrl}/metrics`)).body;
  const names = gateways.map(({ name }) => name);
  const up = (text: string, name: string) => valueIn(text, `openclaw_gateway_up{gateway="${name}"}`);
  await until("all fifty are up", async () => {
    const text = await scrape();
    return names.length === 50 && names.every((name) => up(text, name) === 1);
  });
  await Promise.all([deadlocked.ill("deadlock"), stopped.ill("stop"), slow.ill("slow", { delayMs: 500 })]);
  const classes = { deadlocked: "deadlocked", stopped: "stopped", slow: "alive" };
  await until("each is seen to be what it is", async () => {
    const text = await scrape();
    return Object.entries(classes).every(
      ([name, is]) => valueIn(text, `openclaw_gateway_stall_class{class="${is}",gateway="${name}"}`) === 1,
    );
  });

  const lengths: number[] = [];
  const ages: number[] = [];
  const before = process.cpuUsage();
  const from = performance.now();
  while (performance.now() - from < 3 * cadenceSeconds * 1000) {
    const begun = performance.now();
    const text = await scrape();
    lengths.push(performance.now() - begun);
    const now = Date.now() / 1000;
    for (const name of names)
      for (const collector of ["process", "probe"]) {
        const last = `openclaw_guard_collector_last_success_timestamp_seconds{collector="${collector}",gateway="${name}"}`;
        ages.push(now - (valueIn(text, last) ?? 0));
      }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  const cpu = process.cpuUsage(before);
  const share = (cpu.user + cpu.system) / 1000 / (performance.now() - from);
  assert.ok(ages.length >= 500, `${ages.length} ages`);
  assert.ok(Math.max(...ages) <= 2 * cadenceSeconds, `${Math.max(...ages).toFixed(1)} s old`);
  const typical = lengths.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)] ?? Number.NaN;
  assert.ok(typical < 800, `a scrape of ${typical.toFixed(0)} ms may have waited for a probe`);
  t.diagnostic(
    `50 gateways at ${cadenceSeconds} s: ${(100 * share).toFixed(1)} % of a core with its test, scrape ${typical.toFixed(1)} ms`,
  );

  const text = await scrape();
  const series = text.split("\n").filter((line) => line.includes('gateway="many-7"')).length;
  assert.ok(series > 50 && series <= 400, `${series} series of one gateway`);
  assert.equal(valueIn(text, "openclaw_guard_series_dropped_total"), 0);

  // Each with its own token: only the one with a wrong one is not let in.
  for (const name of ["one", "two"])
    assert.equal(valueIn(text, `openclaw_gateway_restart_safe{gateway="${name}"}`), 1);
  assert.equal(valueIn(text, 'openclaw_gateway_restart_safe{gateway="three"}'), undefined);

  // Each with its own lock, so that another guard may act on none of them.
  const sockets = readFileSync("/proc/net/unix", "utf8");
  for (const { url } of gateways)
    assert.ok(sockets.includes(`@openclaw-guard/port/${new URL(url).port}`), `the lock for ${url}`);

  // Each with its own journal: pausing one pauses no other.
  const paused = await fetch(`${guard.controlUrl}/api/v1/pause`, {
    method: "POST",
    headers: { authorization: `Bearer ${controlToken}`, "content-type": "application/json" },
    body: JSON.stringify({ gateway: "many-7", who: "ada", why: "maintenance" }),
  });
  assert.equal(paused.status, 200);
  const after = await scrape();
  assert.deepEqual(
    names.filter((name) => valueIn(after, `openclaw_guard_paused{gateway="${name}"}`) === 1),
    ["many-7"],
  );
});

function disposing(all: readonly AsyncDisposable[]): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
