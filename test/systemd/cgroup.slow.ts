// Does a real cgroup tell what the recorded ones do: memory, its limit, and the process lost to it? Version 1, by hand.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseCgroups } from "../../src/collect/cgroup.ts";
import { readCgroup } from "../../src/collect/cgroup-memory.ts";
import { processCollector } from "../../src/collect/process.ts";
import { until } from "../support/gateway.ts";

const top = "/sys/fs/cgroup/memory";
const lacking =
  process.geteuid?.() !== 0 || !existsSync(join(top, "memory.limit_in_bytes"))
    ? "needs root and the memory controller of cgroup version 1"
    : false;
const mib = 1024 * 1024;

/** Waits for its cgroup, then listens; every byte it is sent makes it hold 100 MiB more. */
const program = `
  const held = [];
  process.stdin.once("data", () => {
    const server = require("node:net").createServer((socket) => {
      socket.on("data", () => held.push(Buffer.alloc(100 * 1024 * 1024, 1)));
      socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  });`;

test("a gateway in a cgroup with a limit: what it uses, the limit, and that it was killed at it", {
  skip: lacking,
}, async () => {
  const name = `guard-test.${process.pid}`;
  const folder = join(top, name);
  mkdirSync(folder);
  const gateway = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(gateway, "exit");
  try {
    writeFileSync(join(folder, "memory.limit_in_bytes"), `${150 * mib}`);
    writeFileSync(join(folder, "cgroup.procs"), `${gateway.pid}`);
    gateway.stdin.write("go");
    const [port] = await once(gateway.stdout, "data");
    const target = { port: Number(String(port)), host: "127.0.0.1" };
    const reading = await processCollector({ target, procRoot: "/proc", sysRoot: "/sys" }).read(
      new AbortController().signal,
    );
    assert.ok(reading.found);
    assert.equal(reading.incarnation.pid, gateway.pid);
    assert.equal(reading.cgroup?.version, 1);
    assert.equal(reading.cgroup.maxBytes, 150 * mib);
    assert.equal(reading.cgroupLimitBytes, 150 * mib);
    assert.ok((reading.cgroup.currentBytes ?? 0) > mib);
    assert.deepEqual(reading.cgroup.events.oom_kill, 0);

    const socket = (await import("node:net")).connect(target.port, target.host);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const feeding = setInterval(() => socket.write("x"), 20);
    const [, signal] = await exited;
    clearInterval(feeding);
    socket.destroy();
    assert.equal(signal, "SIGKILL");
    const after = readCgroup("/sys", parseCgroups(`4:memory:/${name}\n`));
    assert.equal(after?.events.oom_kill, 1);
    assert.ok((after.events.max ?? 0) > 0);
  } finally {
    gateway.kill("SIGKILL");
    await exited;
    await until("the cgroup is empty", () => {
      try {
        rmdirSync(folder);
        return true;
      } catch {
        return false;
      }
    });
  }
});
