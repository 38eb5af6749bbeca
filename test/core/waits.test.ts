// Which phases would hold a restart back, and until when?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../src/core/evidence.ts";
import { after, minutes, ms, seconds } from "../../src/core/time.ts";
import { waitsOf } from "../../src/core/waits.ts";
import { aliveStall, evidence, noon, policy } from "./support.ts";
import { timeline, young } from "./timeline.ts";

const waits = (partial: Partial<Evidence>, now = noon) =>
  waitsOf(evidence(partial), now, policy).map(({ refusal, until }) => [refusal, until]);

test("a gateway that just runs is waited for by nobody", () => {
  assert.deepEqual(waits({ stall: aliveStall() }), []);
});

test("a start is waited for to the end of its budget, which a slow one raises", () => {
  const story = timeline(young(ms(0)));
  story.deaf(5_000);
  assert.deepEqual(waits({ stall: story.stall }), [["starting", after(noon, minutes(20))]]);
  const slow = { ...story.stall, slowestStart: minutes(12) };
  assert.deepEqual(waits({ stall: slow }), [["starting", after(noon, minutes(24))]]);
});

test("a drain, an update and a wake are each waited for as long as they are respected", () => {
  const story = timeline();
  story.answers(5_000, "draining");
  const updating = { package_manager: { seen: true, since: noon }, version_on_disk: undefined } as const;
  const all = { stall: story.stall, updating, wokeAt: noon };
  assert.deepEqual(waits(all), [
    ["draining", after(noon, seconds(330))],
    ["updating", after(noon, minutes(30))],
    ["just_woke", after(noon, minutes(3))],
  ]);
  assert.deepEqual(waits(all, after(noon, minutes(30))), []);
});
