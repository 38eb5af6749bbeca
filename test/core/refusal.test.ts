// Must a person hear of this refusal, and when? At once, after the urgency's patience, or never.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Urgency, urgencies } from "../../src/core/cause.ts";
import { isRefusal, lasting, type Refusal, refusals } from "../../src/core/refusal.ts";
import { after, hours, type Millis, minutes, ms } from "../../src/core/time.ts";
import { noon, policy } from "./support.ts";

const lasts = (refusal: Refusal, urgency: Urgency, held: Millis, window = policy.window) =>
  lasting(refusal, urgency, noon, after(noon, held), window);

const atOnce: readonly Refusal[] = [
  "cannot_record",
  "gave_up",
  "observing",
  "supervisor_unreachable",
  "not_curable",
  "unsafe_unit",
  "budget_spent",
];
const never: readonly Refusal[] = ["paused", "silenced", "stopped_on_purpose"];

test("what only a person can change is told at once, what a person wanted is never told", () => {
  for (const urgency of urgencies) {
    for (const refusal of atOnce) assert.equal(lasts(refusal, urgency, ms(0)), true, `${refusal} ${urgency}`);
    for (const refusal of never)
      assert.equal(lasts(refusal, urgency, hours(99)), false, `${refusal} ${urgency}`);
  }
});

test("everything else is told after the patience of its urgency", () => {
  for (const refusal of refusals) {
    if (atOnce.includes(refusal) || never.includes(refusal)) continue;
    assert.equal(lasts(refusal, "now", ms(minutes(5) - 1)), false, refusal);
    assert.equal(lasts(refusal, "now", minutes(5)), true, refusal);
    assert.equal(lasts(refusal, "soon", ms(minutes(60) - 1)), false, refusal);
    assert.equal(lasts(refusal, "soon", minutes(60)), true, refusal);
    // From noon the next window ends at six in the morning.
    assert.equal(lasts(refusal, "scheduled", ms(hours(18) - 1)), false, refusal);
    assert.equal(lasts(refusal, "scheduled", hours(18)), true, refusal);
  }
});

test("without a window a planned restart misses none", () => {
  assert.equal(lasts("busy", "scheduled", hours(99), { zone: "UTC", spans: [] }), false);
});

test("only the words of the list are refusals", () => {
  for (const refusal of refusals) assert.equal(isRefusal(refusal), true);
  for (const word of ["restart", "", "Busy", undefined]) assert.equal(isRefusal(word), false);
});
