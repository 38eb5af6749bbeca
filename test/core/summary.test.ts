// What came of an episode, and how long did each phase take?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../../src/core/history.ts";
import { phasesOf, summarise } from "../../src/core/summary.ts";
import { after, type Instant, seconds } from "../../src/core/time.ts";
import { incarnation, noon } from "./support.ts";

const at = (n: number): Instant => after(noon, seconds(n));
const old = incarnation({ pid: 1 });
const fresh = incarnation({ pid: 2 });

/** A hang that was seen 90 s before its alert, ended 12 s after it, and was well again 30 s after that. */
const whole = (episode = "e1", from = 0): readonly Entry[] => {
  const one = { episode, gateway: "main" } as const;
  return [
    {
      ...one,
      kind: "opened",
      at: at(from),
      cause: "memory_leak",
      urgency: "now",
      incarnation: old,
      alerts: ["f00d@1"],
      firstSeenAt: at(from - 90),
    },
    {
      ...one,
      kind: "decided",
      at: at(from + 1),
      decision: "unconfirmed",
      cause: undefined,
      saw: {},
      wouldHave: undefined,
    },
    {
      ...one,
      kind: "decided",
      at: at(from + 10),
      decision: "restart",
      cause: "hang",
      saw: {},
      wouldHave: undefined,
    },
    { ...one, kind: "evidence", at: at(from + 11), evidence: {} },
    {
      ...one,
      kind: "intended",
      at: at(from + 12),
      attempt: 1,
      step: "kill_serving",
      cause: "hang",
      action: "systemd",
      incarnation: old,
      spends: true,
      residentBytes: 900,
    },
    {
      ...one,
      kind: "stepped",
      at: at(from + 13),
      attempt: 1,
      step: "kill_serving",
      ok: true,
      detail: "",
      took: seconds(1),
    },
    { ...one, kind: "back", at: at(from + 42), attempt: 1, incarnation: fresh },
    {
      ...one,
      kind: "verified",
      at: at(from + 642),
      attempt: 1,
      cause: "hang",
      action: "systemd",
      verdict: "recovered",
      saw: {},
    },
    { ...one, kind: "ended", at: at(from + 642), outcome: "recovered", why: "" },
  ];
};

test("a whole episode in one line", () => {
  assert.deepEqual(summarise(whole()), [
    {
      episode: "e1",
      gateway: "main",
      cause: "hang",
      urgency: "now",
      openedAt: at(0),
      endedAt: at(642),
      outcome: "recovered",
      attempts: 1,
      verdict: "recovered",
      lastDecision: "restart",
      wouldHave: undefined,
      before: old,
      after: fresh,
      downtimeSeconds: 132,
      phases: { detect: 90, decide: 12, act: 1, back: 30, settle: 600 },
    },
  ]);
});

test("an episode that runs has no end, and phases only as far as it came", () => {
  const [summary] = summarise(whole().slice(0, 5));
  assert.equal(summary?.outcome, "running");
  assert.equal(summary?.endedAt, undefined);
  assert.equal(summary?.downtimeSeconds, undefined);
  assert.deepEqual(summary?.phases, { detect: 90, decide: 12 });
});

test("without a first bad sample the downtime counts from the opening", () => {
  const entries = whole().map((entry) =>
    entry.kind === "opened" ? { ...entry, firstSeenAt: undefined } : entry,
  );
  const [summary] = summarise(entries);
  assert.equal(summary?.downtimeSeconds, 42);
  assert.equal("detect" in (summary?.phases ?? {}), false);
});

test("an episode that was cancelled and rejoined runs again until its last end", () => {
  const [open] = whole();
  assert.ok(open?.kind === "opened");
  const cancelled: Entry = {
    kind: "ended",
    episode: "e1",
    gateway: "main",
    at: at(5),
    outcome: "cancelled",
    why: "",
  };
  assert.equal(summarise([open, cancelled])[0]?.outcome, "cancelled");
  assert.equal(summarise([open, cancelled, { ...open, at: at(9) }])[0]?.outcome, "running");
  assert.equal(summarise([open, cancelled, { ...open, at: at(9) }])[0]?.openedAt, at(0));
});

test("what observe mode would have done is kept", () => {
  const [open] = whole();
  assert.ok(open !== undefined);
  const one = { episode: "e1", gateway: "main" } as const;
  const observed: Entry = {
    ...one,
    kind: "decided",
    at: at(3),
    decision: "observing",
    cause: "hang",
    saw: {},
    wouldHave: "restart",
  };
  const [summary] = summarise([open, observed]);
  assert.equal(summary?.lastDecision, "observing");
  assert.equal(summary?.wouldHave, "restart");
  assert.equal(summary?.attempts, 0);
  assert.equal(summary?.cause, "memory_leak");
});

test("episodes keep their order, and entries of none are left out", () => {
  const replaced: Entry = { kind: "replaced", gateway: "main", at: at(0), from: old, to: fresh, clean: true };
  const summaries = summarise([replaced, ...whole("a"), ...whole("b", 2000)]);
  assert.deepEqual(
    summaries.map(({ episode }) => episode),
    ["a", "b"],
  );
});

test("an episode whose beginning was pruned is left out", () => {
  assert.deepEqual(summarise(whole().slice(1)), []);
  assert.deepEqual(summarise([]), []);
});

test("phases of nothing are nothing", () => {
  assert.deepEqual(phasesOf([]), {});
});
