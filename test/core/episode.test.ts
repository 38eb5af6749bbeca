// Where does an episode stand after these entries? What is not written down has not happened.
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterVerdict, type Episode, fold, nothingYet } from "../../src/core/episode.ts";
import type { Entry, StepKind, Verdict } from "../../src/core/history.ts";
import { after, type Instant, seconds } from "../../src/core/time.ts";
import { incarnation, noon } from "./support.ts";

const gateway = "main";
const old = incarnation({ pid: 1 });
const fresh = incarnation({ pid: 2 });
const at = (n: number): Instant => after(noon, seconds(n));

type Given<K extends Entry["kind"]> = Partial<Extract<Entry, { kind: K }>>;

const opened = (n: number, change: Given<"opened"> = {}): Entry => ({
  kind: "opened",
  episode: "e1",
  gateway,
  at: at(n),
  cause: "hang",
  urgency: "now",
  incarnation: old,
  alerts: ["f00d@1"],
  firstSeenAt: undefined,
  mode: "enforce",
  ...change,
});
const decided = (n: number, decision: string, change: Given<"decided"> = {}): Entry => ({
  kind: "decided",
  episode: "e1",
  gateway,
  at: at(n),
  decision,
  cause: "hang",
  saw: {},
  wouldHave: undefined,
  ...change,
});
const intended = (n: number, step: StepKind, change: Given<"intended"> = {}): Entry => ({
  kind: "intended",
  episode: "e1",
  gateway,
  at: at(n),
  attempt: 1,
  step,
  cause: "hang",
  action: "systemd",
  incarnation: old,
  spends: true,
  residentBytes: 900,
  bootId: "boot-1",
  ...change,
});
const stepped = (n: number): Entry => ({
  kind: "stepped",
  episode: "e1",
  gateway,
  at: at(n),
  attempt: 1,
  step: "start",
  ok: true,
  detail: "",
  took: seconds(1),
});
const back = (n: number): Entry => ({
  kind: "back",
  episode: "e1",
  gateway,
  at: at(n),
  attempt: 1,
  incarnation: fresh,
});
const verified = (n: number, verdict: Verdict, change: Given<"verified"> = {}): Entry => ({
  kind: "verified",
  episode: "e1",
  gateway,
  at: at(n),
  attempt: 1,
  cause: "hang",
  action: "systemd",
  verdict,
  saw: {},
  incarnation: fresh,
  ...change,
});
const ended = (
  n: number,
  outcome: "recovered" | "gave_up" | "cancelled" | "replaced" | "mode_changed",
): Entry => ({
  kind: "ended",
  episode: "e1",
  gateway,
  at: at(n),
  outcome,
  why: "",
});
const person = { gateway, who: "ann", why: "deploy" } as const;

test("an empty journal is nothing yet", () => {
  assert.deepEqual(fold([]), nothingYet);
});

test("an episode begins with its alert, its life and its mode", () => {
  const { episode } = fold([opened(0)]);
  assert.equal(episode?.id, "e1");
  assert.equal(episode?.askedAt, at(0));
  assert.equal(episode?.incarnation, old);
  assert.equal(episode?.mode, "enforce");
  assert.equal(episode?.attempts, 0);
  assert.equal(episode?.attempt, undefined);
});

test("an unchanged refusal only goes on, another one begins anew", () => {
  const last = (...entries: Entry[]) => fold([opened(0), ...entries]).episode?.lastDecision;
  assert.deepEqual(last(decided(1, "busy")), { decision: "busy", since: at(1), cause: "hang" });
  assert.equal(last(decided(1, "busy"), decided(9, "busy"))?.since, at(1));
  assert.equal(last(decided(1, "busy"), decided(9, "paused"))?.since, at(9));
  assert.equal(last(decided(1, "busy"), decided(5, "paused"), decided(9, "busy"))?.since, at(9));
});

test("an attempt collects its steps and keeps what was there before the first of them", () => {
  const attempt = fold([
    opened(0),
    intended(10, "kill_serving"),
    stepped(11),
    intended(20, "start", { incarnation: undefined, residentBytes: undefined, bootId: undefined }),
  ]).episode?.attempt;
  assert.deepEqual(attempt?.steps, ["kill_serving", "start"]);
  assert.equal(attempt?.before, old);
  assert.equal(attempt?.residentBefore, 900);
  assert.equal(attempt?.actedAt, at(10));
  assert.equal(attempt?.lastStepAt, at(20));
  assert.equal(attempt?.bootId, "boot-1");
});

test("the boot of an intent is known from its incarnation where it was not written", () => {
  const attempt = fold([opened(0), intended(10, "start", { bootId: undefined })]).episode?.attempt;
  assert.equal(attempt?.bootId, old.bootId);
});

