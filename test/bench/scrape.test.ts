// Does the bench run, and are its numbers possible? How good they are is for docs/bench.md to say.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { quantile } from "../../bench/measure.ts";
import { documentWith, type Results } from "../../bench/table.ts";

const root = join(import.meta.dirname, "../..");
const text = (path: string) => readFileSync(join(root, path), "utf8");

/** Runs the bench as `npm run bench` does. */
async function bench(...args: readonly string[]) {
  const child = spawn(process.execPath, [join(root, "bench/run.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
  child.stderr.setEncoding("utf8").on("data", (part: string) => (err += part));
  await once(child, "close");
  return { code: child.exitCode, out, err };
}

test("the short case of every comparison runs, writes nothing, and its numbers can be", async () => {
  const [results, document] = [text("bench/results.json"), text("docs/bench.md")];
  const { code, out, err } = await bench("scrape", "--short");
  assert.equal(code, 0, err);
  const { machine, rows } = JSON.parse(out) as Results["scrape"];
  assert.ok(machine.cores > 0 && machine.node === process.version);
  assert.deepEqual(
    rows.map(({ watches }) => watches),
    ["1 gateway", "3 gateways", "1 gateway, well", "1 gateway, stopped"],
  );
  for (const row of rows) {
    assert.ok(row.p50Ms > 0 && row.p50Ms <= row.p99Ms && row.perSecond > 0, JSON.stringify(row));
    assert.ok(row.cpuMsPerScrape >= 0 && row.rssMiB > 30 && row.rssMiB < 1000, JSON.stringify(row));
    assert.ok(row.bytes > 5000, JSON.stringify(row));
  }
  const [one, three] = rows;
  assert.ok((three?.bytes ?? 0) > (one?.bytes ?? 0), "three gateways have more to say than one");
  assert.deepEqual([text("bench/results.json"), text("docs/bench.md")], [results, document]);
});

test("a bench that is not there is exit 2 and says which are", async () => {
  const { code, err } = await bench("everything");
  assert.equal(code, 2);
  assert.match(err, /scrape/);
});

suite("docs/bench.md", () => {
  const results = JSON.parse(text("bench/results.json")) as Results;

  test("has the tables of bench/results.json", () =>
    assert.equal(text("docs/bench.md"), documentWith(text("docs/bench.md"), results)));

  test("compares with the exporters that everybody knows, in the same run", () => {
    const exporters = new Set(results.scrape.rows.map(({ exporter }) => exporter));
    assert.deepEqual([...exporters].sort(), ["node_exporter", "openclaw-guard", "process-exporter"]);
    assert.ok(results.scrape.rows.some(({ watches }) => watches === "50 gateways"));
  });
});

test("a quantile is a value that was seen", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(quantile(values, 0.5), 50);
  assert.equal(quantile(values, 0.99), 99);
  assert.equal(quantile(values, 1), 100);
  assert.equal(quantile([7], 0.5), 7);
});
