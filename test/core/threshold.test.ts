// Do small hosts get limits that suit them, and large ones the usual?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { thresholdsFor } from "../../src/core/threshold.ts";

const gib = 2 ** 30;

suite("the limits of a host", () => {
  const cases: readonly (readonly [string, number | undefined, number, number])[] = [
    ["a tiny one keeps a quarter free", 0.5 * gib, 0.6, 134_217_728],
    ["one of 1 GB needs 200 MB", 1e9, 0.6, 200e6],
    ["the one of the field report, 3.6 GB, needs 200 MB", 3.6e9, 0.6, 200e6],
    ["one sold as 4 GiB is still small", 4 * gib, 0.6, 214_748_364],
    ["one byte more is not", 4 * gib + 1, 0.7, 214_748_364],
    ["one of 16 GiB needs a twentieth", 16 * gib, 0.7, 858_993_459],
    ["a large one needs a gigabyte and no more", 256 * gib, 0.7, gib],
    ["an unknown one gets the usual share and the least bound", undefined, 0.7, 200e6],
  ];
  for (const [says, total, warning, critical] of cases)
    test(says, () =>
      assert.deepEqual(thresholdsFor(total), {
        memoryRatioWarning: warning,
        availableBytes: { warning: 2 * critical, critical },
      }),
    );

  test("never grow when memory shrinks, and warn before they are critical", () => {
    let before = 0;
    for (let total = 0.1 * gib; total < 64 * gib; total += 0.1 * gib) {
      const { critical, warning } = thresholdsFor(total).availableBytes;
      assert.ok(critical >= before && warning > critical && warning <= total, `${total}`);
      before = critical;
    }
  });
});
