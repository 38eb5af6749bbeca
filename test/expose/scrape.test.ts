// Is a scrape complete, bounded and honest about what it left out?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricSpec, Sample } from "../../src/core/sample.ts";
import { render, seriesLimit } from "../../src/expose/scrape.ts";

const catalogue: readonly MetricSpec[] = [
  { name: "openclaw_gateway_up", type: "gauge", help: "Up." },
  { name: "openclaw_gateway_cpu_seconds_total", type: "counter", help: "CPU." },
  { name: "openclaw_gateway_work_active", type: "gauge", help: "Work.", labels: ["kind"] },
];

test("each family is described once, whatever the number of gateways", () => {
  const { text, dropped } = render(catalogue, [
    { labels: { gateway: "a" }, samples: [up(1)] },
    { labels: { gateway: "b" }, samples: [up(0)] },
  ]);
  assert.equal(dropped, 0);
  assert.deepEqual(text.trim().split("\n"), [
    "# HELP openclaw_gateway_up Up.",
    "# TYPE openclaw_gateway_up gauge",
    'openclaw_gateway_up{gateway="a"} 1',
    'openclaw_gateway_up{gateway="b"} 0',
  ]);
});

test("a family without a sample is absent: unknown is not 0", () => {
  const { text } = render(catalogue, [{ labels: { gateway: "a" }, samples: [] }]);
  assert.equal(text.trim(), "");
});

test("samples of the host carry no gateway", () => {
  const { text } = render(catalogue, [{ labels: {}, samples: [up(1)] }]);
  assert.match(text, /^openclaw_gateway_up 1$/m);
});

test("two scrapes do not mix: a counter is what it is now, not the sum", () => {
  const sources = [{ labels: { gateway: "a" }, samples: [cpu(7)] }];
  render(catalogue, sources);
  const { text } = render(catalogue, sources);
  assert.match(text, /^openclaw_gateway_cpu_seconds_total\{gateway="a"\} 7$/m);
});

test("a gateway with too many series loses those beyond the limit, and no other gateway loses any", () => {
  const flood = Array.from({ length: seriesLimit + 25 }, (_, n) => work(`kind-${n}`));
  const { text, dropped } = render(catalogue, [
    { labels: { gateway: "flooded" }, samples: [up(1), ...flood] },
    { labels: { gateway: "calm" }, samples: [up(1), work("chat")] },
  ]);
  assert.equal(dropped, 26);
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  assert.equal(lines.filter((line) => line.includes('gateway="flooded"')).length, seriesLimit);
  assert.equal(lines.filter((line) => line.includes('gateway="calm"')).length, 2);
});

test("the same series twice is one line, since Prometheus refuses a scrape with two", () => {
  const { text } = render(catalogue, [{ labels: { gateway: "a" }, samples: [up(0), up(1)] }]);
  assert.deepEqual(
    text.split("\n").filter((line) => line.startsWith("openclaw_gateway_up")),
    ['openclaw_gateway_up{gateway="a"} 1'],
  );
});

test("text of ours that stands above a family cannot begin a line of its own", () => {
  const { text } = render(
    [{ name: "openclaw_gateway_up", type: "gauge", help: "One\nopenclaw_gateway_up 1 and a \\." }],
    [{ labels: {}, samples: [up(0)] }],
  );
  assert.equal(
    text.split("\n")[0],
    String.raw`# HELP openclaw_gateway_up One\nopenclaw_gateway_up 1 and a \\.`,
  );
});

test("a number that no series can have is dropped and counted, and hides nothing else", () => {
  const { text, dropped } = render(catalogue, [
    { labels: { gateway: "a" }, samples: [cpu(Number.NaN), cpu(-1), up(Number.POSITIVE_INFINITY)] },
    { labels: { gateway: "b" }, samples: [cpu(3), up(1)] },
  ]);
  assert.equal(dropped, 3);
  assert.match(text, /openclaw_gateway_cpu_seconds_total\{gateway="b"\} 3/);
  assert.doesNotMatch(text, /gateway="a"/);
});

test("label values are escaped, so that nothing can forge a line", () => {
  const evil = 'a"} 1\nopenclaw_gateway_up{gateway="forged';
  const { text } = render(catalogue, [{ labels: { gateway: "a" }, samples: [work(evil)] }]);
  assert.equal(text.split("\n").filter((line) => line.startsWith("openclaw_gateway_up")).length, 0);
  assert.ok(text.includes(String.raw`kind="a\"} 1\nopenclaw_gateway_up{gateway=\"forged"`));
});

test("a sample that no file has declared is a mistake of ours and says so", () => {
  const of = (sample: Sample) => () => render(catalogue, [{ labels: {}, samples: [sample] }]);
  assert.throws(
    of({ name: "openclaw_gateway_ghost", value: 1 }),
    /openclaw_gateway_ghost: not in the catalogue/,
  );
  assert.throws(
    of({ name: "openclaw_gateway_up", value: 1, labels: { user: "ada" } }),
    /openclaw_gateway_up: the label user is not declared/,
  );
});

const up = (value: number): Sample => ({ name: "openclaw_gateway_up", value });
const cpu = (value: number): Sample => ({ name: "openclaw_gateway_cpu_seconds_total", value });
const work = (kind: string): Sample => ({ name: "openclaw_gateway_work_active", value: 1, labels: { kind } });
