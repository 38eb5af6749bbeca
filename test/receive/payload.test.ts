// What is read from a payload, what is ignored, and what can never be valid?
import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePayload } from "../../src/receive/payload.ts";
import { body, changed, knows } from "./support.ts";

const read = (payload: unknown) => {
  const parsed = parsePayload(payload, knows);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed;
};
const problem = (payload: unknown) => {
  const parsed = parsePayload(payload, knows);
  assert.ok(!parsed.ok, JSON.stringify(parsed));
  return parsed;
};
const hang = {
  fingerprint: "b99e75c032086550",
  startsAt: Date.UTC(2026, 10, 20, 6, 12, 8, 417),
  status: "firing",
  name: "OpenClawGatewayNotResponding",
  gateway: "main",
  cause: "hang",
  urgency: "now",
};
const leak = {
  fingerprint: "0f3c9a7be1d24586",
  startsAt: Date.UTC(2026, 10, 20, 5, 40, 23, 417),
  status: "firing",
  name: "OpenClawGatewayMemoryGrowing",
  gateway: "main",
  cause: "memory_leak",
  urgency: "scheduled",
};

test("a firing alert becomes what the core speaks of", () => {
  const expected = { ok: true, alerts: [hang], ignored: [], heartbeat: false, truncated: 0 };
  assert.deepEqual(read(JSON.parse(body("firing"))), expected);
});

test("a payload with fields of newer versions reads the same", () => {
  assert.deepEqual(read(JSON.parse(body("newer-fields"))), read(JSON.parse(body("firing"))));
});

test("the status of each alert counts, not that of the payload", () => {
  const parsed = read(JSON.parse(body("mixed")));
  assert.deepEqual(parsed.alerts.slice(0, 2), [{ ...hang, status: "resolved" }, leak]);
  assert.equal(parsed.alerts[2]?.gateway, "other");
  assert.equal(parsed.alerts[2]?.startsAt, Date.UTC(2026, 10, 20, 5, 11, 58, 1), "an offset is a time too");
  assert.deepEqual(read(JSON.parse(body("resolved"))).alerts, [{ ...hang, status: "resolved" }]);
});

test("alerts that were left out are reported as a number", () => {
  assert.equal(read(JSON.parse(body("truncated"))).truncated, 7);
});

test("the dead man's switch is a heartbeat and nothing else, and only while it fires", () => {
  const text = body("watchdog");
  assert.deepEqual(read(JSON.parse(text)), {
    ok: true,
    alerts: [],
    ignored: [],
    heartbeat: true,
    truncated: 0,
  });
  assert.equal(read(JSON.parse(text.replaceAll('"firing"', '"resolved"'))).heartbeat, false);
  const posing = changed({ labels: { alertname: "OpenClawWatchdog" } });
  assert.deepEqual(read(posing).alerts, [], "not even with a remedy");
});

test("what is valid but not ours is ignored, with the reason and the names of its labels", () => {
  const parsed = read(JSON.parse(body("foreign")));
  assert.deepEqual(parsed.alerts, []);
  assert.deepEqual(
    parsed.ignored.map((one) => one.why),
    ["no_remedy", "unknown_gateway", "unknown_cause", "unknown_urgency", "no_remedy"],
  );
  assert.ok(parsed.ignored[1]?.labelNames.includes("gateway"));
  assert.doesNotMatch(JSON.stringify(parsed.ignored), /somebody-elses|rm -rf/);
});

test("names that every object has are no gateways and no causes", () => {
  for (const word of ["constructor", "toString", "hasOwnProperty", ""]) {
    assert.equal(read(changed({ labels: { gateway: word } })).ignored[0]?.why, "unknown_gateway");
    assert.equal(read(changed({ labels: { cause: word } })).ignored[0]?.why, "unknown_cause");
    assert.equal(read(changed({ labels: { urgency: word } })).ignored[0]?.why, "unknown_urgency");
  }
});

const urgencies: readonly (readonly [cause: string, label: string | undefined, urgency: string])[] = [
  ["hang", undefined, "now"],
  ["hang", "soon", "soon"],
  ["hang", "scheduled", "scheduled"],
  ["descriptors", "now", "soon"],
  ["memory_leak", "now", "scheduled"],
  ["memory_leak", "soon", "scheduled"],
];
for (const [cause, urgency, expected] of urgencies) {
  test(`${cause} labelled ${urgency ?? "with no urgency"} is ${expected}: a label lowers and never raises`, () => {
    const labels = { alertname: "OpenClawGatewayNotResponding", remedy: "restart", gateway: "main" };
    const payload = changed({
      alert: { labels: { ...labels, cause, ...(urgency === undefined ? {} : { urgency }) } },
    });
    assert.equal(read(payload).alerts[0]?.urgency, expected);
  });
}

