// Is every series of the guard itself there from the start, so that a rate sees the first failure?
import assert from "node:assert/strict";
import { test } from "node:test";
import { causes } from "../../src/core/cause.ts";
import { outcomes, verdicts } from "../../src/core/history.ts";
import { modes } from "../../src/core/mode.ts";
import { refusals } from "../../src/core/refusal.ts";
import { instant, seconds } from "../../src/core/time.ts";
import {
  ownCounters,
  ownMetrics,
  phases,
  stateMetrics,
  stateSamples,
  trackSamples,
} from "../../src/expose/own.ts";
import { noon } from "../core/support.ts";

const given = {
  gateways: [
    { name: "a", action: "systemd" },
    { name: "b", action: "none" },
  ],
  version: "1.2.3",
  nodeVersion: "v24.0.0",
  webhookFailures: ["unauthorized", "full"],
  alertResults: ["accepted", "ignored"],
};

test("every known combination of labels stands at zero before anything has happened", async () => {
  const lines = seriesOf(await ownCounters(given).render());
  for (const gateway of ["a", "b"]) {
    for (const decision of ["restart", ...refusals])
      assert.equal(
        lines.get(`openclaw_guard_decisions_total{gateway="${gateway}",decision="${decision}"}`),
        0,
      );
    for (const outcome of outcomes)
      assert.equal(lines.get(`openclaw_guard_episodes_total{gateway="${gateway}",outcome="${outcome}"}`), 0);
  }
  for (const cause of causes)
    for (const verdict of verdicts)
      assert.equal(
        lines.get(
          `openclaw_guard_restarts_total{gateway="a",cause="${cause}",action="systemd",verdict="${verdict}"}`,
        ),
        0,
      );
  for (const phase of phases)
    assert.equal(lines.get(`openclaw_guard_phase_seconds_count{phase="${phase}"}`), 0);
  for (const reason of given.webhookFailures)
    assert.equal(lines.get(`openclaw_guard_webhook_failures_total{reason="${reason}"}`), 0);
  for (const result of given.alertResults)
    assert.equal(lines.get(`openclaw_guard_alerts_total{result="${result}"}`), 0);
  for (const name of ["webhook_requests", "journal_errors", "series_dropped"])
    assert.equal(lines.get(`openclaw_guard_${name}_total`), 0);
  assert.equal(lines.get('openclaw_guard_build_info{version="1.2.3",nodeversion="v24.0.0"}'), 1);
});

test("a heartbeat that never came is absent, not at the beginning of time", async () => {
  const own = ownCounters(given);
  assert.doesNotMatch(await own.render(), /heartbeat_timestamp_seconds/);
  own.heartbeat(instant(1_700_000_000_000));
  own.heartbeat(instant(1_700_000_060_000));
  assert.equal(seriesOf(await own.render()).get("openclaw_guard_heartbeat_timestamp_seconds"), 1_700_000_060);
});

test("entries of the journal are counted as what they are", async () => {
  const own = ownCounters(given);
  const about = { gateway: "a", episode: "e1", at: noon } as const;
  own.entry({
    ...about,
    kind: "decided",
    decision: "busy",
    cause: "descriptors",
    saw: {},
    wouldHave: undefined,
  });
  own.entry({
    ...about,
    kind: "verified",
    attempt: 1,
    cause: "hang",
    action: "systemd",
    verdict: "recovered",
    saw: {},
  });
  own.entry({ ...about, kind: "ended", outcome: "recovered", why: "" });
  own.phase("act", 3);
  own.journalError();
  own.dropped(5);
  const lines = seriesOf(await own.render());
  assert.deepEqual(
    [...lines].filter(([name, value]) => value !== 0 && !/_bucket|_sum|build_info/.test(name)),
    [
      ['openclaw_guard_decisions_total{gateway="a",decision="busy"}', 1],
      ['openclaw_guard_episodes_total{gateway="a",outcome="recovered"}', 1],
      ['openclaw_guard_restarts_total{gateway="a",cause="hang",action="systemd",verdict="recovered"}', 1],
      ['openclaw_guard_phase_seconds_count{phase="act"}', 1],
      ["openclaw_guard_journal_errors_total", 1],
      ["openclaw_guard_series_dropped_total", 5],
    ],
  );
});

test("the state of a gateway fills every closed set, with exactly one holding", () => {
  const samples = stateSamples(
    {
      mode: "observe",
      downgraded: ["no_supervisor"],
      paused: true,
      gaveUp: false,
      blockedBy: "observing",
      episodeRunning: true,
      budgetLeft: 2,
      cooldownSeconds: 0,
    },
    ["no_supervisor", "another_guard"],
  );
  const of = (name: string) => samples.filter((each) => each.name === name);
  assert.equal(of("openclaw_guard_mode").length, modes.length);
  assert.equal(of("openclaw_guard_restart_blocked").length, refusals.length);
  for (const name of [
    "openclaw_guard_mode",
    "openclaw_guard_restart_blocked",
    "openclaw_guard_mode_downgraded",
  ])
    assert.equal(
      of(name).reduce((sum, { value }) => sum + value, 0),
      1,
      name,
    );
  const declared = new Set(stateMetrics.map(({ name }) => name));
  for (const { name } of samples) assert.ok(declared.has(name), name);
});

test("a collector that has not read yet says nothing, one that failed says when it last did not", () => {
  const never = { collector: "probe", success: undefined, duration: undefined, lastSuccessAt: undefined };
  assert.deepEqual(trackSamples(never), []);
  const failed = { collector: "probe", success: false, duration: seconds(2), lastSuccessAt: noon };
  assert.deepEqual(
    trackSamples(failed).map(({ name, value }) => [name.replace("openclaw_guard_collector_", ""), value]),
    [
      ["success", 0],
      ["duration_seconds", 2],
      ["last_success_timestamp_seconds", noon / 1000],
    ],
  );
});

test("every name ends as its type and unit demand", () => {
  for (const { name, type } of [...ownMetrics, ...stateMetrics]) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_(ms|milliseconds|mb|percent)(_|$)/, name);
  }
});

/** Each series of an exposition with its value. */
function seriesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}
