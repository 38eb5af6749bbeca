// Are the gateway's descendants found, added up, bounded, and is the one that works told from those that rest?
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStatus } from "../../src/collect/proc.ts";
import { descendantsIn, treeLimit, treeReader } from "../../src/collect/tree.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import { instant } from "../../src/core/time.ts";
import { type ProcTree, procTree, recorded, recordedTicks } from "./proc-tree.ts";

const own = parseStatus(recorded("status-gateway.txt"));
const bornAt = instant(1_763_627_116_320);
const root: Incarnation = { bootId: "boot", pid: 10, startTicks: recordedTicks, startedAt: bornAt };

/** 10 has the children 11 and 12, a zombie, and 13 below 11; 99 is a stranger. */
function family(): ProcTree {
  const tree = procTree();
  tree.add({ pid: 10, parent: 1 });
  tree.add({ pid: 11, parent: 10, residentKb: 100 });
  tree.add({ pid: 12, parent: 10, state: "Z" });
  tree.add({ pid: 13, parent: 11, residentKb: 10 });
  tree.add({ pid: 99, parent: 1 });
  return tree;
}

const below = (tree: ProcTree, pid: number) => descendantsIn(tree.root)(pid).pids.toSorted((a, b) => a - b);

test("descendants are found by everybody's parent", () => {
  using tree = family();
  assert.deepEqual(below(tree, 10), [11, 12, 13]);
  assert.deepEqual(below(tree, 99), []);
  assert.deepEqual(below(tree, 12345), []);
});

test("a tree adds up its living processes, and counts children and zombies apart", () => {
  using tree = family();
  assert.deepEqual(treeReader(tree.root)(root, own), {
    tree: {
      residentBytes: (804000 + 110) * 1024,
      swappedBytes: 3 * 2048 * 1024,
      processes: 3,
      zombies: 1,
    },
    children: 1,
    treeCut: false,
    youngBusyChild: undefined,
    pids: [11, 13],
  });
});

test("children that come and go between two looks are noticed", () => {
  using tree = family();
  const read = treeReader(tree.root);
  read(root, own);
  tree.remove(13);
  tree.add({ pid: 14, parent: 10 });
  assert.deepEqual(
    read(root, own).pids.toSorted((a, b) => a - b),
    [11, 14],
  );
});

test("one child whose memory is unknown makes the tree's memory unknown, not smaller", () => {
  using tree = family();
  tree.write("11/status", "Name:\tnode\nState:\tS (sleeping)\n");
  const usage = treeReader(tree.root)(root, own).tree;
  assert.equal(usage.residentBytes, undefined);
  assert.equal(usage.processes, 3);
});

test("a fork bomb is read up to the limit and said to be cut, and a circle ends", () => {
  using tree = procTree();
  tree.add({ pid: 10 });
  for (let pid = 1000; pid < 1000 + treeLimit - 1; pid++) tree.add({ pid, parent: 10 });
  const whole = treeReader(tree.root)(root, own);
  assert.equal(whole.tree.processes, treeLimit);
  assert.equal(whole.treeCut, false);
  for (let pid = 2000; pid < 2020; pid++) tree.add({ pid, parent: 10 });
  const cut = treeReader(tree.root)(root, own);
  assert.equal(cut.tree.processes, treeLimit);
  assert.equal(cut.treeCut, true);
  tree.add({ pid: 20, parent: 21 });
  tree.add({ pid: 21, parent: 20 });
  assert.deepEqual(below(tree, 20), [21]);
});

test("a wide tree is read less often, the serving process itself every time", () => {
  using tree = procTree();
  tree.add({ pid: 10 });
  for (let pid = 1000; pid < 1040; pid++) tree.add({ pid, parent: 10, residentKb: 1000 });
  const read = treeReader(tree.root);
  const bytes = (residentKb: number) =>
    read(root, { ...own, residentBytes: residentKb * 1024 }).tree.residentBytes;
  assert.equal(bytes(5000), 45_000 * 1024);
  for (let pid = 1000; pid < 1040; pid++) tree.add({ pid, parent: 10, residentKb: 2000 });
  assert.equal(bytes(6000), 46_000 * 1024);
  assert.equal(bytes(6000), 46_000 * 1024);
  assert.equal(bytes(6000), 86_000 * 1024);
  // Another life starts afresh.
  tree.add({ pid: 77 });
  const other = read({ ...root, pid: 77 }, own);
  assert.equal(other.tree.processes, 1);
});

test("an unreadable line of a stranger does not end the search", () => {
  using tree = family();
  tree.write("99/stat", "garbage");
  tree.write("98/stat", "");
  assert.deepEqual(below(tree, 10), [11, 12, 13]);
});

test("the youngest direct child that used processor time since the last reading is told with its start", () => {
  using tree = family();
  tree.add({ pid: 30, parent: 10, startTicks: recordedTicks + 500, cpuTicks: 10 });
  tree.add({ pid: 31, parent: 10, startTicks: recordedTicks + 900, cpuTicks: 10 });
  // A grandchild works for its parent, not for the gateway.
  tree.add({ pid: 32, parent: 31, startTicks: recordedTicks + 950, cpuTicks: 10 });
  const read = treeReader(tree.root);
  const startOfBusy = () => read(root, own).youngBusyChild?.startedAt;
  assert.equal(startOfBusy(), undefined, "the first reading has nothing to compare with");
  assert.equal(startOfBusy(), undefined, "nobody worked");
  tree.add({ pid: 32, parent: 31, startTicks: recordedTicks + 950, cpuTicks: 90 });
  assert.equal(startOfBusy(), undefined, "only a grandchild did");
  tree.add({ pid: 30, parent: 10, startTicks: recordedTicks + 500, cpuTicks: 11 });
  assert.equal(startOfBusy(), bornAt + 5000);
  tree.add({ pid: 30, parent: 10, startTicks: recordedTicks + 500, cpuTicks: 20 });
  tree.add({ pid: 31, parent: 10, startTicks: recordedTicks + 900, cpuTicks: 20 });
  assert.equal(startOfBusy(), bornAt + 9000);
  // A pid that changed hands: the new child's time is all new.
  tree.add({ pid: 31, parent: 10, startTicks: recordedTicks + 2000, cpuTicks: 1 });
  assert.equal(startOfBusy(), bornAt + 20_000);
  // Another life of the gateway has nothing to compare with either.
  tree.add({ pid: 31, parent: 10, startTicks: recordedTicks + 2000, cpuTicks: 5 });
  assert.equal(read({ ...root, startTicks: 7 }, own).youngBusyChild, undefined);
});
