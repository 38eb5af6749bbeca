// Is the gateway found wherever people run it: under systemd, in a container, by hand, behind a launcher, two on one host?
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { gatewayCollectors } from "../../src/collect/index.ts";
import { processCollector } from "../../src/collect/process.ts";
import { instant } from "../../src/core/time.ts";
import { startStandIn } from "../support/gateway.ts";
import { never, type ProcTree, procTree, recorded, recordedPort, recordedTicks } from "./proc-tree.ts";
import { recordedSysTree } from "./sys-tree.ts";

const target = { port: recordedPort, host: "127.0.0.1" };
const listening = recorded("net-tcp.txt");

async function found(tree: ProcTree, more: object = {}, sysRoot = "/nowhere") {
  const reading = await processCollector({
    target: { ...target, ...more },
    procRoot: tree.root,
    sysRoot,
  }).read(never);
  assert.ok(reading.found);
  return reading;
}

test("under a user's systemd: unit, limit that slows and memory of its own cgroup", async () => {
  using tree = procTree();
  using sys = recordedSysTree("v2-user-unit");
  tree.add({ pid: 4242, sockets: [70001] });
  tree.listen(listening);
  const reading = await found(tree, {}, sys.root);
  assert.equal(reading.unit, "openclaw-gateway.service");
  assert.equal(reading.cgroup?.currentBytes, 1143533568);
  assert.equal(reading.cgroupLimitBytes, 2147483648);
});

test("in a container that shares the guard's pid namespace: host paths, only the container's level mounted", async () => {
  using tree = procTree();
  using sys = recordedSysTree("v2-container");
  // The container that owns the namespace has pid 1, the gateway any other; its network is its own or shared.
  tree.add({ pid: 1, parent: 0, name: "sleep", cgroup: "0::/../pause\n" });
  tree.add({ pid: 7, parent: 0, name: "tini", cgroup: "0::/../gw\n", startTicks: recordedTicks - 5 });
  tree.add({ pid: 8, parent: 7, sockets: [70001], cgroup: "0::/../gw\n" });
  tree.listen(listening);
  const reading = await found(tree, {}, sys.root);
  assert.equal(reading.incarnation.pid, 8);
  assert.equal(reading.unit, undefined);
  assert.equal(
    reading.cgroup,
    undefined,
    "a path that climbs is another container's: its memory cannot be seen here",
  );
});

test("in a container seen from the host: its own network, the container's cgroup, a launcher as its pid 1", async () => {
  using tree = procTree();
  using sys = recordedSysTree("hybrid-user-unit");
  const cgroup = "4:memory:/docker/9feace27\n0::/\n";
  tree.add({
    pid: 900,
    parent: 1,
    name: "docker-proxy",
    sockets: [81000],
    cgroup: "0::/system.slice/docker.service\n",
  });
  tree.add({ pid: 3000, parent: 2990, name: "tini", cgroup, startTicks: recordedTicks - 9 });
  tree.add({ pid: 3001, parent: 3000, sockets: [70001], cgroup });
  tree.listen(listening);
  // The host's own table shows only the forwarder.
  const forwarded = "0: 00000000:4965 00000000:0000 0A 00000000:00000000 00:0 0 0 0 81000 1\n";
  tree.write("net/tcp", forwarded);
  tree.write("pid", "3000");
  const reading = await found(tree, { pidFile: join(tree.root, "pid") }, sys.root);
  assert.equal(reading.incarnation.pid, 3001);
  assert.equal(reading.foundBy, "pid_file");
  assert.equal(reading.listening, true);
  assert.equal(reading.cgroup?.currentBytes, 104857600);
});

test("started by hand: a session scope, no limit", async () => {
  using tree = procTree();
  tree.add({ pid: 4242, sockets: [70001], cgroup: "0::/user.slice/user-1000.slice/session-3.scope\n" });
  tree.listen(listening);
  const reading = await found(tree);
  assert.equal(reading.unit, "session-3.scope");
  assert.equal(reading.cgroupLimitBytes, undefined);
});

test("behind a launcher the child that serves is found by its port, and its tree is its own", async () => {
  using tree = procTree();
  tree.add({ pid: 4200, name: "openclaw", startTicks: recordedTicks - 100, residentKb: 90_000 });
  tree.add({ pid: 4242, parent: 4200, sockets: [70001] });
  tree.add({ pid: 4300, parent: 4242, name: "node", residentKb: 68_000 });
  tree.listen(listening);
  const reading = await found(tree);
  assert.equal(reading.incarnation.pid, 4242);
  assert.equal(reading.tree.processes, 2);
});

test("a launcher's unit or pid file leads to the gateway below it while nobody listens", async () => {
  using tree = procTree();
  tree.add({ pid: 4200, name: "openclaw", startTicks: recordedTicks - 100 });
  tree.add({ pid: 4242, parent: 4200 });
  tree.write("pid", "4200");
  assert.equal((await found(tree, { unit: "openclaw-gateway.service" })).incarnation.pid, 4242);
  const byFile = await found(tree, { pidFile: join(tree.root, "pid") });
  assert.deepEqual([byFile.incarnation.pid, byFile.foundBy], [4242, "pid_file"]);
  // A launcher whose gateway has not come up yet is what there is.
  tree.remove(4242);
  tree.add({ pid: 4243, parent: 4200, name: "node" });
  assert.equal((await found(tree, { pidFile: join(tree.root, "pid") })).incarnation.pid, 4200);
});

test("two gateways on one host: each guard sees its own process, memory, sockets and claims", async () => {
  await using one = await startStandIn();
  await using two = await startStandIn();
  const world = { procRoot: "/proc", sysRoot: "/sys", now: () => instant(Date.now()) };
  for (const gateway of [one, two]) {
    const { port, stateDir } = gateway;
    const {
      process: collector,
      claimants,
      sockets,
      memory_map: memoryMap,
      work,
    } = gatewayCollectors({ port, host: "127.0.0.1", stateDir, token: () => undefined }, world);
    await work[Symbol.asyncDispose]();
    const reading = await collector.read(never);
    assert.ok(reading.found);
    assert.equal(reading.incarnation.pid, gateway.pid);
    assert.deepEqual(await claimants.read(never), { port: 1, state_dir: 1 });
    const counted = await sockets.read(never);
    assert.equal(counted?.scope, "process");
    assert.ok(counted.counts.listen >= 1);
    assert.ok(((await memoryMap.read(never))?.selfBytes ?? 0) > 1_000_000);
  }
});
