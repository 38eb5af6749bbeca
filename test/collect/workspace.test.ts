// Are files counted as they are, within bounds, and is what cannot be counted said to be so?
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { workspaceCollector, type StoragePaths, type WalkLimits } from "../../src/collect/workspace.ts";
import { seconds } from "../../src/core/time.ts";

const never = new AbortController().signal;
const limits: WalkLimits = { entries: 1000, depth: 8, time: seconds(60) };

/** A state directory with these files, each of so many bytes. */
function stateDir(files: Readonly<Record<string, number>>): Disposable & { readonly dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "guard-workspace-"));
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), "x".repeat(bytes));
  }
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

async function shown(dir: string | undefined, more: { paths?: StoragePaths; limits?: WalkLimits } = {}) {
  const collector = workspaceCollector({ stateDir: dir, limits, ...more });
  const samples = collector.samples(await collector.read(never));
  const values: Record<string, number> = {};
  for (const { name, labels, value } of samples)
    values[`${name.replace("openclaw_gateway_storage_", "")} ${labels?.["store"]}`] = value;
  return values;
}

const onlyMemory = (dir: string): StoragePaths => ({ memory: [dir], logs: ["/none"], sessions: ["/none"] });

suite("the usual places", () => {
  test("are those of the state directory, every workspace of it included", async () => {
    using state = stateDir({
      "workspace/memory/2026-11-19.md": 1000,
      "workspace/memory/2026-11-20.md": 3000,
      "workspace/MEMORY.md": 50,
      "workspace/AGENTS.md": 7,
      "workspace-family/memory/imports/codex/a.md": 200,
      "workspaces/memory/no.md": 7,
      "agents/main/agent/openclaw-agent.sqlite": 4096,
      "agents/main/sessions/a.jsonl": 100,
      "logs/commands.log": 10,
      "openclaw.json": 7,
    });
    utimesSync(join(state.dir, "workspace/memory/2026-11-19.md"), 1000, 2000);
    const values = await shown(state.dir, { paths: { logs: [join(state.dir, "logs")] } });
    assert.deepEqual(
      Object.fromEntries(Object.entries(values).filter(([name]) => !/^oldest.* (logs|sessions)/.test(name))),
      {
        "bytes memory": 4250,
        "files memory": 4,
        "largest_file_bytes memory": 3000,
        "oldest_file_timestamp_seconds memory": 2000,
        "complete memory": 1,
        "bytes logs": 10,
        "files logs": 1,
        "largest_file_bytes logs": 10,
        "complete logs": 1,
        "bytes sessions": 4196,
        "files sessions": 2,
        "largest_file_bytes sessions": 4096,
        "complete sessions": 1,
      },
    );
  });

  test("are unknown without a state directory", async () => assert.deepEqual(await shown(undefined), {}));

  test("that cannot be looked for are a failure of the reading", async () => {
    const collector = workspaceCollector({ stateDir: `/${"x".repeat(300)}` });
    await assert.rejects(collector.read(never), /ENAMETOOLONG/);
  });

  test("are absent where nothing is", async () => {
    using state = stateDir({});
    assert.deepEqual(await shown(state.dir, { paths: { logs: [join(state.dir, "logs")] } }), {});
  });
});

suite("a store", () => {
  test("that is empty has no files, and no oldest one", async () => {
    using state = stateDir({});
    assert.deepEqual(await shown(undefined, { paths: onlyMemory(state.dir) }), {
      "bytes memory": 0,
      "files memory": 0,
      "largest_file_bytes memory": 0,
      "complete memory": 1,
    });
  });

  test("can be files, a link to a folder, and paths that are not there", async () => {
    using state = stateDir({ "a.log": 5, "b/c.log": 6 });
    const link = join(state.dir, "link");
    symlinkSync(join(state.dir, "b"), link);
    const values = await shown(undefined, {
      paths: { memory: ["/none"], logs: [join(state.dir, "a.log"), link, "/none"], sessions: ["/none"] },
    });
    assert.deepEqual([values["bytes logs"], values["complete logs"]], [11, 1]);
  });

  test("is left by no link, and caught in no circle of them", async () => {
    using state = stateDir({ "a.md": 5 });
    symlinkSync("/", join(state.dir, "everything"));
    symlinkSync(state.dir, join(state.dir, "circle"));
    const values = await shown(undefined, { paths: onlyMemory(state.dir) });
    assert.deepEqual([values["files memory"], values["complete memory"]], [1, 1]);
  });

  for (const [says, bound] of [
    ["too many files", { entries: 20 }],
    ["too deep", { depth: 2 }],
    ["too slow to walk", { time: seconds(0) }],
  ] as const)
    test(`that is ${says} says that there is more`, async () => {
      using state = stateDir({
        ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}.md`, 1])),
        "a/b/c/d.md": 1,
      });
      const values = await shown(undefined, {
        paths: onlyMemory(state.dir),
        limits: { ...limits, ...bound },
      });
      assert.equal(values["complete memory"], 0);
      assert.ok((values["files memory"] ?? 99) <= 50);
    });

  test("of which a part may not be read is counted without it, and says so", async (t) => {
    using state = stateDir({ "open/a.md": 5, "closed/b.md": 6 });
    chmodSync(join(state.dir, "closed"), 0);
    // Root may read everything: then this is a store like any other.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) t.diagnostic("as root everything can be read");
    const values = await shown(undefined, { paths: onlyMemory(state.dir) });
    chmodSync(join(state.dir, "closed"), 0o700);
    assert.deepEqual([values["bytes memory"], values["complete memory"]], isRoot ? [11, 1] : [5, 0]);
  });

  test("that cannot be read at all is not empty: only that it is incomplete is known", async () => {
    // A name longer than any file system allows cannot be looked up, also by root.
    const values = await shown(undefined, { paths: onlyMemory(`/${"x".repeat(300)}`) });
    assert.deepEqual(values, { "complete memory": 0 });
  });

  test("does not keep the program busy: other work goes on during a walk", async () => {
    using state = stateDir(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}.md`, 1])));
    let turns = 0;
    let walking = true;
    const count = () => {
      turns++;
      if (walking) setImmediate(count);
    };
    setImmediate(count);
    await shown(undefined, { paths: onlyMemory(state.dir) });
    walking = false;
    assert.ok(turns > 100, `${turns} turns of the loop`);
  });

  test("is left with the signal", async () => {
    using state = stateDir({ "a.md": 1 });
    const collector = workspaceCollector({ stateDir: undefined, paths: onlyMemory(state.dir) });
    await assert.rejects(collector.read(AbortSignal.abort(new Error("ending"))), /ending/);
  });
});

test("a reading ends before the next is due, and every family is declared", async () => {
  using state = stateDir({ "workspace/MEMORY.md": 1 });
  const collector = workspaceCollector({ stateDir: state.dir });
  assert.ok(collector.deadline < collector.every);
  const declared = new Set(collector.metrics.map(({ name }) => name));
  for (const { name } of collector.samples(await collector.read(never))) assert.ok(declared.has(name), name);
});
