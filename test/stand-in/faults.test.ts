// Does each fault look from outside like the illness it stands for?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { lookAt } from "../../src/stand-in/running.ts";
import {
  type StandIn,
  residentBytes,
  standInProgram,
  startStandIn,
  supervisedStandIn,
  until,
} from "../support/gateway.ts";

const mib = 1024 * 1024;

async function answers(gateway: { readonly url: string }, withinMs = 300): Promise<boolean> {
  try {
    return (await fetch(`${gateway.url}/healthz`, { signal: AbortSignal.timeout(withinMs) })).ok;
  } catch {
    return false;
  }
}

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

test("a leak makes resident memory grow up to its cap, while it goes on answering", async () => {
  await using gateway = await startStandIn();
  const before = residentBytes(gateway.pid);
  await gateway.ill("leak", { bytesPerSecond: 400 * mib, capBytes: 100 * mib });
  await until("100 MiB more", () => residentBytes(gateway.pid) - before > 90 * mib);
  assert.equal(await answers(gateway, 5000), true);
  assert.ok(residentBytes(gateway.pid) - before < 160 * mib, "the cap holds");
});

test("open descriptors grow up to their cap and are closed again when it is well", async () => {
  await using gateway = await startStandIn();
  const before = descriptors(gateway.pid);
  await gateway.ill("fds", { perSecond: 1000, cap: 200 });
  await until("200 more", () => descriptors(gateway.pid) >= before + 200);
  assert.ok(descriptors(gateway.pid) < before + 220, "the cap holds");
  await gateway.ill("well");
  await until("closed", () => descriptors(gateway.pid) < before + 20);
});

test("near its descriptor limit it still answers", async () => {
  await using gateway = await supervisedStandIn({ descriptorLimit: 128 });
  const pid = gateway.life()?.pid ?? 0;
  assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max open files\s+128\s+128\s/m);
  await gateway.ill("fds", { perSecond: 2000 });
  await until("80 % are open", () => descriptors(pid) > 128 * 0.7);
  assert.equal(await answers(gateway, 5000), true);
});

for (const fault of ["hang", "deadlock"] as const)
  test(`${fault}: connections are accepted, no byte is answered, and SIGTERM changes nothing`, async () => {
    await using gateway = await startStandIn();
    await gateway.ill(fault);
    await until("silent", async () => !(await answers(gateway)));
    assert.equal(await connects(gateway.port), true);
    process.kill(gateway.pid, "SIGTERM");
    assert.equal(await answers(gateway), false);
    const running = () => lookAt(gateway.pid)?.state;
    await until("its state", () => running() === (fault === "hang" ? "R" : "S"));
    process.kill(gateway.pid, "SIGKILL");
    assert.equal((await gateway.exited).signal, "SIGKILL");
  });

test("after a stall that ends by itself it answers again", async () => {
  await using gateway = await startStandIn();
  await gateway.ill("deadlock", { forMs: 700 });
  await until("silent", async () => !(await answers(gateway, 200)));
  await until("back", () => answers(gateway));
});

test("stop: the kernel shows it stopped, and SIGCONT brings it back", async () => {
  await using gateway = await startStandIn();
  await gateway.ill("stop");
  await until("stopped", () => lookAt(gateway.pid)?.state === "T");
  assert.equal(await answers(gateway), false);
  process.kill(gateway.pid, "SIGCONT");
  await until("back", () => answers(gateway));
});

test("crash: it is gone at once, by signal or with exit code 1, and leaves its locks", async () => {
  for (const [how, end] of [
    ["kill", { code: null, signal: "SIGKILL" }],
    ["exit", { code: 1, signal: null }],
  ] as const) {
    await using gateway = await startStandIn();
    await gateway.ill("crash", { how });
    assert.deepEqual(await gateway.exited, end);
    const locks = join(gateway.stateDir, "tmp", `openclaw-${process.getuid?.()}`);
    assert.equal(readdirSync(locks).length, 2);
  }
});

