// Are memory and swap of the host read, without starting a program, and never made up?
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { hostCollector, readingOf } from "../../src/collect/host.ts";
import { readText } from "../../src/collect/proc.ts";

const never = new AbortController().signal;

test("this host's numbers are those of meminfo", async () => {
  const collector = hostCollector({ procRoot: "/proc" });
  const reading = await collector.read(never);
  const total = Number(/^MemTotal:\s+(\d+) kB$/m.exec(readText("/proc/meminfo"))?.[1]) * 1024;
  assert.equal(reading.memoryTotalBytes, total);
  assert.ok(reading.memoryAvailableBytes > 0 && reading.memoryAvailableBytes < total);
  assert.ok(reading.swapFreeBytes <= reading.swapTotalBytes);
  const samples = collector.samples(reading);
  assert.deepEqual(
    samples.map(({ name }) => name),
    collector.metrics.map(({ name }) => name),
  );
});

test("without meminfo there is no reading, instead of a host without swap", async () => {
  await assert.rejects(hostCollector({ procRoot: "/nowhere" }).read(never), { code: "ENOENT" });
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
      const reading = await hostCollector({ procRoot: "/proc" }).read(new AbortController().signal);
      console.log(reading.memoryTotalBytes > 0 ? "read" : "nothing");
    });`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program]);
  assert.equal(stdout.trim(), "read");
});
