import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf } from "../../src/core/alert.ts";
import { instant } from "../../src/core/time.ts";
import { alert } from "./support.ts";

test("a repeated delivery is the same alert", () => {
  const first = alert();
  assert.equal(keyOf(first), keyOf(alert({ deliveries: 7, lastDeliveredAt: instant(1) })));
});

test("an alert that fires again later is another one, although its labels are the same", () => {
  assert.notEqual(keyOf(alert()), keyOf(alert({ startsAt: instant(1) })));
});

test("two alerts that began at the same moment are two", () => {
  assert.notEqual(keyOf(alert()), keyOf(alert({ fingerprint: "beef" })));
});
