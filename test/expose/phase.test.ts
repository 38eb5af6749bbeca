// What can an operator tell of the phases that the guard waits for, and is what is unknown left out?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../src/core/evidence.ts";
import { after, minutes, ms, seconds } from "../../src/core/time.ts";
import { derivedSamples } from "../../src/expose/derived.ts";
import { phaseMetrics, phaseSamples } from "../../src/expose/phase.ts";
import { aliveStall, before, evidence, noon, policy, processReading } from "../core/support.ts";
import { timeline, young } from "../core/timeline.ts";

function seriesOf(partial: Partial<Evidence>, now = noon) {
  const samples = phaseSamples(evidence(partial), now, policy);
  for (const { name } of samples)
    assert.ok(
      phaseMetrics.some((spec) => spec.name === name),
      name,
    );
  return Object.fromEntries(
    samples.map(({ name, labels, value }) => [
      `${name.replace(/^openclaw_(?:gateway|guard)_/, "")}${labels === undefined ? "" : `:${Object.values(labels).join()}`}`,
      value,
    ]),
  );
}

test("a gateway that just runs is in no phase, nobody holds it, and nothing is known of updates", () => {
  assert.deepEqual(seriesOf({ stall: aliveStall() }), {
    starting_seconds: 0,
    draining_seconds: 0,
    start_budget_seconds: 1200,
    "held:tracer": 0,
    "held:freezer": 0,
  });
});

test("a start is told with its length, also beyond the budget, and the slowest one raises that", () => {
  const story = timeline(young(ms(0)));
  story.deaf(minutes(25));
  const now = after(noon, minutes(25));
  assert.equal(seriesOf({ stall: story.stall }, now)["starting_seconds"], 1500);
  story.answers();
  const started = seriesOf({ stall: story.stall }, now);
  assert.equal(started["starting_seconds"], 0);
  assert.equal(started["slowest_start_seconds"], 1500);
  assert.equal(started["start_budget_seconds"], 3000);
});

test("a drain is told from when it was first seen", () => {
  const story = timeline();
  story.answers(60_000, "draining");
  assert.equal(seriesOf({ stall: story.stall }, after(noon, seconds(60)))["draining_seconds"], 60);
});

test("while the last look could not tell, no phase is claimed", () => {
  const of = seriesOf({ stall: { ...aliveStall(), class: undefined }, process: undefined });
  assert.deepEqual(Object.keys(of), ["start_budget_seconds"]);
});

test("updates: seen, not seen and unknown are three things, and one that is too old is still shown", () => {
  const since = before(noon, minutes(45));
  const of = seriesOf({
    updating: { package_manager: { seen: false }, version_on_disk: { seen: true, since } },
  });
  assert.equal(of["updating:package_manager"], 0);
  assert.equal(of["updating:version_on_disk"], 1);
});

test("who holds the process is named", () => {
  const of = seriesOf({ process: { at: noon, reading: processReading({ heldBy: "freezer" }) } });
  assert.deepEqual([of["held:tracer"], of["held:freezer"]], [0, 1]);
});

test("the last wake is a time, absent before the first", () => {
  assert.equal(seriesOf({ wokeAt: noon })["last_wake_timestamp_seconds"], noon / 1000);
});

test("while it waits for a child that works, the limit of its silence is the longer one, so that no alert asks", () => {
  const limitOf = (stall: Evidence["stall"]) =>
    derivedSamples(evidence({ stall }), {
      now: noon,
      supervisor: "none",
      thresholds: [{ signal: "unresponsive_seconds", level: "critical", value: 90 }],
      stall: policy,
    }).find(({ name }) => name === "openclaw_gateway_threshold")?.value;
  assert.equal(limitOf(aliveStall()), 90);
  const story = timeline();
  story.answers();
  story.silent(10_000, { youngBusyChild: { startedAt: after(noon, seconds(3)) } });
  assert.equal(limitOf(story.stall), 600);
  story.answers();
  assert.equal(limitOf(story.stall), 90);
});
