// Is the serving process found by every way there is, told apart from others, and never taken for gone by mistake?
import assert from "node:assert/strict";
import { rmSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { finder } from "../../src/collect/discover.ts";
import { parseLock } from "../../src/collect/claims.ts";
import {
  gatewayTree,
  never,
  procTree,
  recorded,
  recordedBoot,
  recordedPort,
  recordedTicks,
} from "./proc-tree.ts";

const target = { port: recordedPort, host: "127.0.0.1" };
const lockName = "state/tmp/openclaw-1000/gateway.0a1b.lock";
const lock = (pid: number, startTime = recordedTicks, port = recordedPort) =>
  `${JSON.stringify({ pid, ownerId: "x", port, startTime, stateDir: "/home/u/.openclaw" })}${" ".repeat(200)}\n`;

/** The recorded table before connections began to wait. */
const quiet = recorded("net-tcp.txt").replace("00000000:00000003", "00000000:00000000");

test("the owner of the listening port is found, with the life it leads", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 50, sockets: [70009, 1679] });
  assert.deepEqual(await finder(target, tree.root)(never), {
    incarnation: {
      bootId: "6f1c3a52-0d3e-4d0c-9f0a-3a2f6d1c9b11",
      pid: 4242,
      startTicks: recordedTicks,
      startedAt: (recordedBoot + recordedTicks / 100) * 1000,
    },
    foundBy: "port",
    listening: true,
    listeners: [
      { inode: 70001, queued: 3, address: "0100007F" },
      { inode: 70002, queued: 2, address: "00000000000000000000000001000000" },
    ],
  });
});

test("a known gateway is asked for its IPv6 listener only when connections wait, or when it is probed there", async () => {
  for (const [host, v4, rows] of [
    ["127.0.0.1", quiet, 1],
    ["127.0.0.1", recorded("net-tcp.txt"), 2],
    ["::1", quiet, 2],
    ["localhost", quiet, 2],
  ] as const) {
    using tree = gatewayTree();
    const find = finder({ ...target, host }, tree.root);
    await find(never);
    tree.listen(v4, recorded("net-tcp6.txt"));
    assert.equal((await find(never))?.listeners?.length, rows, host);
  }
});

test("nobody listens and nothing else is known: gone", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  assert.equal(await finder(target, tree.root)(never), undefined);
});

test("either loopback listener will do", async () => {
  using tree = gatewayTree({ sockets: [70002] });
  assert.equal((await finder(target, tree.root)(never))?.incarnation.pid, 4242);
});

test("of two programs on the port, the one at the gateway's address is it", async () => {
  using tree = procTree();
  tree.add({ pid: 100, startTicks: 5, sockets: [80001] });
  tree.add({ pid: 200, startTicks: 9, sockets: [80002] });
  const other = "0: 0500000A:4965 00000000:0000 0A 00000000:00000000 00:0 0 0 0 80001 1\n";
  const ours = "1: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:0 0 0 0 80002 1\n";
  tree.listen(other + ours);
  assert.equal((await finder(target, tree.root)(never))?.incarnation.pid, 200);
  assert.equal((await finder({ ...target, host: "10.0.0.5" }, tree.root)(never))?.incarnation.pid, 100);
});

test("a child that inherited the socket is not the gateway", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 4100, parent: 4242, startTicks: recordedTicks + 500, sockets: [70001] });
  assert.equal((await finder(target, tree.root)(never))?.incarnation.pid, 4242);
});

test("a program that only forwards the port is not the gateway", async () => {
  using tree = gatewayTree({ name: "docker-proxy" });
  await assert.rejects(
    finder(target, tree.root)(never),
    /port 18789 is held by docker-proxy, which only forwards it/,
  );
});

test("a port held by a process that cannot be seen is an error, not a missing gateway", async () => {
  using tree = gatewayTree({ sockets: [] });
  const find = finder(target, tree.root);
  for (let look = 0; look < 3; look++) {
    await assert.rejects(find(never), {
      message:
        "find gateway: port 18789 is held by a process this user cannot inspect: run the guard as the gateway's user",
    });
  }
});

test("a port that changes hands is found again at once, even after it could not be seen", async () => {
  using tree = gatewayTree({ sockets: [] });
  const find = finder(target, tree.root);
  await assert.rejects(find(never));
  tree.add({ pid: 5000, sockets: [80001] });
  tree.listen("0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:0 0 0 0 80001 1\n");
  assert.equal((await find(never))?.incarnation.pid, 5000);
});

test("the same life that stops listening is alive without a listener", async () => {
  using tree = gatewayTree();
  const find = finder(target, tree.root);
  const before = await find(never);
  tree.listen("");
  assert.deepEqual(await find(never), { ...before, listening: false, listeners: [] });
  tree.listen(recorded("net-tcp.txt"), recorded("net-tcp6.txt"));
  assert.deepEqual(await find(never), before);
});

