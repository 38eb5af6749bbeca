// Do real databases count as answering, and do they mind being asked? With those that this machine has; the recorded
// answers of the same versions are in handshake.test.ts, which needs none.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { accessSync, chownSync, constants, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { seconds } from "../../src/core/time.ts";
import { ask, freePort, program } from "./endpoint-servers.ts";

/** A program of this machine: on PATH, or where Debian puts it. */
function found(name: string, elsewhere = ""): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = [...folders.map((folder) => join(folder, name)), ...globSync(elsewhere)];
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const redisServer = found("redis-server");
const initdb = found("initdb", "/usr/lib/postgresql/*/bin/initdb");

test("the databases of this machine are looked for", (t) => {
  t.diagnostic(`redis-server ${redisServer ?? "is not here"}, initdb ${initdb ?? "is not here"}`);
});

if (redisServer !== undefined)
  for (const [says, more] of [
    ["without a password", []],
    ["with a password", ["--requirepass", "of-the-test"]],
  ] as const)
    test(`redis ${says} is up, and within reach but down while it is stopped`, async () => {
      const port = await freePort();
      const at = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", ...more];
      await using server = program(redisServer, at, { cwd: tmpdir() });
      await server.said(/Ready to accept connections/);
      assert.equal((await ask({ kind: "redis", host: "127.0.0.1", port })).up, true);
      server.child.kill("SIGSTOP");
      const { up, reachable } = await ask({ kind: "redis", host: "127.0.0.1", port, timeout: seconds(0.3) });
      assert.deepEqual({ up, reachable }, { up: false, reachable: true });
    });

if (initdb !== undefined)
  test("postgres is up, writes nothing about it to its log, and is down but within reach while it is stopped", async () => {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), "guard-postgres-"));
    // PostgreSQL refuses to run as root.
    const nobody = 65_534;
    const as = process.getuid?.() === 0 ? { uid: nobody } : {};
    if ("uid" in as) chownSync(dir, nobody, nobody);
    try {
      const data = join(dir, "data");
      execFileSync(initdb, ["-D", data, "-A", "trust", "-U", "me", "--no-sync", "-E", "UTF8", "--locale=C"], {
        cwd: dir,
        stdio: "pipe",
        ...as,
      });
      const settings = [
        `port=${port}`,
        "listen_addresses=127.0.0.1",
        "fsync=off",
        `unix_socket_directories=${dir}`,
      ];
      const args = ["-D", data, ...settings.flatMap((each) => ["-c", each])];
      await using server = program(join(dirname(initdb), "postgres"), args, { cwd: dir, ...as });
      await server.said(/ready to accept connections/);
      const before = server.output().length;
      for (let n = 0; n < 5; n++)
        assert.equal((await ask({ kind: "postgres", host: "127.0.0.1", port })).up, true);
      // It is the postmaster that accepts, and a process of its own that answers.
      server.child.kill("SIGSTOP");
      const { up, reachable } = await ask({
        kind: "postgres",
        host: "127.0.0.1",
        port,
        timeout: seconds(0.3),
      });
      assert.deepEqual({ up, reachable }, { up: false, reachable: true });
      server.child.kill("SIGCONT");
      assert.equal((await ask({ kind: "postgres", host: "127.0.0.1", port })).up, true);
      server.child.kill("SIGINT");
      await server.said(/shut down/);
      assert.doesNotMatch(server.output().slice(before), /incomplete|invalid|could not|reset/i);
    } finally {
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    }
  });
