// Does the process collector tell the truth about recorded trees and about real processes, and nothing when it cannot?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { processCollector } from "../../src/collect/process.ts";
import type { ProcessReading } from "../../src/core/readings.ts";
import { gatewayTree, never, type ProcTree, procTree, recordedBoot, recordedPort } from "./proc-tree.ts";

const target = { port: recordedPort, host: "127.0.0.1" };

function over(tree: ProcTree) {
  return processCollector({ target, procRoot: tree.root, sysRoot: join(tree.root, "no-sys") });
}

test("a recorded gateway with two workers is read whole", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 4300, parent: 4242, residentKb: 68000 });
  tree.add({ pid: 4301, parent: 4300, state: "Z" });
  tree.write("sys/fs/cgroup/user.slice/memory.max", "2147483648\n");
  const collector = processCollector({ target, procRoot: tree.root, sysRoot: join(tree.root, "sys") });
  const reading = await collector.read(never);
  assert.deepEqual(reading, {
    found: true,
    foundBy: "port",
    incarnation: {
      bootId: "6f1c3a52-0d3e-4d0c-9f0a-3a2f6d1c9b11",
      pid: 4242,
      startTicks: 151632,
      startedAt: recordedBoot * 1000 + 1516320,
    },
    listening: true,
    acceptQueue: 5,
    state: "S",
    mainThreadCpuSeconds: 13,
    cpuSeconds: 13,
    threads: 15,
    openFds: 3,
    maxFds: 1024,
    self: { residentBytes: 804000 * 1024, swappedBytes: 2048 * 1024, processes: 1, zombies: 0 },
    tree: { residentBytes: 872000 * 1024, swappedBytes: 2 * 2048 * 1024, processes: 2, zombies: 1 },
    children: 1,
    treeCut: false,
    youngBusyChild: undefined,
    cgroup: undefined,
    cgroupLimitBytes: 2147483648,
    unit: "openclaw-gateway.service",
  });
  const samples = collector
    .samples(reading)
    .filter(({ name }) => !name.endsWith("_info"))
    .map(({ name, labels, value }) => [
      `${name.replace("openclaw_gateway_", "")}${labels === undefined ? "" : `{${labels["scope"]}}`}`,
      value,
    ]);
  assert.deepEqual(Object.fromEntries(samples), {
    processes: 2,
    child_processes: 1,
    process_tree_cut: 0,
    zombie_processes: 1,
    listening: 1,
    "resident_memory_bytes{process}": 804000 * 1024,
    "resident_memory_bytes{tree}": 872000 * 1024,
    "swapped_memory_bytes{process}": 2048 * 1024,
    "swapped_memory_bytes{tree}": 2 * 2048 * 1024,
    cpu_seconds_total: 13,
    open_fds: 3,
    max_fds: 1024,
    threads: 15,
    start_time_seconds: recordedBoot + 1516.32,
    accept_queue_length: 5,
  });
});

test("one info metric names the life by pid and start, and how it was found", async () => {
  using tree = gatewayTree();
  const collector = over(tree);
  const info = collector.samples(await collector.read(never)).filter(({ name }) => name.endsWith("_info"));
  const labels = { pid: "4242", startticks: "151632", foundby: "port", unit: "openclaw-gateway.service" };
  assert.deepEqual(info, [{ name: "openclaw_gateway_process_info", labels, value: 1 }]);
});

test("what was seen is kept for deeper looks until the gateway is gone or cannot be seen", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 4300, parent: 4242 });
  const collector = over(tree);
  assert.equal(collector.sight(), undefined);
  await collector.read(never);
  assert.deepEqual(collector.sight()?.pids, [4300]);
  tree.write("4242/task/4242/stat", "garbage");
  await assert.rejects(collector.read(never));
  assert.equal(collector.sight(), undefined);
});

test("every sample belongs to a declared family", async () => {
  using tree = gatewayTree();
  const collector = over(tree);
  const names = new Set(collector.metrics.map(({ name }) => name));
  for (const sample of collector.samples(await collector.read(never)))
    assert.ok(names.has(sample.name), sample.name);
});

test("a gateway that is gone has 0 processes and no other numbers", async () => {
  using tree = procTree();
  const collector = over(tree);
  const reading = await collector.read(never);
  assert.deepEqual(reading, { found: false });
  assert.deepEqual(collector.samples(reading), [
    { name: "openclaw_gateway_processes", value: 0 },
    { name: "openclaw_gateway_listening", value: 0 },
  ]);
});

test("what this kernel or this user cannot see is absent, and the rest is there", async () => {
  using tree = gatewayTree();
  for (const file of ["limits", "cgroup"]) rmSync(join(tree.root, "4242", file));
  const collector = over(tree);
  const reading = found(await collector.read(never));
  assert.equal(reading.maxFds, undefined);
  assert.equal(reading.unit, undefined);
  assert.equal(reading.self.residentBytes, 804000 * 1024);
  const names = collector.samples(reading).map(({ name }) => name);
  assert.ok(!names.includes("openclaw_gateway_max_fds") && names.includes("openclaw_gateway_threads"));
});