test("the same pid with other start ticks is another life", async () => {
  using tree = gatewayTree();
  const find = finder(target, tree.root);
  await find(never);
  tree.remove(4242);
  tree.add({ pid: 4242, startTicks: recordedTicks + 900, sockets: [70001] });
  assert.equal((await find(never))?.incarnation.startTicks, recordedTicks + 900);
  tree.remove(4242);
  tree.listen("");
  tree.add({ pid: 4242, startTicks: recordedTicks + 5000, name: "cron" });
  assert.equal(await find(never), undefined);
});

test("a socket closed under a known descriptor is looked for again", async () => {
  using tree = gatewayTree();
  const find = finder(target, tree.root);
  await find(never);
  rmSync(join(tree.root, "4242/fd/20"));
  rmSync(join(tree.root, "4242/fd/21"));
  symlinkSync("socket:[70001]", join(tree.root, "4242/fd/33"));
  assert.equal((await find(never))?.listening, true);
});

test("a zombie is gone", async () => {
  using tree = procTree();
  tree.add({ pid: 4242, state: "Z" });
  tree.write("state/lock", "");
  tree.write(lockName, lock(4242));
  assert.equal(await finder({ ...target, stateDir: join(tree.root, "state") }, tree.root)(never), undefined);
});

test("a lock file finds the process that is up and does not listen", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  tree.write(lockName, lock(4242));
  const serving = await finder({ ...target, stateDir: join(tree.root, "state") }, tree.root)(never);
  assert.equal(serving?.foundBy, "lock_file");
  assert.equal(serving.listening, false);
});

test("a lock proves nothing for another port, another life, or when it is damaged", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  const find = finder({ ...target, stateDir: join(tree.root, "state") }, tree.root);
  const bad = [
    lock(4242, 7),
    lock(4242, recordedTicks, 19000),
    lock(4343),
    "",
    "{",
    "[]",
    "null",
    '{"pid":"4242"}',
  ];
  for (const text of bad) {
    tree.write(lockName, text);
    assert.equal(await find(never), undefined, text.trim());
  }
  assert.equal(parseLock(`${lock(1).trim()}\0\0`)?.pid, 1);
});

test("the SQLite twin of a lock is not read as one", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  tree.write(`${lockName}.sqlite`, lock(4242));
  assert.equal(await finder({ ...target, stateDir: join(tree.root, "state") }, tree.root)(never), undefined);
});

test("a process that was found by its lock stays found while the lock is made anew", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  tree.write(lockName, lock(4242));
  const find = finder({ ...target, stateDir: join(tree.root, "state") }, tree.root);
  await find(never);
  rmSync(join(tree.root, lockName));
  assert.equal((await find(never))?.incarnation.pid, 4242);
});

test("the oldest process of the unit is found by its cgroup, with or without the ending of the name", async () => {
  using tree = procTree();
  tree.add({ pid: 300, startTicks: 900 });
  tree.add({ pid: 400, startTicks: 800 });
  tree.add({ pid: 200, startTicks: 700, cgroup: "0::/system.slice/cron.service\n" });
  for (const unit of ["openclaw-gateway.service", "openclaw-gateway"]) {
    const serving = await finder({ ...target, unit }, tree.root)(never);
    assert.equal(serving?.incarnation.pid, 400);
    assert.equal(serving.foundBy, "systemd_unit");
  }
  assert.equal(await finder({ ...target, unit: "openclaw" }, tree.root)(never), undefined);
});

test("a pid file finds its process, unless the pid was reused since it was written", async () => {
  using tree = procTree();
  tree.add({ pid: 4242 });
  tree.write("gateway.pid", "4242\n");
  const pidFile = join(tree.root, "gateway.pid");
  const find = finder({ ...target, pidFile }, tree.root);
  assert.equal((await find(never))?.foundBy, "pid_file");
  const beforeStart = recordedBoot + recordedTicks / 100 - 60;
  utimesSync(pidFile, beforeStart, beforeStart);
  assert.equal(await finder({ ...target, pidFile }, tree.root)(never), undefined);
  for (const text of ["", "0", "-4242", "gateway", "99999999"]) {
    tree.write("gateway.pid", text);
    assert.equal(await finder({ ...target, pidFile }, tree.root)(never), undefined, text);
  }
});

test("a gateway in a network namespace of its own is found by its claim and seen to listen", async () => {
  using tree = gatewayTree();
  tree.write("net/tcp", "");
  tree.write("net/tcp6", "");
  tree.write("gateway.pid", "4242");
  const find = finder({ ...target, pidFile: join(tree.root, "gateway.pid") }, tree.root);
  for (let look = 0; look < 2; look++) assert.equal((await find(never))?.listening, true);
});

test("a search that is called off ends", async () => {
  using tree = gatewayTree({ sockets: [] });
  for (let pid = 100; pid < 200; pid++) tree.add({ pid });
  await assert.rejects(finder(target, tree.root)(AbortSignal.abort(new Error("enough"))), /enough/);
});
