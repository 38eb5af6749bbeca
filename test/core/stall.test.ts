import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProbeReading } from "../../src/core/readings.ts";
import { observe, type StallClass, unseen } from "../../src/core/stall.ts";
import { after } from "../../src/core/time.ts";
import {
  answer,
  type Found,
  noAnswerOfUse,
  noon,
  policy,
  probeReading,
  processReading,
  silentProbe,
} from "./support.ts";
import { every, timeline } from "./timeline.ts";

// Classes: what one look says.

const busy = { mainThreadCpuSeconds: 63 };
const idle = { mainThreadCpuSeconds: 60.02 };

for (const { because, process, probe, is } of [
  { because: "it answers", process: {}, probe: probeReading(), is: "alive" },
  {
    because: "it answers 503",
    process: {},
    probe: probeReading({ healthz: { ...answer, outcome: "failed", status: 503 } }),
    is: "alive",
  },
  { because: "it says so", process: {}, probe: probeReading({ phase: "draining" }), is: "draining" },
  {
    because: "it is silent, connections wait and the main thread computes",
    process: { acceptQueue: 2, state: "R", ...busy },
    probe: silentProbe(),
    is: "blocked",
  },
  {
    // #122234: 214 s frozen at 0.004 of a core.
    because: "it is silent, connections wait and the main thread sleeps",
    process: { acceptQueue: 2, ...idle },
    probe: silentProbe(),
    is: "deadlocked",
  },
  {
    because: "it is silent in uninterruptible sleep",
    process: { acceptQueue: 1, state: "D", ...idle },
    probe: silentProbe(),
    is: "deadlocked",
  },
  {
    because: "it was stopped by a signal",
    process: { acceptQueue: 1, state: "T" },
    probe: silentProbe(),
    is: "stopped",
  },
  {
    because: "a tracer holds it",
    process: { acceptQueue: 1, state: "t" },
    probe: silentProbe(),
    is: "stopped",
  },
  { because: "nothing waits in its queue", process: { state: "R" }, probe: silentProbe(), is: "unreachable" },
  {
    because: "its queue cannot be read",
    process: { acceptQueue: undefined },
    probe: silentProbe(),
    is: "unreachable",
  },
  {
    because: "its port is closed",
    process: { listening: false, acceptQueue: undefined },
    probe: silentProbe(),
    is: "no_listener",
  },
  {
    because: "the probe could not be sent",
    process: {},
    probe: silentProbe({ healthz: noAnswerOfUse }),
    is: undefined,
  },
  { because: "there is no probe", process: {}, probe: undefined, is: undefined },
] satisfies {
  because: string;
  process: Partial<Found>;
  probe: ProbeReading | undefined;
  is: StallClass | undefined;
}[]) {
  test(`a gateway that was well is ${is ?? "not known"} when ${because}`, () => {
    const story = timeline();
    story.answers();
    story.look(processReading(process), probe);
    assert.equal(story.class, is);
  });
}

test("a main thread that runs at the very first look is taken for blocked, one that sleeps for deadlocked", () => {
  for (const [state, is] of [
    ["R", "blocked"],
    ["S", "deadlocked"],
  ] as const) {
    assert.equal(
      observe(
        unseen,
        { at: noon, process: processReading({ acceptQueue: 1, state }), probe: silentProbe() },
        policy,
      ).class,
      is,
    );
  }
});

test("a gateway without a process is gone, since the first look that missed it", () => {
  const story = timeline();
  story.answers();
  story.gone(15_000);
  assert.equal(story.class, "gone");
  assert.equal(story.stall.goneSince, after(noon, every));
  story.unseen();
  assert.equal(story.class, undefined);
  assert.equal(story.stall.goneSince, after(noon, every));
});