test("back is a step on the way, the verdict ends the attempt and names the life that came of it", () => {
  const before = fold([opened(0), intended(10, "restart"), back(30)]).episode;
  assert.deepEqual(before?.attempt?.back, { incarnation: fresh, at: at(30) });
  const { episode } = fold([opened(0), intended(10, "restart"), back(30), verified(60, "worse")]);
  assert.equal(episode?.attempt, undefined);
  assert.equal(episode?.attempts, 1);
  assert.equal(episode?.incarnation, fresh);
  assert.equal(episode?.lastAttemptAt, at(10));
  assert.deepEqual(episode?.lastVerdict, { verdict: "worse", backAt: at(30) });
});

test("a second attempt begins with an empty list of steps", () => {
  const attempt = fold([
    opened(0),
    intended(10, "kill_serving"),
    verified(60, "not_recovered"),
    intended(90, "restart", { attempt: 2, incarnation: fresh }),
  ]).episode?.attempt;
  assert.equal(attempt?.number, 2);
  assert.deepEqual(attempt?.steps, ["restart"]);
  assert.equal(attempt?.before, fresh);
});

test("that the supervisor's latch was cleared is remembered over the attempts of an episode", () => {
  const cleared = fold([
    opened(0),
    intended(10, "kill_serving"),
    intended(11, "clear_failure"),
    verified(60, "worse"),
    intended(90, "kill_serving", { attempt: 2 }),
  ]);
  assert.equal(cleared.episode?.cleared, true);
  assert.equal(fold([opened(0), intended(10, "kill_serving")]).episode?.cleared, false);
});

test("what the verdicts lead to is read from the journal", () => {
  const next = (...entries: Entry[]) => afterVerdict(fold([opened(0), ...entries]).episode as Episode);
  assert.equal(next(), "decide_again");
  assert.equal(next(verified(1, "recovered")), "recovered");
  for (const verdict of ["not_recovered", "worse", "blind"] as const) {
    assert.equal(next(verified(1, verdict)), "decide_again", verdict);
    assert.equal(next(verified(1, verdict, { attempt: 2 })), "decide_again", verdict);
    assert.equal(next(verified(1, verdict, { attempt: 3 })), "gave_up", verdict);
  }
});

test("only a person leaves gave_up", () => {
  const entries = [opened(0), ended(10, "gave_up"), opened(20), ended(30, "cancelled")];
  assert.equal(fold(entries).gaveUp, true);
  assert.equal(fold([...entries, { ...person, kind: "resumed", at: at(40) }]).gaveUp, false);
});

test("a pause lasts until a person resumes or its time is over", () => {
  const paused: Entry = { ...person, kind: "paused", at: at(0), until: at(600) };
  assert.deepEqual(fold([paused]).paused, { until: at(600), who: "ann", why: "deploy" });
  assert.equal(fold([paused, { ...person, kind: "resumed", at: at(1) }]).paused, undefined);
});

test("a cancelled episode can be rejoined: its patience and its attempts go on", () => {
  const before = [opened(0), decided(1, "busy"), verified(5, "worse"), ended(10, "cancelled")];
  const { cancelled } = fold(before);
  assert.equal(cancelled?.episode.id, "e1");
  assert.equal(cancelled?.at, at(10));
  const { episode } = fold([...before, opened(60)]);
  assert.equal(episode?.askedAt, at(0));
  assert.equal(episode?.attempts, 1);
  assert.equal(episode?.lastDecision, undefined);
  const another = fold([...before, opened(60, { episode: "e2" })]).episode;
  assert.equal(another?.askedAt, at(60));
  assert.equal(another?.attempts, 0);
});

test("an episode that ended in another way is not rejoined", () => {
  for (const outcome of ["recovered", "replaced", "mode_changed", "gave_up"] as const) {
    const standing = fold([opened(0), ended(10, outcome)]);
    assert.equal(standing.episode, undefined, outcome);
    assert.equal(standing.cancelled, undefined, outcome);
  }
  assert.equal(fold([ended(10, "cancelled")]).cancelled, undefined);
});

test("entries that tell of no running episode change nothing", () => {
  const replaced: Entry = { kind: "replaced", gateway, at: at(0), from: old, to: fresh, clean: true };
  const evidence: Entry = { kind: "evidence", episode: "e1", gateway, at: at(0), evidence: {} };
  for (const entry of [
    replaced,
    evidence,
    stepped(0),
    decided(0, "busy"),
    intended(0, "start"),
    back(0),
    verified(0, "blind"),
  ]) {
    assert.deepEqual(fold([entry]), nothingYet, entry.kind);
  }
  assert.equal(fold([opened(0), back(1)]).episode?.attempt, undefined);
});

test("the order of minutes is the order of the journal, not of the clock", () => {
  const backwards: Entry = opened(-300, { episode: "e2" });
  assert.equal(fold([opened(0), ended(10, "recovered"), backwards]).episode?.id, "e2");
});
