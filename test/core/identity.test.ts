import assert from "node:assert/strict";
import { test } from "node:test";
import { isProven, nameOf, sameIncarnation, unprovenBoot } from "../../src/core/identity.ts";
import { incarnation } from "./support.ts";

const one = incarnation();

for (const { because, other, same } of [
  { because: "nothing differs", other: incarnation(), same: true },
  { because: "another pid", other: incarnation({ pid: 4243 }), same: false },
  { because: "a reused pid started at another tick", other: incarnation({ startTicks: 1001 }), same: false },
  {
    because: "the same pid and ticks of another boot",
    other: incarnation({ bootId: "boot-2" }),
    same: false,
  },
  { because: "one of them is not known", other: undefined, same: false },
]) {
  test(`two lives are ${same ? "the same" : "not the same"} when ${because}`, () => {
    assert.equal(sameIncarnation(one, other), same);
    assert.equal(sameIncarnation(other, one), same);
  });
}

test("two unknown lives are not known to be the same", () => {
  assert.equal(sameIncarnation(undefined, undefined), false);
});

test("the name of a life holds all that tells it from others", () => {
  assert.equal(nameOf(one), "boot-1:4242:1000");
});

test("a process that was seen without start ticks is proven to be nobody", () => {
  assert.equal(isProven(one), true);
  assert.equal(isProven(incarnation({ bootId: unprovenBoot })), false);
});
