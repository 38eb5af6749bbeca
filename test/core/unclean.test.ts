// How many unclean ends has the gateway's own breaker seen within five minutes?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, StepKind } from "../../src/core/history.ts";
import { after, type Instant, seconds } from "../../src/core/time.ts";
import { uncleanEnds } from "../../src/core/unclean.ts";
import { incarnation, noon } from "./support.ts";

const at = (n: number): Instant => after(noon, seconds(n));
const intended = (n: number, step: StepKind, attempt = 1): Entry => ({
  kind: "intended",
  episode: "e1",
  gateway: "main",
  at: at(n),
  attempt,
  step,
  cause: "hang",
  action: "systemd",
  incarnation: incarnation(),
  spends: false,
  residentBytes: undefined,
});
const replaced = (n: number, clean = false): Entry => ({
  kind: "replaced",
  gateway: "main",
  at: at(n),
  from: incarnation({ pid: 1 }),
  to: incarnation({ pid: 2 }),
  clean,
});
const ended: Entry = {
  kind: "ended",
  episode: "e1",
  gateway: "main",
  at: at(100),
  outcome: "recovered",
  why: "",
};

test("each unclean end counts once, however many entries tell of it", () => {
  const table: readonly (readonly [string, readonly Entry[], number])[] = [
    ["nothing", [], 0],
    ["a crash", [replaced(0)], 1],
    ["a person's restart", [replaced(0, true)], 0],
    ["a kill", [intended(0, "kill_serving")], 1],
    [
      "a kill of both, and a start after it",
      [intended(0, "kill_serving"), intended(1, "kill_main"), intended(9, "start")],
      1,
    ],
    ["a clean stop, and a start after it", [intended(0, "restart"), intended(9, "start")], 0],
    [
      "a drain that was cut, and a start",
      [intended(0, "restart"), intended(9, "kill_serving"), intended(19, "start")],
      1,
    ],
    ["a dead one that was started", [intended(0, "start"), replaced(20), ended], 1],
    ["two starts in two attempts", [intended(0, "start"), intended(40, "start", 2)], 2],
    ["the attempt is over when the next crash comes", [intended(0, "start"), ended, replaced(120)], 2],
    ["waiting and clearing end nothing", [intended(0, "await_supervisor"), intended(1, "clear_failure")], 0],
    ["three crashes", [replaced(0), replaced(10), replaced(20)], 3],
  ];
  for (const [name, entries, expected] of table) assert.equal(uncleanEnds(entries, at(200)), expected, name);
});

test("only the last five minutes count", () => {
  assert.equal(uncleanEnds([replaced(0), intended(1, "kill_serving")], at(300)), 2);
  assert.equal(uncleanEnds([replaced(0), intended(1, "kill_serving")], at(301)), 1);
  assert.equal(uncleanEnds([replaced(0), intended(1, "kill_serving")], at(302)), 0);
});
