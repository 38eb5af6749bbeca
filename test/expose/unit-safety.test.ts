// Do the series of a unit say which setting makes a restart of it unsafe, and nothing where nothing is known?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { SupervisorReading } from "../../src/core/readings.ts";
import { ms, seconds } from "../../src/core/time.ts";
import { unitMetrics, unitReasons, unitSamples } from "../../src/expose/unit-safety.ts";
import { parseShow, readingOf } from "../../src/remedy/unit.ts";
import { findingsOf } from "../../src/remedy/unit-findings.ts";

/** The unit that the gateway writes for itself, as `systemctl show` prints it. */
const generated = `LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
TimeoutStopUSec=5min 30s
KillMode=mixed
Restart=always
RestartUSec=5s
StartLimitIntervalUSec=5min
StartLimitBurst=10`;

/** The series of a unit that systemd shows so. */
function seriesOf(text: string): Readonly<Record<string, number>> {
  const shown = parseShow(text);
  const about = { unit: "openclaw-gateway.service", user: true, drain: seconds(330) };
  return seriesFor(
    readingOf(shown),
    findingsOf(shown, about).map(({ reason }) => reason),
  );
}

function seriesFor(reading: SupervisorReading | undefined, found: readonly string[]) {
  const of: Record<string, number> = {};
  for (const { name, labels, value } of unitSamples({ reading, found }))
    of[[name.replace("openclaw_gateway_unit_", ""), ...Object.values(labels ?? {})].join(" ")] = value;
  return of;
}

const unsafeIn = (series: Readonly<Record<string, number>>) =>
  unitReasons.filter((reason) => series[`safe ${reason}`] === 0);

suite("a unit", () => {
  test("as the gateway writes it is safe in every respect, with its settings as series", () =>
    assert.deepEqual(seriesOf(generated), {
      "safe stop_timeout_short": 1,
      "safe kill_mode": 1,
      "safe start_limit": 1,
      "safe unit_disabled": 1,
      "safe unit_missing": 1,
      stop_timeout_seconds: 330,
      "kill_mode control-group": 0,
      "kill_mode mixed": 1,
      "kill_mode process": 0,
      "kill_mode none": 0,
      start_limit_burst: 10,
      start_limit_interval_seconds: 300,
    }));

  for (const [says, from, to, unsafe] of [
    ["that stops in 90 s", "TimeoutStopUSec=5min 30s", "TimeoutStopUSec=1min 30s", "stop_timeout_short"],
    ["that kills its whole group", "KillMode=mixed", "KillMode=control-group", "kill_mode"],
    ["that may start once", "StartLimitBurst=10", "StartLimitBurst=1", "start_limit"],
    ["that is disabled", "UnitFileState=enabled", "UnitFileState=disabled", "unit_disabled"],
  ] as const)
    test(`${says} is unsafe for that reason alone`, () =>
      assert.deepEqual(unsafeIn(seriesOf(generated.replace(from, to))), [unsafe]));

  for (const [says, from, to] of [
    ["as often as it is asked", "StartLimitBurst=10", "StartLimitBurst=0"],
    ["without counting", "StartLimitIntervalUSec=5min", "StartLimitIntervalUSec=0"],
    ["three times, as the guard may need", "StartLimitBurst=10", "StartLimitBurst=3"],
  ] as const)
    test(`that may start ${says} is safe`, () =>
      assert.deepEqual(unsafeIn(seriesOf(generated.replace(from, to))), []));

  test("that waits for ever for the end has no time to show, and is safe", () => {
    const series = seriesOf(generated.replace("5min 30s", "infinity"));
    assert.equal(series["stop_timeout_seconds"], undefined);
    assert.deepEqual(unsafeIn(series), []);
  });

  test("of a systemd that does not tell its start limit is not said to be safe in it", () => {
    const series = seriesOf(generated.replaceAll(/StartLimit.*\n?/g, ""));
    assert.equal(series["safe start_limit"], undefined);
    assert.equal(series["start_limit_burst"], undefined);
  });

  test("that does not exist says that and no more", () =>
    assert.deepEqual(seriesOf("LoadState=not-found\nKillMode=control-group\nTimeoutStopUSec=1min 30s"), {
      "safe unit_missing": 0,
    }));

  test("of which nothing is known has no series", () => {
    const silent = { ...readingOf(parseShow("")), reachable: false, stopTimeout: ms(90_000) };
    assert.deepEqual(seriesFor(silent, ["supervisor_unreachable"]), {});
    assert.deepEqual(seriesFor(undefined, []), {});
  });
});

test("every family is declared", () => {
  const declared = unitMetrics.map(({ name }) => name);
  const seen = unitSamples({ reading: readingOf(parseShow(generated)), found: [] }).map(({ name }) => name);
  assert.deepEqual([...new Set(seen)].sort(), declared.toSorted());
});
