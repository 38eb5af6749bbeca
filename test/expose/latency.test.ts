// Does the histogram of the guard's probes count what was answered where it belongs, and what was not above every bound?
import assert from "node:assert/strict";
import { test } from "node:test";
import { latencyMetrics, probeLatencies } from "../../src/expose/latency.ts";

const name = "openclaw_gateway_probe_latency_seconds";

test("without a gateway there is no family, and with one its HTTP probes begin at zero", () => {
  const latencies = probeLatencies();
  assert.equal(latencies.render(), "");
  latencies.begin("main");
  const text = latencies.render();
  assert.match(text, new RegExp(`^# HELP ${name} [A-Z].*\\.\n# TYPE ${name} histogram\n`));
  for (const probe of ["healthz", "startupz", "readyz"])
    assert.equal(valueOf(text, "count", `gateway="main",probe="${probe}"`), 0);
  assert.ok(!text.includes('probe="rpc"'), "a gateway without a token has no RPC probe");
  assert.equal(latencyMetrics.length, 1);
});

test("an answer counts in every bucket that is not below it", () => {
  const latencies = probeLatencies();
  for (const seconds of [0.001, 0.005, 0.3, 7]) latencies.observe("main", "healthz", seconds, true);
  const text = latencies.render();
  const at = (le: string) => valueOf(text, "bucket", `gateway="main",probe="healthz",le="${le}"`);
  assert.deepEqual(
    ["0.005", "0.02", "0.05", "0.1", "0.5", "1", "2", "5", "+Inf"].map(at),
    [2, 2, 2, 2, 3, 3, 3, 3, 4],
  );
  assert.equal(valueOf(text, "count", 'gateway="main",probe="healthz"'), 4);
  assert.equal(valueOf(text, "sum", 'gateway="main",probe="healthz"'), 7.306);
});

test("a probe that was given up counts above every bound, since nobody knows how long it would have taken", () => {
  const latencies = probeLatencies();
  latencies.observe("main", "rpc", 2, false);
  latencies.observe("main", "rpc", 0.01, true);
  const text = latencies.render();
  assert.equal(valueOf(text, "bucket", 'gateway="main",probe="rpc",le="5"'), 1);
  assert.equal(valueOf(text, "bucket", 'gateway="main",probe="rpc",le="+Inf"'), 2);
  assert.equal(valueOf(text, "sum", 'gateway="main",probe="rpc"'), 2.01);
});

test("counts outlive renderings and a second beginning, and go with their gateway", () => {
  const latencies = probeLatencies();
  latencies.begin("one");
  latencies.observe("one", "healthz", 0.01, true);
  latencies.observe("two", "healthz", 0.01, true);
  latencies.begin("one");
  assert.equal(latencies.render(), latencies.render());
  assert.equal(valueOf(latencies.render(), "count", 'gateway="one",probe="healthz"'), 1);
  latencies.forget("one");
  assert.ok(!latencies.render().includes('"one"'));
  assert.equal(valueOf(latencies.render(), "count", 'gateway="two",probe="healthz"'), 1);
});

test("a name with quotes and line ends cannot break the exposition", () => {
  const latencies = probeLatencies();
  latencies.observe('a"b\\c\nd', "healthz", 0.01, true);
  const text = latencies.render();
  assert.ok(text.includes('gateway="a\\"b\\\\c\\nd"'));
  assert.ok(text.split("\n").every((line) => line === "" || line.startsWith("#") || / \S+$/.test(line)));
});

function valueOf(text: string, part: string, labels: string): number | undefined {
  const start = `${name}_${part}{${labels}} `;
  const line = text.split("\n").find((each) => each.startsWith(start));
  return line === undefined ? undefined : Number(line.slice(start.length));
}
