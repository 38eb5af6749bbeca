// When is a restarted gateway well again, and when has the restart failed?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "../../src/core/cause.ts";
import type { Evidence } from "../../src/core/evidence.ts";
import { observe, unseen } from "../../src/core/stall.ts";
import { after, type Instant, type Millis, minutes, ms, seconds } from "../../src/core/time.ts";
import { type Expectation, judge, settle } from "../../src/core/verdict.ts";
import {
  aliveStall,
  evidence,
  gib,
  incarnation,
  mib,
  noon,
  policy,
  probeReading,
  processReading,
  silentProbe,
  supervisor,
} from "./support.ts";

const old = incarnation({ pid: 4000, startTicks: 1 });
const fresh = incarnation({ pid: 5000, startTicks: 9, startedAt: after(noon, seconds(5)) });
const serving = processReading({ incarnation: fresh });

const expected = (change: Partial<Expectation> = {}): Expectation => ({
  cause: "hang",
  before: old,
  residentBefore: 1500 * mib,
  lastStepAt: noon,
  rpc: true,
  ...change,
});

/** The new life as it is seen `length` after the restart. */
function seen(length: Millis, change: Partial<Evidence> = {}): { e: Evidence; now: Instant } {
  const now = after(noon, length);
  const e = evidence({
    process: { at: now, reading: serving },
    work: { at: now, reading: { known: true, restartSafe: true, active: {} } },
    probe: { at: now, reading: probeReading() },
    stall: aliveStall(now, serving),
    ...change,
  });
  return { e, now };
}

const judged = (
  length: Millis,
  change: Partial<Evidence> = {},
  expectation = expected(),
  says = supervisor(),
) => {
  const { e, now } = seen(length, change);
  return judge(expectation, e, says, now, policy);
};

const at = (length: Millis) => after(noon, length);

test("a new life that serves, answers and does not show the cause is back", () => {
  assert.deepEqual(judged(seconds(30)), { is: "back", incarnation: fresh });
});

test("each missing proof is named while it is waited for", () => {
  const small = { ...serving.tree, residentBytes: 400 * mib };
  const leak = expected({ cause: "memory_leak" });
  const table: readonly (readonly [string, Partial<Evidence>, Expectation, readonly string[]])[] = [
    ["cannot see", { process: undefined }, expected(), ["sight"]],
    ["stale sight", { process: { at: at(ms(-70_000)), reading: serving } }, expected(), ["sight"]],
    [
      "nothing there",
      { process: { at: at(seconds(30)), reading: { found: false } } },
      expected(),
      ["new_incarnation"],
    ],
    [
      "still the old one",
      { process: { at: at(seconds(30)), reading: processReading({ incarnation: old }) } },
      expected(),
      ["old_incarnation_gone"],
    ],
    [
      "no listener of its own",
      { process: { at: at(seconds(30)), reading: { ...serving, listening: false } } },
      expected(),
      ["listener"],
    ],
    [
      "starting",
      {
        stall: observe(
          unseen,
          { at: at(seconds(30)), process: serving, probe: probeReading({ phase: "starting" }) },
          policy,
        ),
      },
      expected(),
      ["started"],
    ],
    [
      "rpc silent",
      { work: { at: at(seconds(30)), reading: { known: false, failure: "timeout" } } },
      expected(),
      ["rpc"],
    ],
    ["rpc not asked", { work: undefined }, expected(), ["rpc"]],
    [
      "an answer of the old life",
      { work: { at: noon, reading: { known: true, restartSafe: true, active: {} } } },
      expected(),
      ["rpc"],
    ],
    [
      "memory as before",
      {
        process: {
          at: at(seconds(30)),
          reading: { ...serving, tree: { ...small, residentBytes: 1300 * mib } },
        },
      },
      leak,
      ["memory"],
    ],
    [
      "memory unknown",
      {
        process: {
          at: at(seconds(30)),
          reading: { ...serving, tree: { ...small, residentBytes: undefined } },
        },
      },
      leak,
      ["condition_false", "memory"],
    ],
    ["still leaking", { trend: { ...evidence().trend, verdict: "leaking" } }, leak, ["condition_false"]],
  ];
  for (const [name, change, expectation, missing] of table) {
    assert.deepEqual(judged(seconds(30), change, expectation), { is: "waiting", missing }, name);
  }
});

test("without a token the silence of the RPC proves nothing", () => {
  assert.equal(judged(seconds(30), { work: undefined }, expected({ rpc: false })).is, "back");
});