test("mute: it accepts and says nothing although its loop runs; slow: it answers late; deaf: nothing listens", async () => {
  await using gateway = await startStandIn();
  await gateway.ill("mute");
  await until("silent", async () => !(await answers(gateway)));
  assert.equal(await connects(gateway.port), true);
  await gateway.ill("well");
  await until("well", () => answers(gateway));
  await gateway.ill("slow", { delayMs: 400 });
  await until("late", async () => !(await answers(gateway, 200)));
  assert.equal(await answers(gateway, 5000), true);
  await gateway.ill("well");
  await gateway.ill("deaf");
  await until("refused", async () => !(await connects(gateway.port)));
  await gateway.ill("well");
  await until("well again", () => answers(gateway));
});

test("bad faults are refused and change nothing", async () => {
  await using gateway = await startStandIn();
  const unknown: readonly [string, Parameters<StandIn["ill"]>][] = [
    ["a setting of another fault", ["mute", { bytesPerSecond: 1 }]],
    ["a leak above the cap", ["leak", { capBytes: 4096 * mib }]],
    ["a negative rate", ["fds", { perSecond: -1 }]],
    ["a hang for ever", ["hang", { forMs: 86_400_000 }]],
  ];
  for (const [name, asked] of unknown) await assert.rejects(gateway.ill(...asked), /400/, name);
  const state = z.object({ controlPort: z.number() });
  const { controlPort } = state.parse(
    JSON.parse(readFileSync(join(gateway.stateDir, "stand-in.json"), "utf8")),
  );
  const send = async (path: string, body: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${controlPort}${path}`, { method: "POST", body })).status;
  assert.equal(await send("/stand-in/ill", "{"), 400);
  assert.equal(await send("/stand-in/ill", '{"fault":"sad"}'), 400);
  assert.equal(await send("/stand-in/ill", " ".repeat(20_000)), 413);
  assert.equal(await send("/elsewhere", '{"fault":"mute"}'), 404);
  assert.equal(
    (await fetch(`${gateway.url}/stand-in/ill`, { method: "POST" })).status,
    404,
    "not on its own port",
  );
  assert.equal(await answers(gateway, 5000), true);
});

test("SIGTERM while busy: it drains, is live but not ready, and leaves when the work ends", async () => {
  await using gateway = await startStandIn();
  await gateway.ill("busy", { runs: 2, forMs: 1500 });
  process.kill(gateway.pid, "SIGTERM");
  const startup = async () => (await fetch(`${gateway.url}/startupz`)).text();
  await until("draining", async () => (await startup()).includes('"status":"draining"'));
  assert.equal(await answers(gateway, 5000), true);
  const ready = await fetch(`${gateway.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /"failing":\["gateway-draining"\]/);
  process.kill(gateway.pid, "SIGTERM"); // a second one changes nothing
  assert.deepEqual(await gateway.exited, { code: 0, signal: null });
});

test("a drain that overruns its budget ends with the budget", async () => {
  await using gateway = await startStandIn({ drainMs: 200 });
  await gateway.ill("busy", { runs: 1, forMs: 600_000 });
  process.kill(gateway.pid, "SIGTERM");
  assert.deepEqual(await gateway.exited, { code: 0, signal: null });
});

test("it dies with its owner, also while it hangs", async () => {
  const owner = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  await using gateway = await startStandIn({ ownerPid: owner.pid ?? 0 });
  await gateway.ill("hang");
  owner.kill("SIGKILL");
  assert.equal((await gateway.exited).signal, "SIGKILL");
});

test("a second gateway on the same state leaves with exit code 78, as do wrong settings", async () => {
  await using gateway = await startStandIn();
  const run = (args: readonly string[], token = "T"): Promise<number | null> =>
    new Promise((resolve) => {
      const env = token === "" ? {} : { OPENCLAW_GATEWAY_TOKEN: token };
      const child = spawn(process.execPath, [standInProgram, ...args], { env, stdio: "ignore" });
      child.once("exit", resolve);
    });
  const here = ["--state-dir", gateway.stateDir];
  assert.equal(await run(here), 78);
  assert.equal(await run([]), 78, "no state folder");
  assert.equal(await run(here, ""), 78, "no token");
  assert.equal(await run([...here, "--port", "70000"]), 78);
  assert.equal(await run([...here, "--startup", "1"]), 78, "unknown option");
  assert.equal(await answers(gateway, 5000), true);
  const other = ["--state-dir", join(gateway.stateDir, "other"), "--port", `${gateway.port}`];
  assert.equal(await run(other), 1, "port in use");
});