test("an alert without a name is still an alert", () => {
  const labels = { remedy: "restart", gateway: "main", cause: "down" };
  assert.equal(read(changed({ alert: { labels } })).alerts[0]?.name, "");
});

test("an empty list is valid and says nothing", () => {
  assert.deepEqual(read({ version: "4", alerts: [] }).alerts, []);
});

test("two spellings of one fingerprint are one", () => {
  assert.equal(
    read(changed({ alert: { fingerprint: "B99E75C032086550" } })).alerts[0]?.fingerprint,
    hang.fingerprint,
  );
});

test("label names in what is ignored are few and short", () => {
  const labels = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`${n}${"x".repeat(100)}`, ""]));
  const [ignored] = read(changed({ alert: { labels } })).ignored;
  assert.equal(ignored?.labelNames.length, 32);
  assert.ok(ignored.labelNames.every((name) => name.length <= 64));
});

const malformed: readonly (readonly [what: string, payload: unknown, field: string])[] = [
  ["nothing", undefined, ""],
  ["null", null, ""],
  ["a text", "firing", ""],
  ["a list", [], ""],
  ["no alerts", { version: "4" }, "alerts"],
  ["alerts that are no list", changed({ payload: { alerts: {} } }), "alerts"],
  ["a negative count of truncated alerts", changed({ payload: { truncatedAlerts: -1 } }), "truncatedAlerts"],
  ["an alert that is no object", { version: "4", alerts: [null] }, "alerts[0]"],
  ["an unknown status", changed({ alert: { status: "sleeping" } }), "alerts[0].status"],
  ["no fingerprint", changed({ alert: { fingerprint: undefined } }), "alerts[0].fingerprint"],
  ["an empty fingerprint", changed({ alert: { fingerprint: "" } }), "alerts[0].fingerprint"],
  ["a fingerprint that is none", changed({ alert: { fingerprint: "../../etc" } }), "alerts[0].fingerprint"],
  ["a long fingerprint", changed({ alert: { fingerprint: "a".repeat(65) } }), "alerts[0].fingerprint"],
  ["no start", changed({ alert: { startsAt: undefined } }), "alerts[0].startsAt"],
  ["the zero start", changed({ alert: { startsAt: "0001-01-01T00:00:00Z" } }), "alerts[0].startsAt"],
  ["a start in numbers", changed({ alert: { startsAt: 1795000000 } }), "alerts[0].startsAt"],
  ["a start without a zone", changed({ alert: { startsAt: "2026-11-20T06:12:08" } }), "alerts[0].startsAt"],
  ["a day that never was", changed({ alert: { startsAt: "2026-02-30T06:12:08Z" } }), "alerts[0].startsAt"],
  ["no labels", changed({ alert: { labels: undefined } }), "alerts[0].labels"],
  ["a numeric label", changed({ labels: { gateway: 7 } }), "alerts[0].labels.gateway"],
  ["a numeric label that we do not read", changed({ labels: { secretname: 7 } }), "alerts[0].labels"],
  ["a null label", changed({ labels: { cause: null } }), "alerts[0].labels.cause"],
  [
    "a long label that we read",
    changed({ labels: { gateway: "m".repeat(1025) } }),
    "alerts[0].labels.gateway",
  ],
];
for (const [what, payload, field] of malformed) {
  test(`${what} is malformed, and the answer names the field`, () => {
    const found = problem(payload);
    assert.equal(found.reason, "malformed");
    assert.equal(found.field, field);
    assert.match(found.fix, /unchanged/);
    assert.doesNotMatch(
      JSON.stringify(found),
      /sleeping|etc|secretname|mmm/,
      "nothing of the payload comes back",
    );
  });
}

test("long values of labels that we do not read are no concern of ours", () => {
  assert.equal(
    read(changed({ labels: { pod: "p".repeat(5000), gateway: "m".repeat(1024) } })).ignored.length,
    1,
  );
});

for (const version of [undefined, null, 4, "3", "5", "4.0", ""]) {
  test(`version ${JSON.stringify(version)} is refused by name`, () => {
    const found = problem(changed({ payload: { version } }));
    assert.equal(found.reason, "unsupported_version");
    assert.equal(found.field, "version");
    assert.match(found.fix, /version is the text "4"/);
  });
}

test("a thousand alerts are read and one more is too many, whatever is inside", () => {
  const [alert]: object[] = JSON.parse(body("firing")).alerts;
  assert.equal(read({ version: "4", alerts: Array(1000).fill(alert) }).alerts.length, 1000);
  const found = problem({ version: "4", alerts: Array(1001).fill(null) });
  assert.equal(found.reason, "too_many_alerts");
  assert.equal(found.field, "alerts");
  assert.match(found.fix, /max_alerts/);
});
