// Are pressure files read as the kernel writes them, and is pressure that is not measured left out?
import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePressure, pressureMetrics, pressureSamples, readPressure } from "../../src/collect/pressure.ts";
import { procTree } from "./proc-tree.ts";

const file =
  "some avg10=45.18 avg60=52.82 avg300=40.04 total=1482821196\nfull avg10=0.30 avg60=0.00 avg300=0.00 total=500000\n";

test("percent become shares and microseconds become seconds", () => {
  assert.deepEqual(parsePressure(file, "memory"), [
    { resource: "memory", kind: "some", avg10: 0.4518, avg60: 0.5282, totalSeconds: 1482.821196 },
    { resource: "memory", kind: "full", avg10: 0.003, avg60: 0, totalSeconds: 0.5 },
  ]);
});

test("an old kernel has no `full` line for the processor, and what is none is left out", () => {
  assert.equal(parsePressure(file.split("\n")[0] ?? "", "cpu").length, 1);
  for (const text of [
    "",
    "some",
    "some avg10=x avg60=0.00 avg300=0.00 total=1",
    "none avg10=1 avg60=1 avg300=1 total=1",
  ])
    assert.deepEqual(parsePressure(text, "io"), [], text);
});

test("a resource whose file is missing is left out, and the others are read", () => {
  using tree = procTree();
  tree.write("pressure/io", file);
  const read = readPressure((resource) => `${tree.root}/pressure/${resource}`);
  assert.deepEqual(new Set(read.map(({ resource }) => resource)), new Set(["io"]));
});

test("this host's own pressure can be read", () => {
  const read = readPressure((resource) => `/proc/pressure/${resource}`);
  for (const { avg10, totalSeconds } of read) assert.ok(avg10 >= 0 && avg10 <= 1 && totalSeconds >= 0);
});

test("every sample belongs to a declared family with these labels", () => {
  const specs = new Map(pressureMetrics("openclaw_host", "the host").map((spec) => [spec.name, spec]));
  for (const { name, labels } of pressureSamples("openclaw_host", parsePressure(file, "cpu")))
    assert.deepEqual(Object.keys(labels ?? {}), specs.get(name)?.labels);
});
