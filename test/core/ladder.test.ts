// Which steps does each manner take, and how long may each last?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Urgency } from "../../src/core/cause.ts";
import { ladder } from "../../src/core/ladder.ts";
import type { Manner } from "../../src/core/need.ts";
import { type Millis, minutes, ms, seconds } from "../../src/core/time.ts";
import { policy, supervisor } from "./support.ts";

const steps = (
  manner: Manner,
  given: { urgency?: Urgency; restartDelay?: Millis | undefined; exhaustion?: Millis } = {},
) =>
  ladder(
    manner,
    {
      urgency: given.urgency ?? "now",
      supervisor: supervisor("restartDelay" in given ? { restartDelay: given.restartDelay } : {}),
      exhaustion: given.exhaustion,
    },
    policy,
  );

test("a dead gateway is only started", () => {
  assert.deepEqual(steps("start"), [{ kind: "start", deadline: seconds(20), only: "not_replaced" }]);
});

test("a hung gateway is looked at without a signal, ended by force, left to its supervisor, and only then started", () => {
  assert.deepEqual(
    steps("kill").map(({ kind }) => kind),
    ["last_look", "kill_serving", "kill_main", "await_supervisor", "start"],
  );
  assert.equal(steps("kill")[0]?.deadline, seconds(5));
  assert.equal(steps("kill")[2]?.only, "main_differs");
});

test("a gateway that answers is asked to restart first; force is only for a drain that overran", () => {
  assert.deepEqual(
    steps("graceful").map(({ kind, only }) => [kind, only]),
    [
      ["restart", undefined],
      ["kill_serving", "not_replaced"],
      ["await_supervisor", "not_replaced"],
      ["start", "not_replaced"],
    ],
  );
});

test("the supervisor's own restart is waited for: its delay and five seconds", () => {
  const wait = (restartDelay: Millis | undefined) =>
    steps("kill", { restartDelay }).find(({ kind }) => kind === "await_supervisor")?.deadline;
  assert.equal(wait(seconds(5)), seconds(10));
  assert.equal(wait(minutes(1)), seconds(65));
  assert.equal(wait(undefined), seconds(5));
});

test("the drain lasts as long as the gateway may take, and no longer than half the time that memory leaves", () => {
  const table: readonly (readonly [Urgency, Millis | undefined, Millis])[] = [
    ["now", undefined, seconds(330)],
    ["now", minutes(60), seconds(330)],
    ["now", minutes(4), minutes(2)],
    ["now", seconds(661), seconds(330)],
    ["now", seconds(659), seconds(329.5)],
    ["now", seconds(10), seconds(30)],
    ["now", ms(0), seconds(30)],
    ["soon", seconds(10), seconds(330)],
    ["scheduled", seconds(10), seconds(330)],
  ];
  for (const [urgency, exhaustion, expected] of table) {
    const given = exhaustion === undefined ? { urgency } : { urgency, exhaustion };
    assert.equal(steps("graceful", given)[0]?.deadline, expected, `${urgency}, ${exhaustion} ms left`);
  }
});
