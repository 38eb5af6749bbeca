// Restart, or nothing and which reason? Every refusal in a situation where it holds and in one that comes near.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cause } from "../../src/core/cause.ts";
import { decide, type Situation } from "../../src/core/decide.ts";
import { refusals } from "../../src/core/refusal.ts";
import { observe } from "../../src/core/stall.ts";
import { after, hours, instant, minutes, seconds } from "../../src/core/time.ts";
import { starting, stranger, table } from "./refusal-table.ts";
import { before, down, hung, leaking, night } from "./situation.ts";
import { alert, aliveStall, evidence, incarnation, noon, policy, processReading } from "./support.ts";

const word = (s: Situation): string => {
  const decision = decide(s, policy);
  return decision.do === "restart" ? "restart" : decision.because;
};
test("a hung gateway is ended by force, a leaking one is asked to restart, a dead one is started", () => {
  const manner = (s: Situation) => {
    const decision = decide(s, policy);
    return decision.do === "restart" ? [decision.cause, decision.urgency, decision.manner] : decision.because;
  };
  assert.deepEqual(manner(hung()), ["hang", "now", "kill"]);
  assert.deepEqual(manner(leaking()), ["memory_leak", "scheduled", "graceful"]);
  assert.deepEqual(manner(down()), ["down", "now", "start"]);
});

for (const refusal of refusals) {
  test(`${refusal}: where it holds, and where it only seems to`, () => {
    const { holds, misses } = table[refusal];
    for (const [i, s] of holds.entries()) assert.equal(word(s), refusal, `situation ${i}`);
    for (const [i, s] of misses.entries()) assert.equal(word(s), "restart", `near miss ${i}`);
  });
}

/** Everything that can hold at once for a gateway that leaks: the first in the order wins. */
const everything: Parameters<typeof leaking>[0] = {
  now: noon,
  canRecord: false,
  unit: "another.service",
  alerts: [alert({ cause: "memory_leak", incarnation: stranger })],
  stillActive: new Set(),
  gaveUp: true,
  pausedUntil: after(noon, minutes(5)),
  mode: "observe",
  supervisor: { reachable: false, state: "stopping", exitStatus: 78, killMode: "control-group" },
  silenced: new Set(["f00d"]),
  evidence: {
    updating: { package_manager: { seen: true, since: noon }, version_on_disk: undefined },
    wokeAt: noon,
    process: { at: noon, reading: processReading({ state: "t" }) },
    work: undefined,
  },
  budget: { left: 0, coolUntil: after(noon, minutes(5)), freeAt: after(noon, hours(1)) },
};

test("the first refusal wins, and all that hold are recorded with the values they saw", () => {
  const s = leaking(everything);
  const all = { ...s, evidence: { ...s.evidence, stall: { ...starting, incarnation: incarnation() } } };
  const decision = decide(all, policy);
  assert.equal(decision.do === "nothing" && decision.because, "cannot_record");
  const order = Object.keys(decision.saw).filter((key) => (refusals as readonly string[]).includes(key));
  assert.deepEqual(order, [
    "cannot_record",
    "blind",
    "stale_alert",
    "already_replaced",
    "stopped_on_purpose",
    "gave_up",
    "paused",
    "silenced",
    "observing",
    "supervisor_unreachable",
    "starting",
    "draining",
    "updating",
    "just_woke",
    "not_curable",
    "unsafe_unit",
    "cooling_down",
    "budget_spent",
    "outside_window",
    "busy",
  ]);
  assert.match(decision.saw["blind"] ?? "", /not in another.service/);
  assert.equal(decision.saw["supervisor_unreachable"], "no answer");
  assert.match(decision.saw["memory_leak"] ?? "", /leaking/);
});

test("the order of the checks is the order of the published list", () => {
  const seen = Object.keys(decide(leaking(everything), policy).saw).filter((key) =>
    (refusals as readonly string[]).includes(key),
  );
  assert.deepEqual(
    seen,
    refusals.filter((refusal) => seen.includes(refusal)),
  );
});

test("a refusal says until when it holds, where that is known", () => {
  const until = (s: Situation) => {
    const decision = decide(s, policy);
    return decision.do === "nothing" ? decision.until : undefined;
  };
  assert.equal(until(hung({ pausedUntil: after(noon, minutes(5)) })), after(noon, minutes(5)));
  assert.equal(until(leaking({ evidence: { wokeAt: night } })), after(night, minutes(3)));
  const updating = { package_manager: { seen: true, since: before(minutes(10)) } } as const;
  assert.equal(
    until(hung({ evidence: { updating: { ...updating, version_on_disk: undefined } } })),
    after(noon, minutes(20)),
  );
  assert.equal(
    until(hung({ budget: { left: 0, coolUntil: noon, freeAt: after(noon, hours(2)) } })),
    after(noon, hours(2)),
  );
  assert.equal(until(leaking({ now: noon })), instant(Date.UTC(2026, 10, 20, 22)));
  assert.equal(until(hung({ uncleanEnds: 2 })), after(noon, minutes(1)));
  assert.equal(until(hung({ gaveUp: true })), undefined);
  assert.equal(until(hung({ alerts: [] })), undefined);
});

