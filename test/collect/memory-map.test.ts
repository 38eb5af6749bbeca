// Is proportional memory right for a process and its tree, taken rarely, and never told of another life?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { memoryMapCollector } from "../../src/collect/memory-map.ts";
import { parseProportional } from "../../src/collect/proc.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import { after, type Instant, instant, minutes, seconds } from "../../src/core/time.ts";
import { never, procTree } from "./proc-tree.ts";

const incarnation = { bootId: "boot", pid: 10, startTicks: 1 } as Incarnation;
const rollup = (kb: number) =>
  `5581a000-7ffd0000 ---p 00000000 00:00 0                                  [rollup]\nRss:  ${kb * 2} kB\nPss:  ${kb} kB\nPss_Dirty:  1 kB\nSwapPss: 0 kB\n`;

function subject() {
  const tree = procTree();
  let at = instant(1_000_000);
  let sight: { incarnation: Incarnation; pids: readonly number[] } | undefined = {
    incarnation,
    pids: [11, 12],
  };
  tree.write("10/smaps_rollup", rollup(1000));
  tree.write("11/smaps_rollup", rollup(20));
  tree.write("12/smaps_rollup", rollup(3));
  const collector = memoryMapCollector({ procRoot: tree.root, sight: () => sight, now: () => at });
  return {
    tree,
    collector,
    pass: (to: Instant) => void (at = to),
    now: () => at,
    see: (next: typeof sight) => void (sight = next),
    values: async () => collector.samples(await collector.read(never)).map(({ value }) => value / 1024),
    [Symbol.dispose]: () => tree[Symbol.dispose](),
  };
}

test("process and tree are told apart, and both are kept for five minutes", async () => {
  using one = subject();
  assert.deepEqual(await one.values(), [1000, 1023]);
  one.tree.write("10/smaps_rollup", rollup(5000));
  one.pass(after(one.now(), minutes(4)));
  assert.deepEqual(await one.values(), [1000, 1023]);
  one.pass(after(one.now(), seconds(61)));
  assert.deepEqual(await one.values(), [5000, 5023]);
});

test("a new life is read at once, and nothing is told of one that is over", async () => {
  using one = subject();
  const before = await one.collector.read(never);
  one.see({ incarnation: { ...incarnation, startTicks: 2 }, pids: [] });
  assert.deepEqual(one.collector.samples(before), []);
  one.tree.write("10/smaps_rollup", rollup(7));
  assert.deepEqual(await one.values(), [7, 7]);
  one.see(undefined);
  assert.deepEqual(await one.values(), []);
});

test("a child that ended is left out; one that may not be read makes the tree unknown, not smaller", async () => {
  using one = subject();
  rmSync(join(one.tree.root, "12/smaps_rollup"));
  assert.deepEqual(await one.values(), [1000, 1020]);
  using two = subject();
  chmodSync(two.tree.root, 0o755);
  chmodSync(join(two.tree.root, "11/smaps_rollup"), 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    assert.deepEqual(await two.values(), [1000]);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

test("malformed content is unknown", () => {
  assert.equal(parseProportional(rollup(4)), 4096);
  for (const text of ["", "Pss: many kB\n", "Pss_Dirty: 5 kB\n"])
    assert.equal(parseProportional(text), undefined);
});

test("of a real process and its child the share is above nothing and below what both have resident", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000); console.log('up')"]);
  try {
    assert.ok(child.stdout !== null && child.pid !== undefined);
    await once(child.stdout, "data");
    const self = { ...incarnation, pid: process.pid };
    const collector = memoryMapCollector({
      procRoot: "/proc",
      sight: () => ({ incarnation: self, pids: [child.pid ?? 0] }),
      now: () => instant(0),
    });
    const reading = await collector.read(never);
    const own = reading?.selfBytes ?? 0;
    assert.ok(own > 1_000_000 && own <= process.memoryUsage.rss() * 1.2, `${own}`);
    assert.ok((reading?.treeBytes ?? 0) > own);
  } finally {
    child.kill("SIGKILL");
  }
});
