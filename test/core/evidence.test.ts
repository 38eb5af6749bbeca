import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import type { Cause } from "../../src/core/cause.ts";
import { type Answer, confirm, type Evidence } from "../../src/core/evidence.ts";
import type { ProcessReading } from "../../src/core/readings.ts";
import { afterGap, observe, type Stall } from "../../src/core/stall.ts";
import { after, type Instant, minutes, ms, seconds } from "../../src/core/time.ts";
import { freshTrend, type Trend } from "../../src/core/trend.ts";
import { policyOf } from "../../src/policy.ts";
import {
  aliveStall,
  evidence,
  type Found,
  gib,
  mib,
  noon,
  policy,
  probeReading,
  processReading,
  silentProbe,
} from "./support.ts";

const later = (length: number) => after(noon, ms(length));

/** The answer and the time of the next look, in milliseconds from noon. */
function answerTo(cause: Cause, e: Evidence, now: Instant = noon): { answer: Answer; until?: number } {
  const { answer, until } = confirm(cause, e, now, policy);
  return until === undefined ? { answer } : { answer, until: until - noon };
}

test("the policy of these tests is what an empty configuration gives", () => {
  const config = parseConfig({});
  const [gateway] = config.gateways;
  assert.ok(gateway);
  assert.deepEqual(policyOf(config, gateway), policy);
});

for (const cause of ["down", "hang", "memory_leak", "memory_exhaustion", "descriptors"] as const) {
  test(`a gateway that is well does not show ${cause}`, () => {
    assert.deepEqual(answerTo(cause, evidence()), { answer: "no" });
  });

  test(`without a fresh reading of the process nobody knows about ${cause}`, () => {
    assert.deepEqual(answerTo(cause, evidence({ process: undefined })), { answer: "blind" });
    assert.deepEqual(answerTo(cause, evidence(), later(seconds(90))).answer === "blind", false);
    assert.deepEqual(answerTo(cause, evidence(), later(seconds(90) + 1)), { answer: "blind" });
  });
}

for (const cause of ["processes", "models_local", "rejuvenation"] as const) {
  test(`the guard has no eyes for ${cause} and never confirms it`, () => {
    assert.deepEqual(answerTo(cause, evidence()), { answer: "blind" });
  });
}

// Down.

const nobody: ProcessReading = { found: false };

function goneFor(length: number, stall?: Stall): Evidence {
  const gone = observe(aliveStall(later(-60_000)), { at: noon, process: nobody, probe: undefined }, policy);
  return evidence({
    process: { at: later(length), reading: nobody },
    probe: undefined,
    stall: stall ?? gone,
  });
}

test("a missing process is down once its supervisor has had ten seconds to come first", () => {
  assert.deepEqual(answerTo("down", goneFor(9_999), later(9_999)), { answer: "not_yet", until: 10_000 });
  assert.deepEqual(answerTo("down", goneFor(10_000), later(10_000)), { answer: "yes" });
});

test("a gap in our own clock, or a look that failed, brings no process back", () => {
  const { stall } = goneFor(0);
  assert.deepEqual(answerTo("down", goneFor(60_000, afterGap(stall)), later(60_000)), { answer: "not_yet" });
  const failed = observe(stall, { at: later(5_000), process: undefined, probe: undefined }, policy);
  assert.deepEqual(answerTo("down", goneFor(10_000, failed), later(10_000)), { answer: "yes" });
});

test("a process that is there but deaf, starting or silent is not down", () => {
  const deaf = processReading({ listening: false });
  const stall = observe(aliveStall(), { at: noon, process: deaf, probe: silentProbe() }, policy);
  assert.deepEqual(answerTo("down", evidence({ process: { at: noon, reading: deaf }, stall })), {
    answer: "no",
  });
});

test("a gateway that is gone has no hang, no leak and no descriptors", () => {
  const e = goneFor(0);
  const leaking: Evidence = { ...e, trend: { ...e.trend, verdict: "leaking", nearLimit: true } };
  for (const cause of ["hang", "memory_leak", "memory_exhaustion", "descriptors"] as const) {
    assert.deepEqual(answerTo(cause, leaking), { answer: "no" }, cause);
  }
});

// Hang.

/** Evidence after a silence that began at noon and was looked at every five seconds. */
function silentFor(length: number, process: Partial<Found> = {}): Evidence {
  const reading = processReading({ acceptQueue: 2, ...process });
  let stall = aliveStall(later(-5_000));
  for (let at = 0; at <= length; at += 5_000) {
    stall = observe(stall, { at: later(at), process: reading, probe: silentProbe() }, policy);
  }
  const at = later(length);
  return evidence({ process: { at, reading }, probe: { at, reading: silentProbe() }, stall });
}

test("a silence is a hang after ninety seconds, and says when to look again before", () => {
  assert.deepEqual(answerTo("hang", silentFor(60_000), later(60_000)), { answer: "not_yet", until: 90_000 });
  assert.deepEqual(answerTo("hang", silentFor(90_000), later(90_000)), { answer: "yes" });
});

test("however near the end of a silence is, the next look is a second away", () => {
  assert.deepEqual(answerTo("hang", silentFor(85_000), later(89_900)), { answer: "not_yet", until: 90_900 });
});

test("a silence with nothing waiting is never confirmed and never called over", () => {
  const e = silentFor(300_000, { acceptQueue: 0 });
  assert.equal(answerTo("hang", e, later(300_000)).answer, "not_yet");
});

test("a closed port is not yet a hang and is not called well", () => {
  const e = silentFor(300_000, { listening: false });
  assert.equal(answerTo("hang", e, later(300_000)).answer, "not_yet");
});

