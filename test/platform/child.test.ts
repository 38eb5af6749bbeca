// Is a program that we keep beside us ended with us, and do we notice when it ends by itself?
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ms } from "../../src/core/time.ts";
import { startChild } from "../../src/platform/child.ts";
import { until } from "../support/gateway.ts";

test("what it says goes to its file, which nobody else may read", async () => {
  using at = folder();
  await using child = await startChild(["sh", "-c", "echo out; echo err >&2; pwd"], {
    logPath: at.log,
    cwd: at.dir,
  });
  assert.equal(await child.ended, "exited 0");
  assert.equal(readFileSync(at.log, "utf8"), `out\nerr\n${at.dir}\n`);
  assert.equal(statSync(at.log).mode & 0o777, 0o600);
});

test("how it ended is told: with a code, or by a signal", async () => {
  using at = folder();
  await using failed = await startChild(["sh", "-c", "exit 3"], { logPath: at.log });
  assert.equal(await failed.ended, "exited 3");
  await using killed = await startChild(["sh", "-c", "kill -KILL $$"], { logPath: at.log });
  assert.equal(await killed.ended, "ended by SIGKILL");
});

test("it is stopped with SIGTERM and waited for", async () => {
  using at = folder();
  const child = await startChild(
    ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"],
    {
      logPath: at.log,
    },
  );
  await until("the trap is set", () => readFileSync(at.log, "utf8").includes("up"));
  await child[Symbol.asyncDispose]();
  assert.equal(await child.ended, "exited 0");
  assert.equal(existsSync(`/proc/${child.pid}`), false);
  assert.match(readFileSync(at.log, "utf8"), /bye/);
  await child[Symbol.asyncDispose]();
});

test("one that will not hear SIGTERM is ended by force", async () => {
  using at = folder();
  const child = await startChild(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], {
    logPath: at.log,
    stopWithin: ms(200),
  });
  await until("the trap is set", () => readFileSync(at.log, "utf8").includes("up"));
  await child[Symbol.asyncDispose]();
  assert.equal(await child.ended, "ended by SIGKILL");
  assert.equal(existsSync(`/proc/${child.pid}`), false);
});

test("a program that does not exist rejects with its name, and leaves no descriptor open", async () => {
  using at = folder();
  await assert.rejects(
    startChild(["/nowhere/prometheus"], { logPath: at.log }),
    /start \/nowhere\/prometheus: could not be started/,
  );
  await assert.rejects(startChild([], { logPath: at.log }), TypeError);
});

test("arguments reach the program as they are: there is no shell", async () => {
  using at = folder();
  await using child = await startChild(["printf", "%s\n", "$HOME; rm -rf *", "two words"], {
    logPath: at.log,
  });
  await child.ended;
  assert.equal(readFileSync(at.log, "utf8"), "$HOME; rm -rf *\ntwo words\n");
});

function folder(): Disposable & { readonly dir: string; readonly log: string } {
  const dir = mkdtempSync(join(tmpdir(), "child-"));
  return {
    dir,
    log: join(dir, "log"),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