test("memory is back below the gate and below four fifths of what it was", () => {
  const holds = (bytes: number, limit: Evidence["limit"], residentBefore: number | undefined) =>
    judged(
      seconds(30),
      {
        limit,
        process: {
          at: at(seconds(30)),
          reading: { ...serving, tree: { ...serving.tree, residentBytes: bytes } },
        },
      },
      expected({ cause: "memory_leak", residentBefore }),
    ).is;
  const limit = { bytes: 2 * gib, source: "cgroup" } as const;
  assert.equal(holds(1200 * mib, limit, 1500 * mib), "back");
  assert.equal(holds(1201 * mib, limit, 1500 * mib), "waiting");
  assert.equal(holds(1229 * mib, limit, 3000 * mib), "waiting");
  assert.equal(holds(1228 * mib, limit, undefined), "back");
  assert.equal(holds(5 * gib, undefined, undefined), "back");
});

test("what is not proven in time has failed, by what was seen", () => {
  const gone = { process: { at: at(minutes(7)), reading: { found: false } } } as const;
  const minutesLater = (n: number) => ({
    process: { at: at(minutes(n)), reading: { ...serving, listening: false } },
  });
  const before = { process: { at: at(minutes(7)), reading: processReading({ incarnation: old }) } };
  const verdictOf = (length: Millis, change: Partial<Evidence>, says = supervisor()) => {
    const judgement = judged(length, change, expected(), says);
    return judgement.is === "failed" ? judgement.verdict : judgement.is;
  };
  assert.equal(verdictOf(minutes(7), { process: undefined }), "blind");
  assert.equal(verdictOf(minutes(7), gone), "not_recovered");
  assert.equal(verdictOf(minutes(7), before), "not_recovered");
  assert.equal(verdictOf(minutes(19), minutesLater(19)), "waiting");
  assert.equal(verdictOf(minutes(21), minutesLater(21)), "not_recovered");
});

test("a start that the supervisor still works on is waited for, one that it gave up is not", () => {
  const gone = (length: Millis) => ({ process: { at: at(length), reading: { found: false } } }) as const;
  const is = (length: Millis, state: "starting" | "waiting_to_restart" | "failed") =>
    judged(length, gone(length), expected(), supervisor({ state })).is;
  assert.equal(is(minutes(7), "starting"), "waiting");
  assert.equal(is(minutes(7), "waiting_to_restart"), "waiting");
  assert.equal(is(minutes(21), "starting"), "failed");
  assert.equal(is(seconds(30), "failed"), "failed");
  // Just asked to start, it still says what it said before.
  assert.equal(is(seconds(5), "failed"), "waiting");
});

const back = { incarnation: fresh, at: at(seconds(30)) };
const settled = (length: Millis, change: Partial<Evidence> = {}, expectation = expected()) => {
  const { e, now } = seen(length, change);
  const judgement = settle(expectation, back, e, now, policy);
  return judgement.is === "failed" ? judgement.verdict : judgement.is;
};

test("it has to stay well for the settle time before it counts as recovered", () => {
  assert.equal(settled(minutes(10)), "waiting");
  assert.equal(settled(seconds(630)), "back");
});

test("a gateway that was back and serves no more is worse", () => {
  const now = at(minutes(5));
  assert.equal(settled(minutes(5), { process: { at: now, reading: { found: false } } }), "worse");
  const another = processReading({ incarnation: incarnation({ pid: 6000 }) });
  assert.equal(settled(minutes(5), { process: { at: now, reading: another } }), "worse");
  assert.equal(settled(minutes(5), { stall: silentStall(minutes(2), minutes(5)) }), "worse");
});

test("a silence that has just begun is neither: it has to answer or to become a hang", () => {
  assert.equal(settled(minutes(11), { stall: silentStall(seconds(640), minutes(11)) }), "waiting");
});

test("the cause that came back is no recovery, but growth is not judged while it settles", () => {
  const high = {
    process: { at: at(minutes(5)), reading: { ...serving, openFds: 1000 } },
    descriptorsHighSince: at(minutes(3)),
  };
  const causeOf = (cause: Cause) => expected({ cause });
  assert.equal(settled(minutes(5), high, causeOf("descriptors")), "not_recovered");
  const leaking = { trend: { ...evidence().trend, verdict: "leaking" as const } };
  assert.equal(settled(minutes(5), leaking, causeOf("memory_leak")), "waiting");
  assert.equal(settled(minutes(11), leaking, causeOf("memory_leak")), "back");
});

test("one reading that failed is waited out; a gateway that stays out of sight is not called well", () => {
  assert.equal(settled(minutes(5), { process: undefined }), "waiting");
  assert.equal(settled(minutes(11), { process: undefined }), "waiting");
  assert.equal(settled(minutes(13), { process: undefined }), "blind");
  assert.equal(settled(minutes(13), { process: { at: at(minutes(1)), reading: serving } }), "blind");
});

/** What the stall detector says of the new life that has been silent since then. */
function silentStall(from: Millis, to: Millis) {
  let stall = aliveStall(at(seconds(20)), serving);
  const waiting = { ...serving, acceptQueue: 2 };
  for (let s: number = from; s <= to; s += seconds(5)) {
    stall = observe(stall, { at: at(ms(s)), process: waiting, probe: silentProbe() }, policy);
  }
  return stall;
}
