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

test("each family is described once, whatever the number of gateways", async () => {
  const { text, dropped } = await render(catalogue, [
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

test("a family without a sample is absent: unknown is not 0", async () => {
  const { text } = await render(catalogue, [{ labels: { gateway: "a" }, samples: [] }]);
  assert.equal(text.trim(), "");
});

test("samples of the host carry no gateway", async () => {
  const { text } = await render(catalogue, [{ labels: {}, samples: [up(1)] }]);
  assert.match(text, /^openclaw_gateway_up 1$/m);
});

test("two scrapes do not mix: a counter is what it is now, not the sum", async () => {
  const sources = [{ labels: { gateway: "a" }, samples: [cpu(7)] }];
  await render(catalogue, sources);
  const { text } = await render(catalogue, sources);
  assert.match(text, /^openclaw_gateway_cpu_seconds_total\{gateway="a"\} 7$/m);
});

test("a gateway with too many series loses those beyond the limit, and no other gateway loses any", async () => {
  const flood = Array.from({ length: seriesLimit + 25 }, (_, n) => work(`kind-${n}`));
  const { text, dropped } = await render(catalogue, [
    { labels: { gateway: "flooded" }, samples: [up(1), ...flood] },
    { labels: { gateway: "calm" }, samples: [up(1), work("chat")] },
  ]);
  assert.equal(dropped, 26);
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  assert.equal(lines.filter((line) => line.includes('gateway="flooded"')).length, seriesLimit);
  assert.equal(lines.filter((line) => line.includes('gateway="calm"')).length, 2);
});

test("a number that no series can have is dropped and counted, and hides nothing else", async () => {
  const { text, dropped } = await render(catalogue, [
    { labels: { gateway: "a" }, samples: [cpu(Number.NaN), cpu(-1), up(Number.POSITIVE_INFINITY)] },
    { labels: { gateway: "b" }, samples: [cpu(3), up(1)] },
  ]);
  assert.equal(dropped, 3);
  assert.match(text, /openclaw_gateway_cpu_seconds_total\{gateway="b"\} 3/);
  assert.doesNotMatch(text, /gateway="a"/);
});

test("label values are escaped, so that nothing can forge a line", async () => {
  const evil = 'a"} 1\nopenclaw_gateway_up{gateway="forged';
  const { text } = await render(catalogue, [{ labels: { gateway: "a" }, samples: [work(evil)] }]);
  assert.equal(text.split("\n").filter((line) => line.startsWith("openclaw_gateway_up")).length, 0);
  assert.ok(text.includes(String.raw`kind="a\"} 1\nopenclaw_gateway_up{gateway=\"forged"`));
});

test("a sample that no file has declared is a mistake of ours and says so", async () => {
  await assert.rejects(
    render(catalogue, [{ labels: {}, samples: [{ name: "openclaw_gateway_ghost", value: 1 }] }]),
    /openclaw_gateway_ghost: not in the catalogue/,
  );
});

const up = (value: number): Sample => ({ name: "openclaw_gateway_up", value });
const cpu = (value: number): Sample => ({ name: "openclaw_gateway_cpu_seconds_total", value });
const work = (kind: string): Sample => ({ name: "openclaw_gateway_work_active", value: 1, labels: { kind } });
