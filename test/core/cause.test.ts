import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byUrgency,
  causes,
  curedBy,
  isCause,
  isUrgency,
  lower,
  urgencies,
  urgencyOf,
} from "../../src/core/cause.ts";

test("what has stopped work is urgent now, what will stop it soon, and growth waits for the window", () => {
  assert.deepEqual(urgencyOf, {
    down: "now",
    hang: "now",
    memory_exhaustion: "now",
    descriptors: "soon",
    processes: "soon",
    models_local: "soon",
    memory_leak: "scheduled",
    rejuvenation: "scheduled",
  });
});

test("an in-process restart cures nothing: every cause asks for a new process", () => {
  assert.equal(curedBy, "process");
});

test("a label names a cause or an urgency only when it is exactly one", () => {
  for (const cause of causes) assert.ok(isCause(cause));
  for (const urgency of urgencies) assert.ok(isUrgency(urgency));
  for (const word of [undefined, "", "Hang", "hang ", "constructor", "llm_outage"]) {
    assert.equal(isCause(word), false);
    assert.equal(isUrgency(word), false);
  }
});

test("a label can lower the urgency of a cause and never raise it", () => {
  assert.equal(lower("now", "scheduled"), "scheduled");
  assert.equal(lower("scheduled", "now"), "scheduled");
  assert.equal(lower("soon", "now"), "soon");
  assert.equal(lower("now", "now"), "now");
});

test("of several causes the most urgent comes first, equals in the order of the table", () => {
  const mixed = causes.toReversed().sort(byUrgency);
  assert.deepEqual(mixed, [...causes]);
  assert.equal(byUrgency("hang", "hang"), 0);
});
