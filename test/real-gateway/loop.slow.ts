// Is a real OpenClaw gateway brought back through the real alert pipeline, and left alone when it needs nothing?
// Scaled so that it fits into minutes: a hang is confirmed after 15 s (90 s), settling takes 10 s (10 min), the detector's
// minute lasts 0.2 s, there is no window, and the memory limit is 2 GiB because an idle tree already holds 1 GB.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Summary } from "../../src/core/summary.ts";
import { seconds } from "../../src/core/time.ts";
import { command } from "../support/gateway.ts";
import { figures, inMib, type Loop, startLoop } from "../support/loop.ts";
import { type RealGateway, realGateway, treeResidentBytes } from "./gateway.ts";
import { startProvider, word } from "./provider.ts";

const limitBytes = 2 * 2 ** 30;
/** The share of the limit that the tree has to fall below after a restart for memory. */
const gate = 0.6;

const scaled = {
  // A real gateway on a machine that works answers in milliseconds; a start takes 4 to 13 s.
  probe: { every: "2s", timeout: "900ms", slow_every: "2s", process_every: "200ms" },
  hang: { confirm: "15s", last_look: "2s" },
  trend: { minute: "200ms" },
  alerts: { decide_every: "2s" },
  drain: { limit: "60s" },
  verify: { every: "500ms", settle: "10s", replace_within: "90s" },
};

/** The guard and its pipeline for a gateway, up and seeing it alive. */
async function guarded(gateway: RealGateway): Promise<Loop> {
  const { start, restart, status } = gateway.commands;
  const loop = await startLoop({
    gateway: {
      url: gateway.url,
      token_file: gateway.tokenFile,
      state_dir: gateway.stateDir,
      memory_limit: `${limitBytes / 2 ** 20}MiB`,
      supervisor: { kind: "command", start, restart, status },
    },
    settings: scaled,
  });
  try {
    await loop.watching();
  } catch (error) {
    await loop[Symbol.asyncDispose]();
    throw error;
  }
  return loop;
}

test("a leak is noticed, waits for the model call in flight, and is cured by a drained restart", async (t) => {
  await using provider = await startProvider();
  await using gateway = await realGateway({ config: provider.config, chat: true });
  await using loop = await guarded(gateway);
  const before = pidOf(gateway);
  const idle = treeResidentBytes(before);

  const run = chat(gateway);
  await loop.until("the guard sees work in flight", async () =>
    isTrue((await loop.status()).work === "busy"),
  );
  await gateway.ill("leak", { bytesPerSecond: 30 * 2 ** 20, capBytes: 2000 * 2 ** 20 });
  await loop.until("the restart waits for idle", () => isTrue(decisions(loop).includes("busy")), seconds(90));
  assert.equal(pidOf(gateway), before, "it was ended while it worked");
  const leaked = treeResidentBytes(before);
  provider.release();
  assert.match(await run, new RegExp(word), "the run in flight did not get its answer");

  const episode = await loop.ended();
  await isBack(gateway, episode, loop);
  assert.equal(episode.cause, "memory_leak");
  assert.equal(decisions(loop).at(-1), "restart");
  assert.ok(!steps(loop).includes("kill_serving"), "it was killed instead of drained");
  const now = treeResidentBytes(pidOf(gateway));
  assert.ok(now < gate * limitBytes, `the tree still holds ${inMib(now)}`);
  report(
    t,
    loop,
    episode,
    `tree ${inMib(idle)} idle, ${inMib(leaked)} when it was decided, ${inMib(now)} after`,
  );
});

test("a blocked event loop is confirmed as a hang, ended by SIGKILL, and a new gateway serves", async (t) => {
  await using gateway = await realGateway();
  await using loop = await guarded(gateway);
  const before = pidOf(gateway);
  await gateway.ill("block");

  const episode = await loop.ended();
  await isBack(gateway, episode, loop);
  assert.equal(episode.cause, "hang");
  assert.ok(steps(loop).includes("kill_serving"), "a blocked loop hears no SIGTERM");
  assert.equal(episode.before?.pid, before);
  report(t, loop, episode, `version ${gateway.version}`);
});

test("a gateway that somebody restarts drains, starts and serves again without the guard's doing", async (t) => {
  await using provider = await startProvider();
  await using gateway = await realGateway({ config: provider.config, chat: true });
  await using loop = await guarded(gateway);
  const before = pidOf(gateway);

  const run = chat(gateway);
  await loop.until("the call is in flight", () => isTrue(provider.calls() > 0));
  const restart = command(gateway.commands.restart);
  await loop.until("it is seen draining", async () => isTrue((await loop.status()).stall === "draining"));
  provider.release();
  assert.match(await run, new RegExp(word), "the drain cut the run in flight");
  await loop.until("it is seen starting", async () => isTrue((await loop.status()).stall === "starting"));
  assert.equal((await restart).code, 0);
  const after = await loop.watching();
  assert.notEqual(after.pid, before);
  // On a busy machine the gap between the two lives is long enough for an alert; what counts is that nothing was done.
  assert.deepEqual(steps(loop), []);
  t.diagnostic(`drained and started by somebody else: pid ${before} -> ${after.pid}`);
});

/** What recovery means, seen by the test itself: a new process that is started, answers its RPC, and is written down. */
async function isBack(gateway: RealGateway, episode: Summary, loop: Loop): Promise<void> {
  assert.equal(episode.outcome, "recovered");
  assert.equal(episode.verdict, "recovered");
  assert.equal(episode.attempts, 1);
  assert.equal(loop.episodes().length, 1, "one illness made more than one episode");
  const pid = pidOf(gateway);
  assert.notEqual(pid, episode.before?.pid);
  assert.equal(pid, episode.after?.pid);
  assert.equal((await fetch(`${gateway.url}/startupz`)).status, 200);
  // Only an answered RPC makes work known.
  assert.equal((await loop.status()).work, "idle");
  for (const phase of ["decide", "act", "back", "settle"] as const)
    assert.equal(typeof episode.phases[phase], "number", `the history lacks the phase ${phase}`);
  const restarts = `openclaw_guard_restarts_total{gateway="main",cause="${episode.cause}",action="command",verdict="recovered"}`;
  assert.equal(await loop.series(restarts), 1);
}

/** Starts a run through the gateway's own HTTP endpoint; resolves to the answer. */
async function chat(gateway: RealGateway): Promise<string> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.token}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "openclaw", messages: [{ role: "user", content: "ping" }] }),
    signal: AbortSignal.timeout(120_000),
  });
  return `${response.status} ${await response.text()}`;
}

function pidOf(gateway: RealGateway): number {
  const life = gateway.life();
  assert.ok(life !== undefined, "no gateway runs");
  return life.pid;
}

const isTrue = (fact: boolean): true | undefined => (fact ? true : undefined);
const decisions = (loop: Loop) =>
  loop.entries().flatMap((entry) => (entry.kind === "decided" ? [entry.decision] : []));
const steps = (loop: Loop) =>
  loop.entries().flatMap((entry) => (entry.kind === "intended" ? [entry.step] : []));

function report(t: TestContext, loop: Loop, episode: Summary, more: string): void {
  t.diagnostic(figures(episode));
  t.diagnostic(`${more}; decisions ${decisions(loop).join(", ")}; steps ${steps(loop).join(", ")}`);
}