test("a hang that the last look could not see is not confirmed, nor denied", () => {
  const e = silentFor(120_000);
  const at = later(125_000);
  const stall = observe(e.stall, { at, process: processReading(), probe: undefined }, policy);
  assert.deepEqual(answerTo("hang", { ...e, stall }, at), { answer: "blind" });
});

test("probes older than ninety seconds confirm no hang: it may have answered since", () => {
  const e = silentFor(120_000);
  const now = later(215_000);
  const process = { at: now, reading: processReading({ acceptQueue: 2 }) };
  assert.deepEqual(answerTo("hang", { ...e, process }, now), { answer: "blind" });
  assert.deepEqual(answerTo("hang", { ...e, probe: undefined }, later(120_000)), { answer: "blind" });
});

// Memory.

const trend = (partial: Partial<Trend>): Trend => ({ ...freshTrend(minutes(1)), ...partial });

for (const [verdict, answer] of [
  ["warming", "no"],
  ["steady", "no"],
  ["suspect", "not_yet"],
  ["leaking", "yes"],
] as const) {
  test(`a trend that is ${verdict} answers ${answer} to a leak`, () => {
    const e = evidence({ trend: trend({ verdict, growthBytesPerSecond: 16_000 }) });
    assert.deepEqual(answerTo("memory_leak", e), { answer });
    assert.match(confirm("memory_leak", e, noon, policy).saw, /57600000 bytes per hour/);
  });
}

const holding = (bytes: number | undefined): Evidence["process"] => ({
  at: noon,
  reading: processReading({
    tree: { residentBytes: bytes, swappedBytes: undefined, processes: 1, zombies: 0 },
  }),
});

test("a leak is not confirmed by a verdict whose readings have ended", () => {
  const e = evidence({ process: holding(undefined), trend: trend({ verdict: "leaking" }) });
  assert.deepEqual(answerTo("memory_leak", e), { answer: "blind" });
});

const full = 1900 * mib;
const own = { bytes: 2 * gib, source: "cgroup" } as const;
const host = { bytes: 2 * gib, source: "host" } as const;

for (const { name, e, answer } of [
  {
    name: "below the critical share",
    e: { process: holding(1740 * mib), trend: trend({ nearLimit: true }) },
    answer: "no",
  },
  {
    name: "at the critical share for a moment",
    e: { process: holding(full), trend: trend({}) },
    answer: "not_yet",
  },
  {
    name: "at the critical share and held there",
    e: { process: holding(full), trend: trend({ nearLimit: true }) },
    answer: "yes",
  },
  {
    name: "held on a host that somebody else has filled",
    e: { process: holding(full), limit: host, trend: trend({ nearLimit: true, verdict: "steady" }) },
    answer: "not_yet",
  },
  {
    name: "held on a small host and suspected to grow",
    e: { process: holding(full), limit: host, trend: trend({ nearLimit: true, verdict: "suspect" }) },
    answer: "yes",
  },
  {
    name: "held on a small host and leaking",
    e: { process: holding(full), limit: host, trend: trend({ nearLimit: true, verdict: "leaking" }) },
    answer: "yes",
  },
  {
    name: "leaking on a small host but not held",
    e: { process: holding(full), limit: host, trend: trend({ verdict: "leaking" }) },
    answer: "not_yet",
  },
  {
    name: "of unknown size",
    e: { process: holding(undefined), trend: trend({ nearLimit: true }) },
    answer: "blind",
  },
  {
    name: "without a known limit",
    e: { process: holding(full), limit: undefined, trend: trend({ nearLimit: true }) },
    answer: "blind",
  },
] satisfies { name: string; e: Partial<Evidence>; answer: Answer }[]) {
  test(`memory ${name}: ${answer} to exhaustion`, () => {
    assert.deepEqual(answerTo("memory_exhaustion", evidence({ limit: own, ...e })), { answer });
  });
}

// Descriptors.

const descriptors = (openFds: number | undefined, maxFds: number | undefined, since?: Instant): Evidence =>
  evidence({
    process: { at: noon, reading: processReading({ openFds, maxFds }) },
    descriptorsHighSince: since,
  });

test("a small limit decides, not a large number: 256 of 256 is full, 16000 of 65536 is not (D01)", () => {
  assert.deepEqual(answerTo("descriptors", descriptors(256, 256, later(-30_000))), { answer: "yes" });
  assert.deepEqual(answerTo("descriptors", descriptors(16_000, 65_536, later(-30_000))), { answer: "no" });
});

test("descriptors must stay high for thirty seconds", () => {
  assert.deepEqual(answerTo("descriptors", descriptors(900, 1024)), { answer: "not_yet", until: 30_000 });
  assert.deepEqual(answerTo("descriptors", descriptors(900, 1024, later(-29_000))), {
    answer: "not_yet",
    until: 1_000,
  });
  assert.deepEqual(answerTo("descriptors", descriptors(900, 1024, later(-30_000))), { answer: "yes" });
});

test("descriptors that cannot be read are unknown, not few", () => {
  assert.deepEqual(answerTo("descriptors", descriptors(undefined, 1024)), { answer: "blind" });
  assert.deepEqual(answerTo("descriptors", descriptors(900, undefined)), { answer: "blind" });
});

test("an answer comes with what was seen, for the record", () => {
  assert.match(
    confirm("hang", silentFor(90_000), later(90_000), policy).saw,
    /deadlocked, silent for 90000 ms, 19 probes/,
  );
  assert.match(confirm("descriptors", descriptors(900, 1024), noon, policy).saw, /900 of 1024/);
  assert.match(confirm("down", goneFor(10_000), later(10_000), policy).saw, /no process for 10000 ms/);
  assert.match(
    confirm("hang", evidence({ probe: { at: noon, reading: probeReading() } }), noon, policy).saw,
    /^alive/,
  );
});
