// Does the small supervisor start, stop and restart exactly one program, and never touch another?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lives, lookAt } from "../../src/stand-in/running.ts";
import { placesIn } from "../../src/stand-in/supervised.ts";
import {
  command,
  isStarted,
  supervise,
  supervisedStandIn,
  supervisorProgram,
  until,
} from "../support/gateway.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "supervisor-"));
const sleeper = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
const stubborn = [
  process.execPath,
  "-e",
  "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)",
];

test("a restart replaces the process behind the same port", async () => {
  await using gateway = await supervisedStandIn();
  const before = gateway.life();
  const restart = await command(gateway.commands.restart);
  assert.equal(restart.code, 0, restart.stderr);
  await until("started again", () => isStarted(gateway.url));
  const after = gateway.life();
  assert.ok(before !== undefined && after !== undefined);
  assert.equal(lives(before), false);
  assert.notDeepEqual(after, before);
  assert.match(restart.stdout, new RegExp(`pid ${after.pid}\n`));
});

test("start twice is one process; stop twice is none; status says which", async () => {
  await using one = supervise(folder(), { argv: sleeper });
  assert.equal((await command(one.commands.start)).code, 0);
  const life = one.life();
  assert.match((await command(one.commands.start)).stdout, /already running/);
  assert.deepEqual(one.life(), life);
  const up = await command(one.commands.status);
  assert.equal(up.code, 0);
  assert.match(up.stdout, new RegExp(`"running":true,"pid":${life?.pid},`));
  assert.match((await command(one.commands.stop)).stdout, /stopped: pid/);
  assert.match((await command(one.commands.stop)).stdout, /not running/);
  const down = await command(one.commands.status);
  assert.equal(down.code, 3);
  assert.match(down.stdout, /"running":false.*"stoppedOnPurpose":true/);
});

test("a crash is seen as not running, and not as stopped on purpose", async () => {
  await using gateway = await supervisedStandIn();
  await gateway.ill("crash");
  await until("gone", () => gateway.life() === undefined);
  const status = await command(gateway.commands.status);
  assert.equal(status.code, 3);
  assert.match(status.stdout, /"stoppedOnPurpose":false/);
  assert.equal((await command(gateway.commands.start)).code, 0);
  await until("started again", () => isStarted(gateway.url));
});

test("what ignores SIGTERM is killed at the end of its stop time", async () => {
  const dir = folder();
  await using one = supervise(dir, { argv: stubborn, stopTimeoutMs: 100 });
  await command(one.commands.start);
  await until("it ignores", () => readFileSync(placesIn(dir).log, "utf8") === "deaf\n");
  assert.match((await command(one.commands.stop)).stdout, /killed after 100 ms/);
  assert.equal(one.life(), undefined);
});

test("a stopped process is woken so that it can end in order", async () => {
  await using gateway = await supervisedStandIn();
  const life = gateway.life();
  await gateway.ill("stop");
  await until("stopped", () => lookAt(life?.pid ?? 0)?.state === "T");
  assert.match((await command(gateway.commands.stop)).stdout, /^stopped: pid/);
  assert.match(readFileSync(placesIn(gateway.dir).log, "utf8"), /shutdown completed cleanly/);
});

test("a restart completes although its caller is killed while the old process still drains", async () => {
  await using gateway = await supervisedStandIn({ stopTimeoutMs: 30_000 });
  const before = gateway.life();
  await gateway.ill("busy");
  const [program = "", ...args] = gateway.commands.restart;
  const caller = spawn(program, args, { stdio: "ignore", detached: true });
  await until("draining", async () =>
    (await (await fetch(`${gateway.url}/startupz`)).text()).includes("draining"),
  );
  const changing = await command(gateway.commands.status);
  assert.match(changing.stdout, /"changing":true/);
  process.kill(-(caller.pid ?? 0), "SIGKILL");
  await gateway.ill("well"); // the run is over, and with it the drain
  await until("a new process", () => gateway.life() !== undefined && gateway.life()?.pid !== before?.pid);
  await until("started again", () => isStarted(gateway.url));
});

test("restart --no-wait returns before the new process is there", async () => {
  await using gateway = await supervisedStandIn();
  const before = gateway.life();
  const asked = await command([...gateway.commands.restart, "--no-wait"]);
  assert.deepEqual([asked.code, asked.stdout], [0, "restart: on its way\n"]);
  await until("a new process", () => gateway.life() !== undefined && gateway.life()?.pid !== before?.pid);
});

test("a start during a restart waits for it, and there is one process in the end", async () => {
  await using gateway = await supervisedStandIn();
  const both = await Promise.all([
    command(gateway.commands.restart),
    command(gateway.commands.start),
    command(gateway.commands.start),
  ]);
  assert.deepEqual(
    both.map((one) => one.code),
    [0, 0, 0],
  );
  await until("started again", () => isStarted(gateway.url));
  // A second gateway on the same state would have left with 78 and said so in the log.
  assert.doesNotMatch(readFileSync(placesIn(gateway.dir).log, "utf8"), /another OpenClaw process/);
});

test("a pid that now belongs to another program is never signalled", async () => {
  const dir = folder();
  const stranger = spawn(sleeper[0] ?? "", sleeper.slice(1), { stdio: "ignore" });
  try {
    await using one = supervise(dir, { argv: sleeper });
    writeFileSync(placesIn(dir).pid, `${stranger.pid}\n1\n`);
    assert.match((await command(one.commands.stop)).stdout, /not running/);
    assert.match((await command(one.commands.restart)).stdout, /restarted/);
    assert.notEqual(one.life()?.pid, stranger.pid);
    assert.equal(stranger.exitCode, null);
    assert.equal(lookAt(stranger.pid ?? 0)?.state === "Z", false);
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("the program gets its environment and folder from supervised.json, and nothing else", async () => {
  const dir = folder();
  const show = "console.log(JSON.stringify([process.cwd(), process.env])); setInterval(() => {}, 1000)";
  await using one = supervise(dir, { argv: [process.execPath, "-e", show], env: { A: "1" }, cwd: "/" });
  await command(one.commands.start);
  await until("it has spoken", () => readFileSync(placesIn(dir).log, "utf8").endsWith("\n"));
  assert.deepEqual(JSON.parse(readFileSync(placesIn(dir).log, "utf8")), ["/", { A: "1" }]);
});

test("mistakes are told: a missing program, unknown settings, no settings, no verb", async () => {
  const dir = folder();
  await using one = supervise(dir, { argv: ["/nonexistent/program"] });
  const missing = await command(one.commands.start);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /ENOENT/);
  writeFileSync(placesIn(dir).supervised, '{"argv":[],"restartAlways":true}');
  const wrong = await command(one.commands.restart);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /argv: .*restartAlways/);
  rmSync(placesIn(dir).supervised);
  assert.equal((await command(one.commands.start)).code, 1);
  assert.equal((await command([process.execPath, supervisorProgram, "--dir", dir])).code, 2);
  assert.equal((await command([process.execPath, supervisorProgram, "explode", "--dir", dir])).code, 2);
});
