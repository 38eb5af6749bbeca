// Are the gateway's descendants found, with and without the kernel's list of children, and bounded?
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStatus } from "../../src/collect/proc.ts";
import { descendantsIn, treeLimit, usageOfTree } from "../../src/collect/tree.ts";
import { type ProcTree, procTree, recorded } from "./proc-tree.ts";

const own = parseStatus(recorded("status-gateway.txt"));

function family(listsChildren: boolean): ProcTree {
  const tree = procTree();
  const listing = (children: readonly number[]) => (listsChildren ? { children } : {});
  tree.add({ pid: 10, parent: 1, ...listing([11, 12]) });
  tree.add({ pid: 11, parent: 10, residentKb: 100, ...listing([13]) });
  tree.add({ pid: 12, parent: 10, state: "Z", ...listing([]) });
  tree.add({ pid: 13, parent: 11, residentKb: 10, ...listing([]) });
  tree.add({ pid: 99, parent: 1, ...listing([]) });
  return tree;
}

for (const listsChildren of [true, false]) {
  test(`descendants are found ${listsChildren ? "in the kernel's list of children" : "by everybody's parent"}`, () => {
    using tree = family(listsChildren);
    assert.deepEqual(
      descendantsIn(tree.root)(10).toSorted((a, b) => a - b),
      [11, 12, 13],
    );
    assert.deepEqual(descendantsIn(tree.root)(99), []);
    assert.deepEqual(descendantsIn(tree.root)(12345), []);
  });
}

test("a tree adds up its living processes and counts its zombies apart", () => {
  using tree = family(false);
  assert.deepEqual(usageOfTree(tree.root, own, [11, 12, 13]), {
    residentBytes: (804000 + 110) * 1024,
    swappedBytes: 3 * 2048 * 1024,
    processes: 3,
    zombies: 1,
  });
});

test("a child that ended meanwhile is left out", () => {
  using tree = family(false);
  assert.equal(usageOfTree(tree.root, own, [11, 777]).processes, 2);
});

test("one child whose memory is unknown makes the tree's memory unknown, not smaller", () => {
  using tree = family(false);
  tree.write("11/status", "Name:\tnode\nState:\tS (sleeping)\n");
  const usage = usageOfTree(tree.root, own, [11, 13]);
  assert.equal(usage.residentBytes, undefined);
  assert.equal(usage.processes, 3);
});

test("a thread other than the first may have started a child", () => {
  using tree = procTree();
  tree.add({ pid: 10, children: [11] });
  tree.add({ pid: 11, parent: 10, children: [] });
  tree.write("10/task/17/children", "12 ");
  tree.add({ pid: 12, parent: 10, children: [] });
  assert.deepEqual(
    descendantsIn(tree.root)(10).toSorted((a, b) => a - b),
    [11, 12],
  );
});

test("a fork bomb is read up to the limit, and a circle ends", () => {
  using tree = procTree();
  const many = Array.from({ length: 300 }, (_, index) => 1000 + index);
  tree.add({ pid: 10, children: many });
  assert.equal(descendantsIn(tree.root)(10).length, treeLimit - 1);
  tree.add({ pid: 20, parent: 21, children: [21] });
  tree.add({ pid: 21, parent: 20, children: [20] });
  assert.deepEqual(descendantsIn(tree.root)(20), [21]);
});

test("an unreadable line of a stranger does not end the search", () => {
  using tree = family(false);
  tree.write("99/stat", "garbage");
  tree.write("98/stat", "");
  assert.deepEqual(
    descendantsIn(tree.root)(10).toSorted((a, b) => a - b),
    [11, 12, 13],
  );
});
