// Does a signal reach exactly the life it is meant for, and nothing else?
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { Incarnation } from "../../src/core/identity.ts";
import { instant } from "../../src/core/time.ts";
import { fieldsAfterName, killVerified, readBootId } from "../../src/platform/signal.ts";

test("the verified life gets the signal", async () => {
  await using child = sleeper();
  assert.equal(killVerified("/proc", lifeOf(child.pid), "SIGKILL"), "sent");
  const [, signal] = await child.exited;
  assert.equal(signal, "SIGKILL");
});

test("a life that has ended is gone, and nothing is sent", async () => {
  await using child = sleeper();
  const life = lifeOf(child.pid);
  child.process.kill("SIGKILL");
  await child.exited;
  assert.equal(killVerified("/proc", life, "SIGKILL"), "gone");
});

test("the same pid with other start ticks, or in another boot, is another life and is left alone", async () => {
  await using child = sleeper();
  const life = lifeOf(child.pid);
  assert.equal(killVerified("/proc", { ...life, startTicks: life.startTicks - 1 }, "SIGKILL"), "another");
  assert.equal(killVerified("/proc", { ...life, bootId: "another-boot" }, "SIGKILL"), "another");
  assert.equal(child.process.exitCode, null);
  assert.equal(child.process.signalCode, null);
  assert.equal(lifeOf(child.pid).startTicks, life.startTicks);
});

test("init, process groups, and the guard itself are never signalled", () => {
  const life = lifeOf(process.pid);
  for (const pid of [1, 0, -1, -process.pid, 1.5, Number.NaN, process.pid]) {
    assert.throws(
      () => killVerified("/proc", { ...life, pid }, "SIGTERM"),
      /not a process that may be signalled/,
      `${pid}`,
    );
  }
});

test("a zombie is gone; a stat line that is cut short is an error and nothing is sent", () => {
  const root = mkdtempSync(join(tmpdir(), "guard-signal-"));
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const life: Incarnation = { bootId: "boot", pid: 2 ** 22 + 1, startTicks: 1, startedAt: instant(0) };
    write(root, "sys/kernel/random/boot_id", "boot\n");
    write(root, `${life.pid}/stat`, stat.replace(/\) . /, ") Z "));
    assert.equal(killVerified(root, life, "SIGKILL"), "gone");
    for (const text of ["", "42 (node) S", stat.slice(0, 40)]) {
      write(root, `${life.pid}/stat`, text);
      assert.throws(() => killVerified(root, life, "SIGKILL"), /malformed stat/);
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("a name that imitates the rest of the line does not move the fields", () => {
  assert.deepEqual(fieldsAfterName("1 (a) S 9 9) R 2 3\n"), ["R", "2", "3"]);
});

function lifeOf(pid: number): Incarnation {
  const startTicks = Number(fieldsAfterName(readFileSync(`/proc/${pid}/stat`, "utf8"))[19]);
  return { bootId: readBootId("/proc"), pid, startTicks, startedAt: instant(0) };
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function sleeper(): AsyncDisposable & {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly exited: Promise<unknown[]>;
} {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const exited = once(child, "exit");
  assert.ok(child.pid !== undefined);
  return {
    pid: child.pid,
    process: child,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
