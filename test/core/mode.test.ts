import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveMode } from "../../src/core/mode.ts";

test("a guard enforces only what it was told to and has earned", () => {
  assert.deepEqual(effectiveMode("enforce", { checked: true, reasons: [] }), {
    mode: "enforce",
    reasons: [],
  });
});

test("the day after installation, before the restart path was checked, it observes and says why", () => {
  assert.deepEqual(effectiveMode("enforce", { checked: false, reasons: [] }), {
    mode: "observe",
    reasons: ["not_checked"],
  });
});

test("every thing that stands in the way of a safe restart is named", () => {
  const reasons = ["stop_time_too_short", "another_guard"];
  assert.deepEqual(effectiveMode("enforce", { checked: true, reasons }), { mode: "observe", reasons });
});

test("who asked for observe was not downgraded, whatever stands in the way", () => {
  assert.deepEqual(effectiveMode("observe", { checked: false, reasons: ["x"] }), {
    mode: "observe",
    reasons: [],
  });
});