test("unconfirmed tells when to look again where the evidence can say so", () => {
  const gone = { found: false } as const;
  const justGone = observe(aliveStall(), { at: before(seconds(4)), process: gone, probe: undefined }, policy);
  const decision = decide(down({ evidence: { stall: justGone } }), policy);
  assert.equal(decision.do === "nothing" && decision.because, "unconfirmed");
  assert.equal(decision.do === "nothing" && decision.until, after(noon, seconds(6)));
});

test("with several open alerts the most urgent confirmed cause picks the ladder", () => {
  const both = [alert({ cause: "memory_leak" }), alert({ cause: "hang" })];
  const chosen = (s: Situation) => {
    const decision = decide(s, policy);
    return [decision.cause, decision.urgency];
  };
  const trend = { ...evidence().trend, verdict: "leaking" } as const;
  assert.deepEqual(chosen(hung({ alerts: both, evidence: { trend } })), ["hang", "now"]);
  assert.deepEqual(chosen(hung({ alerts: both.toReversed(), evidence: { trend } })), ["hang", "now"]);
  // Lowered by its label, the hang waits for the window, and the leak before it.
  const lowered = [
    alert({ cause: "memory_leak", urgency: "soon" }),
    alert({ cause: "hang", urgency: "scheduled" }),
  ];
  assert.deepEqual(chosen(hung({ alerts: lowered, evidence: { trend } })), ["memory_leak", "soon"]);
  // Of two alerts of one cause the more urgent counts, whichever came first.
  const twice = [alert({ urgency: "scheduled" }), alert({ urgency: "now", fingerprint: "beef" })];
  assert.deepEqual(chosen(hung({ alerts: twice })), ["hang", "now"]);
});

test("a cause that evidence does not confirm does not win over one that it does", () => {
  const alerts = [
    alert({ cause: "hang", lastDeliveredAt: night }),
    alert({ cause: "memory_leak", lastDeliveredAt: night }),
  ];
  assert.equal(decide(leaking({ alerts }), policy).cause, "memory_leak");
});

test("a leak that fills the memory before the next window ends cannot wait for the window", () => {
  const urgencyOf = (lowerSeconds: number | undefined, now = noon) => {
    const exhaustionSeconds = lowerSeconds === undefined ? undefined : { estimate: 1e9, lower: lowerSeconds };
    const trend = { ...evidence().trend, verdict: "leaking" as const, exhaustionSeconds };
    return decide(leaking({ now, evidence: { trend } }), policy).urgency;
  };
  // From noon the next window ends at six in the morning, 18 hours later.
  assert.equal(urgencyOf(17.9 * 3600), "soon");
  assert.equal(urgencyOf(18 * 3600), "scheduled");
  assert.equal(urgencyOf(undefined), "scheduled");
  const noWindow = { ...policy, window: { zone: "UTC", spans: [] } };
  assert.equal(decide(leaking({ now: noon }), noWindow).urgency, "scheduled");
});

test("a gateway that our own attempt left dead is started, whether or not anybody still asks for it", () => {
  const alone = decide(down({ alerts: [], ours: true }), policy);
  assert.deepEqual(alone.do === "restart" && [alone.cause, alone.urgency, alone.manner], [
    "down",
    "now",
    "start",
  ]);
  assert.equal(
    word(down({ alerts: [alert({ cause: "hang" })], ours: true, stillActive: new Set() })),
    "restart",
  );
  assert.equal(word(down({ alerts: [] })), "recovered");
  assert.equal(word(down({ alerts: [alert({ cause: "hang" })] })), "recovered");
});

test("each cause without evidence is refused, never guessed", () => {
  for (const cause of ["processes", "models_local", "rejuvenation"] satisfies Cause[]) {
    assert.equal(word(leaking({ alerts: [alert({ cause })] })), "blind", cause);
  }
});

test("a rate of restarts like a day of trouble: gap, budget, breaker, person", () => {
  const story: readonly (readonly [string, Situation, string])[] = [
    ["00:00 hung", hung(), "restart"],
    [
      "00:10 hung again",
      hung({ budget: { left: 2, coolUntil: after(noon, minutes(20)), freeAt: noon } }),
      "cooling_down",
    ],
    ["00:40 hung again", hung({ budget: { left: 2, coolUntil: noon, freeAt: noon } }), "restart"],
    [
      "02:00 twice killed by others just now",
      hung({ uncleanEnds: 2, budget: { left: 1, coolUntil: noon, freeAt: noon } }),
      "breaker_risk",
    ],
    [
      "03:00 hung again",
      hung({ budget: { left: 0, coolUntil: noon, freeAt: after(noon, hours(3)) } }),
      "budget_spent",
    ],
    ["04:00 three attempts failed", hung({ gaveUp: true }), "gave_up"],
    ["09:00 a person looks at it", hung({ pausedUntil: after(noon, hours(1)) }), "paused"],
  ];
  for (const [when, s, expected] of story) assert.equal(word(s), expected, when);
});

test("the same situation always gets the same answer", () => {
  for (const s of [hung(), leaking(), down(), leaking(everything)]) {
    assert.deepEqual(decide(s, policy), decide(structuredClone(s), policy));
  }
});
