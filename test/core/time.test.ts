import assert from "node:assert/strict";
import { test } from "node:test";
import {
  after,
  days,
  elapsed,
  hours,
  inSeconds,
  instant,
  minutes,
  ms,
  seconds,
} from "../../src/core/time.ts";

test("lengths of time are milliseconds inside and seconds outside", () => {
  assert.equal(seconds(2), 2000);
  assert.equal(minutes(2), 120_000);
  assert.equal(hours(2), 7_200_000);
  assert.equal(days(2), 172_800_000);
  assert.equal(inSeconds(ms(1500)), 1.5);
});

test("a clock stepped backwards has elapsed nothing, not less than nothing", () => {
  assert.equal(elapsed(instant(1000), instant(4000)), 3000);
  assert.equal(elapsed(instant(4000), instant(1000)), 0);
});

test("a point after another is that much later", () => {
  assert.equal(after(instant(1000), seconds(2)), 3000);
});
