// What follows from the readings, and is what cannot be known left out?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../src/core/evidence.ts";
import { limitSources } from "../../src/core/limit.ts";
import { observe, stallClasses } from "../../src/core/stall.ts";
import { after, ms, seconds } from "../../src/core/time.ts";
import { trends } from "../../src/core/trend.ts";
import { derivedMetrics, derivedSamples } from "../../src/expose/derived.ts";
import {
  aliveStall,
  evidence,
  noAnswerOfUse,
  noon,
  policy,
  probeReading,
  processReading,
  silentProbe,
} from "../core/support.ts";

test("a healthy gateway is up, alive, and silent for no time at all", () => {
  const of = seriesOf(evidence());
  assert.equal(of("openclaw_gateway_up"), 1);
  assert.equal(of('openclaw_gateway_stall_class{class="alive"}'), 1);
  assert.equal(of("openclaw_gateway_unresponsive_seconds"), 0);
  assert.equal(of('openclaw_gateway_info{version="2026.9.6",supervisor="systemd"}'), 1);
});

test("event-loop lag is what /readyz says, or the RPC where that is silent about it; a silent gateway has none", () => {
  const name = (stat: string) => `openclaw_gateway_event_loop_lag_seconds{stat="${stat}"}`;
  const told = {
    heapUsedBytes: undefined,
    heapTotalBytes: undefined,
    externalBytes: undefined,
    arrayBuffersBytes: undefined,
    loopDelayP99: ms(30),
    loopDelayMax: ms(60),
    drainBudget: undefined,
  };
  const work = { at: noon, reading: { known: true, restartSafe: true, active: {}, self: told } } as const;
  const lagOf = (partial: Partial<Evidence>) =>
    ["p99", "max"].map((stat) => seriesOf(evidence(partial))(name(stat)));
  const mute = probeReading({ loopDelayP99: undefined, loopDelayMax: undefined });
  const telling = probeReading({ loopDelayP99: ms(20), loopDelayMax: ms(40) });
  assert.deepEqual(lagOf({ probe: { at: noon, reading: telling }, work }), [0.02, 0.04]);
  assert.deepEqual(lagOf({ probe: { at: noon, reading: mute }, work }), [0.03, 0.06]);
  assert.deepEqual(lagOf({ probe: { at: noon, reading: mute }, work: undefined }), [undefined, undefined]);
  assert.deepEqual(lagOf({ probe: { at: noon, reading: silentProbe() }, work }), [undefined, undefined]);
});

for (const [what, partial, up] of [
  ["nothing has been read", { process: undefined }, undefined],
  ["there is no process", { process: { at: noon, reading: { found: false } } }, 0],
  ["nobody has probed yet", { probe: undefined }, undefined],
  ["the probe failed", { probe: { at: noon, reading: silentProbe() } }, 0],
  [
    "the probe failed through our own fault",
    { probe: { at: noon, reading: probeReading({ healthz: noAnswerOfUse }) } },
    undefined,
  ],
] as const satisfies readonly (readonly [string, Partial<Evidence>, number | undefined])[]) {
  test(`up is ${up ?? "absent"} when ${what}`, () => {
    assert.equal(seriesOf(evidence(partial))("openclaw_gateway_up"), up);
  });
}

test("closed sets are complete: one holds, the others are 0", () => {
  const of = seriesOf(evidence());
  const sums = {
    class: stallClasses.map((each) => of(`openclaw_gateway_stall_class{class="${each}"}`)),
    trend: trends.map((each) => of(`openclaw_gateway_memory_trend{trend="${each}"}`)),
    source: limitSources.map((each) => of(`openclaw_gateway_memory_limit_info{source="${each}"}`)),
  };
  for (const values of Object.values(sums)) {
    assert.ok(values.every((value) => value !== undefined));
    assert.equal(
      values.reduce<number>((sum, value) => sum + (value ?? 0), 0),
      1,
    );
  }
});

test("while the guard cannot tell, no stall class holds and none is 0", () => {
  const unknown = { ...aliveStall(), class: undefined };
  const of = seriesOf(evidence({ stall: unknown }));
  for (const each of stallClasses)
    assert.equal(of(`openclaw_gateway_stall_class{class="${each}"}`), undefined);
  assert.equal(of("openclaw_gateway_unresponsive_seconds"), undefined);
});

test("a silence is exposed in seconds, as long as it is at the moment of the scrape", () => {
  let stall = aliveStall();
  const process = processReading({ acceptQueue: 2, state: "R" });
  for (const s of [5, 10, 15])
    stall = observe(stall, { at: after(noon, seconds(s)), process, probe: silentProbe() }, policy);
  const of = seriesOf(evidence({ stall }), 47);
  assert.equal(of("openclaw_gateway_unresponsive_seconds"), 42);
});

test("without a process nothing is said about its memory, but limits that alerts compare with stay", () => {
  const of = seriesOf(evidence({ process: { at: noon, reading: { found: false } } }));
  assert.equal(of("openclaw_gateway_memory_floor_bytes"), undefined);
  assert.equal(of('openclaw_gateway_memory_trend{trend="steady"}'), undefined);
  assert.equal(of('openclaw_gateway_threshold{signal="memory_ratio",level="critical"}'), 0.85);
});

test("a memory that does not grow has no time of exhaustion", () => {
  assert.equal(seriesOf(evidence())('openclaw_gateway_memory_exhaustion_seconds{bound="lower"}'), undefined);
  const trend = { ...evidence().trend, exhaustionSeconds: { estimate: 7200, lower: 3600 } };
  const of = seriesOf(evidence({ trend }));
  assert.equal(of('openclaw_gateway_memory_exhaustion_seconds{bound="estimate"}'), 7200);
  assert.equal(of('openclaw_gateway_memory_exhaustion_seconds{bound="lower"}'), 3600);
});

/** The value of a series by its name and labels, at some seconds after noon. */
function seriesOf(e: Evidence, atSeconds = 0): (series: string) => number | undefined {
  const samples = derivedSamples(e, {
    now: after(noon, seconds(atSeconds)),
    supervisor: "systemd",
    thresholds: [{ signal: "memory_ratio", level: "critical", value: 0.85 }],
    stall: policy,
  });
  const declared = new Set(derivedMetrics.map(({ name }) => name));
  for (const { name } of samples) assert.ok(declared.has(name), name);
  const values = new Map(
    samples.map(({ name, labels, value }) => {
      const inner = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${text}"`);
      return [inner.length === 0 ? name : `${name}{${inner.join(",")}}`, value];
    }),
  );
  return (series) => values.get(series);
}
