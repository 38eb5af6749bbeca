// Are memory, swap and pressure of the host read, without starting a program, and never made up?
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { hostCollector, readingOf } from "../../src/collect/host.ts";
import { parseBootTime, readText } from "../../src/collect/proc.ts";
import { instant } from "../../src/core/time.ts";
import { procTree, recordedBoot } from "./proc-tree.ts";

const never = new AbortController().signal;
const now = () => instant(Date.now());

test("this host's numbers are those of its own files", async () => {
  const collector = hostCollector({ procRoot: "/proc", now });
  const reading = await collector.read(never);
  const total = Number(/^MemTotal:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"))?.[1]) * 1024;
  assert.equal(reading.memoryTotalBytes, total);
  assert.ok(reading.memoryAvailableBytes > 0 && reading.memoryAvailableBytes < total);
  assert.ok(reading.swapFreeBytes <= reading.swapTotalBytes);
  assert.equal(reading.bootedAtSeconds, parseBootTime(readText("/proc/stat")));
  const names = new Set(collector.metrics.map(({ name }) => name));
  for (const { name } of collector.samples(reading)) assert.ok(names.has(name), name);
});

/** A recorded host; the library reads this machine's own memory whatever the root is. */
function recordedHost() {
  const tree = procTree();
  tree.write("meminfo", "MemTotal: 1 kB\n");
  tree.write("vmstat", "nr_free_pages 5\noom_kill 3\n");
  tree.write("loadavg", "4.72 3.83 3.89 3/119 5555\n");
  for (const resource of ["cpu", "memory", "io"])
    tree.write(
      `pressure/${resource}`,
      "some avg10=10.00 avg60=5.00 avg300=1.00 total=2000000\nfull avg10=1.00 avg60=0.50 avg300=0.10 total=1000000\n",
    );
  return tree;
}

test("pressure, OOM kills, load and boot time of a recorded host are told", async () => {
  using tree = recordedHost();
  const collector = hostCollector({ procRoot: tree.root, now });
  const reading = await collector.read(never);
  const text = collector
    .samples(reading)
    .map(({ name, labels, value }) => `${name}${Object.values(labels ?? {}).join("/")} ${value}`)
    .filter((line) => !/memory_|swap_|cores/.test(line) || line.includes("pressure"));
  const pressure = (resource: string, kind: string, shares: readonly string[], total: number) => [
    `openclaw_host_pressure_seconds_total${resource}/${kind} ${total}`,
    `openclaw_host_pressure_ratio${resource}/${kind}/10s ${shares[0]}`,
    `openclaw_host_pressure_ratio${resource}/${kind}/60s ${shares[1]}`,
  ];
  assert.deepEqual(text, [
    `openclaw_host_boot_time_seconds ${recordedBoot}`,
    "openclaw_host_oom_kills_total 3",
    "openclaw_host_load_average1 4.72",
    "openclaw_host_load_average5 3.83",
    "openclaw_host_load_average15 3.89",
    ...pressure("cpu", "some", ["0.1", "0.05"], 2),
    ...pressure("memory", "some", ["0.1", "0.05"], 2),
    ...pressure("memory", "full", ["0.01", "0.005"], 1),
    ...pressure("io", "some", ["0.1", "0.05"], 2),
    ...pressure("io", "full", ["0.01", "0.005"], 1),
  ]);
});

test("an old kernel without pressure, load or a count of kills leaves them out", async () => {
  using tree = procTree();
  tree.write("meminfo", "MemTotal: 1 kB\n");
  tree.write("loadavg", "busy\n");
  const collector = hostCollector({ procRoot: tree.root, now });
  const names = collector.samples(await collector.read(never)).map(({ name }) => name);
  assert.ok(!names.some((name) => /pressure|oom|load/.test(name)), names.join());
});

test("where there is no /proc, memory, swap, load and boot time come by other means", async () => {
  const reading = await hostCollector({ procRoot: "/nowhere", now }).read(never);
  assert.ok(reading.memoryTotalBytes > reading.memoryAvailableBytes);
  const known = parseBootTime(readText("/proc/stat")) ?? Number.NaN;
  assert.ok(Math.abs((reading.bootedAtSeconds ?? 0) - known) <= 2);
  assert.equal(reading.load?.length, 3);
  assert.equal(reading.oomKills, undefined);
  assert.equal(reading.pressure, undefined);
});

test("without meminfo there is no reading, instead of a host without swap", async () => {
  using tree = procTree();
  await assert.rejects(hostCollector({ procRoot: tree.root, now }).read(never), { code: "ENOENT" });
});

test("a host without swap has 0 of it", () => {
  const reading = readingOf({ total: 100, available: 50, swaptotal: 0, swapfree: 0 });
  assert.equal(reading.swapTotalBytes, 0);
  assert.equal(reading.swapFreeBytes, 0);
});

test("numbers that cannot be right are refused", () => {
  const good = { total: 100, available: 50, swaptotal: 20, swapfree: 10 };
  assert.ok(readingOf(good).memoryTotalBytes === 100);
  const bad = [
    { total: 0 },
    { available: 101 },
    { available: Number.NaN },
    { swaptotal: -1 },
    { swapfree: 21 },
  ];
  for (const change of bad) assert.throws(() => readingOf({ ...good, ...change }), /read host memory/);
});

test("a reading starts no program", async () => {
  const host = fileURLToPath(new URL("../../src/collect/host.ts", import.meta.url));
  const program = `
    const children = require("node:child_process");
    for (const name of ["spawn", "exec", "execFile", "fork", "spawnSync", "execSync", "execFileSync"]) {
      children[name] = () => { console.log("started a program: " + name); process.exit(1); };
    }
    import(${JSON.stringify(host)}).then(async ({ hostCollector }) => {
      const reading = await hostCollector({ procRoot: "/proc", now: () => 0 }).read(new AbortController().signal);
      console.log(reading.memoryTotalBytes > 0 ? "read" : "nothing");
    });`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program]);
  assert.equal(stdout.trim(), "read");
});
