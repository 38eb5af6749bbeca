// Is the memory of the gateway's own cgroup told, under version 1, version 2 and both, and never that of the whole host?
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { parseCgroups } from "../../src/collect/cgroup.ts";
import { cgroupMetrics, cgroupSamples, parseEvents, readCgroup } from "../../src/collect/cgroup-memory.ts";
import { readText } from "../../src/collect/proc.ts";
import { recorded } from "./proc-tree.ts";
import { recordedSysTree, sysTree } from "./sys-tree.ts";

test("version 2, a unit of a user's manager: memory, the limit that slows, events and pressure", () => {
  using sys = recordedSysTree("v2-user-unit");
  const reading = readCgroup(sys.root, parseCgroups(recorded("cgroup-v2.txt")));
  assert.deepEqual(reading, {
    version: 2,
    currentBytes: 1143533568,
    highBytes: 2147483648,
    maxBytes: undefined,
    events: { high: 212, max: 3, oom: 2, oom_kill: 1 },
    pressure: [
      { resource: "cpu", kind: "some", avg10: 0, avg60: 0, totalSeconds: 1 },
      { resource: "cpu", kind: "full", avg10: 0, avg60: 0, totalSeconds: 0.5 },
      { resource: "memory", kind: "some", avg10: 0.0125, avg60: 0.005, totalSeconds: 0.247 },
      { resource: "memory", kind: "full", avg10: 0.0075, avg60: 0.0025, totalSeconds: 0.12 },
    ],
  });
  const specs = new Map(cgroupMetrics.map((spec) => [spec.name, spec]));
  for (const { name, labels } of cgroupSamples(reading))
    assert.deepEqual(Object.keys(labels ?? {}), specs.get(name)?.labels ?? [], name);
});

test("version 2, inside a container: only its own level is mounted, and that is its cgroup", () => {
  using sys = recordedSysTree("v2-container");
  for (const path of ["0::/\n", "0::/system.slice/docker-9feace27.scope\n"]) {
    const reading = readCgroup(sys.root, parseCgroups(path));
    assert.equal(reading?.currentBytes, 536870912);
    assert.equal(reading.maxBytes, 1073741824);
    assert.deepEqual(reading.events, { high: 0, max: 41, oom: 1, oom_kill: 1 });
  }
});

test("version 1: usage, limit, how often it was met, and processes lost to it", () => {
  using sys = recordedSysTree("v1-system-unit");
  assert.deepEqual(readCgroup(sys.root, parseCgroups(recorded("cgroup-v1.txt"))), {
    version: 1,
    currentBytes: 1101004800,
    highBytes: undefined,
    maxBytes: 1610612736,
    events: { max: 17, oom_kill: 2 },
    pressure: [],
  });
});

test("both: memory from version 1, pressure from version 2", () => {
  using sys = recordedSysTree("hybrid-user-unit");
  const reading = readCgroup(sys.root, parseCgroups(recorded("cgroup-hybrid.txt")));
  assert.equal(reading?.version, 1);
  assert.equal(reading.currentBytes, 104857600);
  assert.equal(reading.maxBytes, undefined);
  assert.equal(reading.pressure.length, 2);
});

test("the level above all others is the whole host's and is never taken for the gateway's", () => {
  using version1 = recordedSysTree("v1-system-unit");
  assert.equal(readCgroup(version1.root, parseCgroups("4:memory:/\n")), undefined);
  assert.equal(readCgroup(version1.root, parseCgroups("4:memory:/gone\n")), undefined);
  using version2 = recordedSysTree("v2-user-unit");
  assert.equal(readCgroup(version2.root, parseCgroups("0::/\n")), undefined);
});

test("a path seen from another namespace, no cgroup at all and malformed files are unknown", () => {
  using sys = recordedSysTree("v2-container");
  assert.equal(readCgroup(sys.root, parseCgroups("0::/../other\n")), undefined);
  assert.equal(readCgroup("/nowhere", parseCgroups(recorded("cgroup-v2.txt"))), undefined);
  using bad = sysTree({
    "fs/cgroup/cgroup.events": "populated 1\n",
    "fs/cgroup/memory.current": "lots\n",
    "fs/cgroup/memory.events": "high\nmax -1\noom_kill 1x\n",
  });
  const reading = readCgroup(bad.root, parseCgroups("0::/\n"));
  assert.ok(reading !== undefined);
  assert.deepEqual(cgroupSamples(reading), []);
  assert.deepEqual(parseEvents(""), {});
});

test("every recorded tree is used", () => {
  const trees = readdirSync(new URL("../fixtures/cgroup", import.meta.url)).toSorted();
  assert.deepEqual(trees, [
    "hybrid-user-unit.txt",
    "v1-system-unit.txt",
    "v2-container.txt",
    "v2-user-unit.txt",
  ]);
});

test("on this host, whatever it has, reading does not fail", () => {
  const reading = readCgroup("/sys", parseCgroups(readText("/proc/self/cgroup")));
  if (reading?.currentBytes !== undefined) assert.ok(reading.currentBytes > 0);
});
