// Is it seen that a debugger or a freezer holds the gateway, and that nobody does?
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { heldBy, isFrozen, isTraced } from "../../src/collect/held.ts";
import { processCollector } from "../../src/collect/process.ts";
import { gatewayTree, never, recorded, recordedPort } from "./proc-tree.ts";

test("a recorded gateway that nobody holds", () => {
  using tree = gatewayTree();
  assert.equal(heldBy(tree.root, join(tree.root, "sys"), 4242), undefined);
  assert.equal(heldBy(tree.root, join(tree.root, "sys"), 4243), undefined, "nor one that is gone");
});

test("a tracer's pid in status is a tracer, 0 and a line cut short are none", () => {
  const status = recorded("status-gateway.txt");
  assert.equal(isTraced(status), false);
  assert.equal(isTraced(`${status}\nTracerPid:\t17\n`), true);
  assert.equal(isTraced("Name:\tx\nTracerPid:\t0\n"), false);
  assert.equal(isTraced("TracerPid:\t"), false);
  assert.equal(isTraced("Name:\tTracerPid:\t9\n"), false);
});

test("a cgroup is frozen when the kernel says so, in version 2, beside version 1, or in the freezer of version 1", () => {
  using tree = gatewayTree();
  const sys = join(tree.root, "sys");
  const v2 = "0::/gw.service\n";
  assert.equal(isFrozen(sys, v2), false, "a file that is not there");
  for (const [file, text, cgroups, frozen] of [
    ["fs/cgroup/gw.service/cgroup.events", "populated 1\nfrozen 0\n", v2, false],
    ["fs/cgroup/gw.service/cgroup.events", "populated 1\nfrozen 1\n", v2, true],
    [
      "fs/cgroup/unified/hybrid/cgroup.events",
      "populated 1\nfrozen 1\n",
      "1:name=systemd:/a\n0::/hybrid\n",
      true,
    ],
    ["fs/cgroup/freezer/docker/1/freezer.state", "THAWED\n", "6:freezer:/docker/1\n", false],
    ["fs/cgroup/freezer/docker/2/freezer.state", "FROZEN\n", "6:freezer:/docker/2\n", true],
    ["fs/cgroup/freezer/docker/3/freezer.state", "FREEZING\n", "6:freezer:/docker/3\n", true],
    // Another controller of that name's end, and a path seen from another namespace.
    ["fs/cgroup/freezer/docker/4/freezer.state", "FROZEN\n", "6:nofreezer:/docker/4\n", false],
    ["fs/freezer.state", "FROZEN\n", "6:freezer:/../..\n", false],
  ] as const) {
    tree.write(join("sys", file), text);
    assert.equal(isFrozen(sys, cgroups), frozen, `${file}: ${text}`);
  }
});

test("the process collector tells who holds the gateway, and nothing when nobody does", async () => {
  using tree = gatewayTree();
  const sysRoot = join(tree.root, "sys");
  const collector = processCollector({
    target: { port: recordedPort, host: "127.0.0.1" },
    procRoot: tree.root,
    sysRoot,
  });
  const read = async () => {
    const reading = await collector.read(never);
    return reading.found ? (reading.heldBy ?? "nobody") : "gone";
  };
  assert.equal(await read(), "nobody");
  tree.write("4242/cgroup", "0::/gw.service\n");
  tree.write("sys/fs/cgroup/gw.service/cgroup.events", "populated 1\nfrozen 1\n");
  assert.equal(await read(), "freezer");
  tree.write("4242/status", `${recorded("status-gateway.txt")}\nTracerPid:\t9\n`);
  assert.equal(await read(), "tracer");
});
