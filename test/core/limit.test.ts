import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseLimit, limitSources } from "../../src/core/limit.ts";
import { gib, mib } from "./support.ts";

test("the smallest of the known limits holds, with its source", () => {
  for (const source of limitSources) {
    const known = { cgroup: 4 * gib, configured: 4 * gib, host: 4 * gib, [source]: 2 * gib };
    assert.deepEqual(chooseLimit(known), { bytes: 2 * gib, source });
  }
});

test("of equal limits the one that the kernel enforces is named", () => {
  const limit = chooseLimit({ host: gib, configured: gib, cgroup: gib });
  assert.equal(limit?.source, "cgroup");
});

test("330 MiB on a host of 768 MiB keeps its small limit: it is never raised to a comfortable one", () => {
  assert.deepEqual(chooseLimit({ host: 768 * mib }), { bytes: 768 * mib, source: "host" });
});

test("without any known limit there is none, rather than zero or infinity", () => {
  assert.equal(chooseLimit({}), undefined);
  assert.equal(chooseLimit({ cgroup: undefined, configured: 0 }), undefined);
});
