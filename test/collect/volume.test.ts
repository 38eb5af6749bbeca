// Is the file system of a state directory told, and does a folder that is not there say so?
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { volumeCollector } from "../../src/collect/volume.ts";

const never = new AbortController().signal;
const of = (path: string | undefined) =>
  volumeCollector({ path, prefix: "openclaw_gateway", of: "the gateway's state directory" });

test("size and free space are those that df tells", async () => {
  const collector = of(tmpdir());
  const samples = collector.samples(await collector.read(never));
  const [size = 0, available = 0] = samples.map(({ value }) => value);
  const df = execFileSync("df", ["-B1", "--output=size,avail", tmpdir()], { encoding: "utf8" });
  const [, sizeByDf] = /(\d+)\s+(\d+)/.exec(df) ?? [];
  assert.equal(size, Number(sizeByDf));
  assert.ok(available > 0 && available <= size);
  assert.deepEqual(
    samples.map(({ name }) => name),
    collector.metrics.map(({ name }) => name),
  );
});

test("a folder that is not there is a failure of the collector, no folder at all is nothing to tell", async () => {
  await assert.rejects(of("/nowhere/state").read(never), { code: "ENOENT" });
  const none = of(undefined);
  assert.deepEqual(none.samples(await none.read(never)), []);
});

test("a question that is still open is joined, not asked again", async () => {
  const collector = of(tmpdir());
  const [one, two] = await Promise.all([collector.read(never), collector.read(never)]);
  assert.equal(one, two);
});