test("descriptors that may not be listed: a claim still finds the gateway, without their count", async () => {
  using tree = gatewayTree();
  tree.write("gateway.pid", "4242");
  chmodSync(tree.root, 0o755);
  chmodSync(join(tree.root, "4242/fd"), 0);
  const pidFile = join(tree.root, "gateway.pid");
  const unseen = over(tree);
  const claimed = processCollector({ target: { ...target, pidFile }, procRoot: tree.root, sysRoot: "/sys" });
  await asAnotherUser(async () => {
    await assert.rejects(unseen.read(never), /held by a process this user cannot inspect/);
    const reading = found(await claimed.read(never));
    assert.equal(reading.openFds, undefined);
    assert.equal(reading.listening, true);
  });
});

test("a lock file that may not be read leaves open whether the gateway is gone", async () => {
  using tree = procTree();
  tree.write("state/tmp/openclaw-1000/gateway.a.lock", "{}");
  chmodSync(tree.root, 0o755);
  chmodSync(join(tree.root, "state/tmp"), 0);
  const stateDir = join(tree.root, "state");
  const byLock = processCollector({ target: { ...target, stateDir }, procRoot: tree.root, sysRoot: "/sys" });
  const byUnit = processCollector({
    target: { ...target, stateDir, unit: "x" },
    procRoot: tree.root,
    sysRoot: "/sys",
  });
  await asAnotherUser(async () => {
    await assert.rejects(byLock.read(never), /find gateway: its lock file may not be read by this user/);
    assert.deepEqual(await byUnit.read(never), { found: false });
  });
});

test("malformed content is a failure of the collector, not a number", async () => {
  using tree = gatewayTree();
  tree.write("4242/task/4242/stat", "4242 (openclaw-gatewa) S 1 2 3");
  await assert.rejects(over(tree).read(never), /read process 4242: malformed stat of the main thread/);
});

test("a real gateway with a child is followed through a stop, a full accept queue and its end", async () => {
  const program = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    const server = require("node:net").createServer((socket) => socket.end());
    server.listen(0, "127.0.0.1", () => process.stdout.write(JSON.stringify({ port: server.address().port, child: child.pid }) + "\\n"));
    process.on("disconnect", () => { child.kill("SIGKILL"); process.exit(0); });`;
  const gateway = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  assert.ok(gateway.stdout !== null);
  const [line] = await once(gateway.stdout, "data");
  const { port, child } = JSON.parse(String(line));
  const exited = once(gateway, "exit");
  const sockets: ReturnType<typeof connect>[] = [];
  try {
    const collector = processCollector({
      target: { port, host: "127.0.0.1" },
      procRoot: "/proc",
      sysRoot: "/sys",
    });
    const idle = found(await collector.read(never));
    assert.equal(idle.incarnation.pid, gateway.pid);
    assert.equal(idle.tree.processes, 2);
    assert.ok(
      (idle.self.residentBytes ?? 0) > 10_000_000 &&
        (idle.tree.residentBytes ?? 0) > (idle.self.residentBytes ?? 0),
    );
    assert.ok((idle.openFds ?? 0) > 5 && (idle.maxFds ?? 0) >= (idle.openFds ?? 0));
    assert.equal(idle.acceptQueue, 0);
    assert.ok(Math.abs(idle.incarnation.startedAt - Date.now()) < 60_000);

    gateway.kill("SIGSTOP");
    for (let n = 0; n < 3; n++) {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      await once(socket, "connect");
    }
    const stopped = await until(collector, (reading) => reading.found && reading.state === "T");
    assert.equal(found(stopped).acceptQueue, 3);
    gateway.kill("SIGCONT");
    await until(collector, (reading) => reading.found && reading.state !== "T" && reading.acceptQueue === 0);

    gateway.kill("SIGKILL");
    await exited;
    assert.deepEqual(await collector.read(never), { found: false });
  } finally {
    for (const socket of sockets) socket.destroy();
    gateway.kill("SIGKILL");
    await exited;
    process.kill(child, "SIGKILL");
  }
});

function found(reading: ProcessReading): Extract<ProcessReading, { readonly found: true }> {
  assert.ok(reading.found);
  return reading;
}

/** Reads until it is so, at most 5 s. */
async function until(
  collector: ReturnType<typeof processCollector>,
  so: (reading: ProcessReading) => boolean,
): Promise<ProcessReading> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const reading = await collector.read(never);
    if (so(reading)) return reading;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(reading)}`);
    await wait(10);
  }
}

/** Root may look everywhere, so a test about permissions gives that up for its while. */
async function asAnotherUser(act: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    await act();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
