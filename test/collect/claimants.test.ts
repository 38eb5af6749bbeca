// Are two gateways that fight for one port, one state directory or one unit noticed, and one gateway never taken for two?
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type ClaimantsReading, claimantsCollector } from "../../src/collect/claimants.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import { gatewayTree, never, type ProcTree, recorded, recordedPort, recordedTicks } from "./proc-tree.ts";
import { procTree } from "./proc-tree.ts";

const unit = "openclaw-gateway.service";

function claimantsOf(tree: ProcTree, serving: number | undefined = 4242): Promise<ClaimantsReading> {
  const incarnation = { bootId: "b", pid: serving ?? 0, startTicks: recordedTicks } as Incarnation;
  const collector = claimantsCollector({
    target: { port: recordedPort, host: "127.0.0.1", stateDir: join(tree.root, "state"), unit },
    procRoot: tree.root,
    sight: () => (serving === undefined ? undefined : { incarnation, pids: [] }),
  });
  return collector.read(never);
}

const lock = (tree: ProcTree, pid: number, port = recordedPort, hash = "0a1b") =>
  tree.write(
    `state/tmp/openclaw-1000/gateway.${hash}.lock`,
    JSON.stringify({ pid, port, startTime: recordedTicks }),
  );

test("one gateway with its workers and a launcher is one claimant of everything", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 4200, parent: 1, name: "openclaw", startTicks: recordedTicks - 10 });
  tree.add({ pid: 4300, parent: 4242, name: "node", sockets: [70001] });
  lock(tree, 4242);
  assert.deepEqual(await claimantsOf(tree), { port: 1, state_dir: 1, unit: 1 });
});

test("a second listener of the port by another program is a second claimant, a forwarder is none", async () => {
  using tree = gatewayTree({ sockets: [70001] });
  tree.add({ pid: 5000, parent: 1, sockets: [70002], cgroup: "0::/system.slice/other.service\n" });
  assert.equal((await claimantsOf(tree)).port, 2);
  tree.add({ pid: 5000, parent: 1, name: "docker-proxy", sockets: [70002] });
  assert.equal((await claimantsOf(tree)).port, 1);
});

test("two lock files of living gateways in one state directory are two claimants of it", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 6000, parent: 1, cgroup: "0::/user.slice/session-4.scope\n" });
  lock(tree, 4242);
  lock(tree, 6000, 19001, "ffff");
  assert.deepEqual(await claimantsOf(tree), { port: 1, state_dir: 2, unit: 1 });
  lock(tree, 6000, recordedPort, "ffff");
  assert.equal((await claimantsOf(tree)).port, 2);
});

test("a lock that was left behind claims nothing", async () => {
  using tree = gatewayTree();
  lock(tree, 4242);
  lock(tree, 7000, recordedPort, "dead");
  tree.add({ pid: 7000, parent: 1, startTicks: recordedTicks + 9, name: "cron", cgroup: "0::/x.service\n" });
  assert.deepEqual(await claimantsOf(tree), { port: 1, state_dir: 1, unit: 1 });
});

test("a second gateway in the same unit is a second claimant of it, a stray worker is none", async () => {
  using tree = gatewayTree();
  tree.add({ pid: 8000, parent: 1, name: "node" });
  assert.equal((await claimantsOf(tree)).unit, 1);
  tree.add({ pid: 8001, parent: 1 });
  assert.equal((await claimantsOf(tree)).unit, 2);
});

test("nobody claims what is gone, and a listener that cannot be seen leaves the port unknown", async () => {
  using empty = procTree();
  assert.deepEqual(await claimantsOf(empty, undefined), { port: 0, state_dir: 0, unit: 0 });
  using tree = gatewayTree({ sockets: [70001] });
  assert.deepEqual(await claimantsOf(tree), { state_dir: 1, unit: 1 });
});

test("locks that may not be read leave port and state directory unknown", async () => {
  using tree = gatewayTree();
  lock(tree, 4242);
  chmodSync(tree.root, 0o755);
  chmodSync(join(tree.root, "state/tmp"), 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    assert.deepEqual(await claimantsOf(tree), { unit: 1 });
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test("without a state directory or a unit those claims are not told", async () => {
  using tree = gatewayTree();
  tree.listen(recorded("net-tcp.txt"), recorded("net-tcp6.txt"));
  const collector = claimantsCollector({
    target: { port: recordedPort, host: "127.0.0.1" },
    procRoot: tree.root,
    sight: () => undefined,
  });
  assert.deepEqual(collector.samples(await collector.read(never)), [
    { name: "openclaw_gateway_claimants", labels: { claim: "port" }, value: 1 },
  ]);
});
