// What does bad input do to a running guard? It gets a clear answer, is counted, and changes nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startStandIn, until } from "../support/gateway.ts";
import { controlToken, folder, type Guard, journalOf, payload, settingsIn, startGuard } from "./support.ts";

const bad: readonly {
  readonly what: string;
  readonly body: string | object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly reason: string;
}[] = [
  { what: "malformed JSON", body: '{"version":"4","alerts":[', status: 400, reason: "malformed" },
  { what: "an empty body", body: "", status: 400, reason: "malformed" },
  { what: "a list", body: "[]", status: 400, reason: "malformed" },
  {
    what: "text instead of JSON",
    body: "restart now",
    headers: { "content-type": "text/plain" },
    status: 415,
    reason: "malformed",
  },
  {
    what: "a numeric label",
    body: payload("hang", {}, { labels: { remedy: "restart", gateway: 7 } }),
    status: 400,
    reason: "malformed",
  },
  {
    what: "an older version",
    body: { ...payload("hang"), version: "3" },
    status: 400,
    reason: "unsupported_version",
  },
  {
    what: "a version that is a number",
    body: { ...payload("hang"), version: 4 },
    status: 400,
    reason: "unsupported_version",
  },
  {
    what: "a wrong token",
    body: payload("hang"),
    headers: { authorization: "Bearer guessed" },
    status: 401,
    reason: "unauthorized",
  },
  {
    what: "an empty token",
    body: payload("hang"),
    headers: { authorization: "Bearer " },
    status: 401,
    reason: "unauthorized",
  },
  {
    what: "the token in another scheme",
    body: payload("hang"),
    headers: { authorization: `Basic ${controlToken}` },
    status: 401,
    reason: "unauthorized",
  },
  {
    what: "a body of a megabyte",
    body: { ...payload("hang"), padding: "x".repeat(2 ** 20) },
    status: 413,
    reason: "too_large",
  },
  {
    what: "ten thousand alerts",
    body: { version: "4", alerts: Array.from({ length: 10_000 }, () => 1) },
    status: 422,
    reason: "too_many_alerts",
  },
  {
    what: "ten thousand alerts of full size",
    body: { version: "4", alerts: Array.from({ length: 10_000 }, () => payload("hang").alerts[0]) },
    status: 413,
    reason: "too_large",
  },
];

test("whatever cannot be valid is refused and counted, and nothing changes", async (t) => {
  await using gateway = await startStandIn();
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [{ name: "main", url: gateway.url }]));
  await until(
    "the first look",
    async () => (await guard.series('openclaw_gateway_up{gateway="main"}')) === 1,
  );
  for (const { what, body, headers, status, reason } of bad) {
    await t.test(`${what}: ${status}, counted as ${reason}`, async () => {
      const series = `openclaw_guard_webhook_failures_total{reason="${reason}"}`;
      const before = await counts(guard, series);
      const answer = await guard.post(body, headers);
      assert.equal(answer.status, status);
      const said: { error: string; fix: string } = JSON.parse(answer.body);
      assert.match(said.error, /^[a-z]/);
      assert.ok(said.fix.length > 10, "says what to do");
      const after = await counts(guard, series);
      assert.deepEqual(
        { requests: after.requests - before.requests, failures: after.failures - before.failures },
        { requests: 1, failures: 1 },
      );
      assert.deepEqual(journalOf(guard.stateDir), nothing);
    });
  }
  await t.test("methods other than POST are refused", async () => {
    const answer = await fetch(`${guard.controlUrl}/api/v1/alerts`);
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"]);
  });
  await t.test("a page on another site cannot read the status through a name that points here", async () => {
    const { hostname, port } = new URL(guard.controlUrl);
    assert.equal(hostname, "127.0.0.1");
    const { request } = await import("node:http");
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(
        { host: hostname, port, path: "/api/v1/status", headers: { host: "evil.example" } },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        },
      )
        .on("error", reject)
        .end();
    });
    assert.equal(status, 403);
  });
});

for (const [what, labels] of [
  ["an unknown gateway", { gateway: "elsewhere" }],
  ["an unknown cause", { cause: "bad_weather" }],
  ["an unknown urgency", { urgency: "yesterday" }],
  ["another remedy", { remedy: "reboot" }],
] as const) {
  test(`${what} in a valid payload is accepted, counted as ignored, and changes nothing`, async () => {
    using at = folder();
    await using guard = await startGuard(settingsIn(at.dir, [nobody]));
    const answer = await guard.post(payload("hang", labels));
    assert.equal(answer.status, 202);
    assert.deepEqual(JSON.parse(answer.body), { accepted: 0, duplicate: 0, resolved: 0, ignored: 1 });
    assert.equal(await guard.series('openclaw_guard_alerts_total{result="ignored"}'), 1);
    assert.equal(await guard.series('openclaw_guard_alerts_total{result="accepted"}'), 0);
    assert.deepEqual(journalOf(guard.stateDir), nothing);
  });
}

test("an unknown label beside the known ones does no harm, and never reaches a metric or the log's values", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [nobody]));
  const answer = await guard.post(payload("hang", { command: "rm -rf /", pod: "x" }));
  assert.equal(answer.status, 202);
  const { body } = await guard.get(`${guard.metricsUrl}/metrics`);
  assert.doesNotMatch(body + guard.logged.join(""), /rm -rf/);
});

test("an alert is on the disk when 202 comes, and the same alert is the same however often it comes", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [nobody]));
  for (const deliveries of [1, 2, 3]) {
    const answer = await guard.post(payload("hang"));
    assert.equal(answer.status, 202);
    const { open } = journalOf(guard.stateDir);
    assert.deepEqual(
      open.map((each) => [each.fingerprint, each.cause, each.urgency, each.deliveries]),
      [["c0ffee0000000001", "hang", "now", deliveries]],
    );
  }
  assert.equal(await guard.series('openclaw_guard_alerts_total{result="accepted"}'), 1);
  assert.equal(await guard.series('openclaw_guard_alerts_total{result="duplicate"}'), 2);
  await until("an episode is open", () =>
    journalOf(guard.stateDir).entries.some(({ kind }) => kind === "opened"),
  );
  const opened = journalOf(guard.stateDir).entries.filter(({ kind }) => kind === "opened");
  assert.equal(opened.length, 1);
});

test("a label may lower an urgency and never raise it", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [nobody]));
  await guard.post(payload("memory_leak", { urgency: "now" }));
  await guard.post(payload("hang", { urgency: "scheduled" }, { fingerprint: "c0ffee0000000002" }));
  assert.deepEqual(
    Object.fromEntries(journalOf(guard.stateDir).open.map(({ cause, urgency }) => [cause, urgency])),
    { hang: "scheduled", memory_leak: "scheduled" },
  );
});

test("an alert that cannot be kept is refused with 503, counted, and asked for again", async () => {
  using at = folder();
  const { openJournal } = await import("../../src/record/journal.ts");
  await using guard = await startGuard(settingsIn(at.dir, [nobody]), {
    openJournal: (path) => ({
      ...openJournal(path),
      keepAlerts: () => {
        throw new Error("disk full");
      },
    }),
  });
  const answer = await guard.post(payload("hang"));
  assert.equal(answer.status, 503);
  assert.equal(await guard.series('openclaw_guard_webhook_failures_total{reason="cannot_record"}'), 1);
  assert.deepEqual(journalOf(guard.stateDir), nothing);
});

test("the dead man's switch is noted and opens nothing", async () => {
  using at = folder();
  await using guard = await startGuard(settingsIn(at.dir, [nobody]));
  assert.equal(await guard.series("openclaw_guard_heartbeat_timestamp_seconds"), undefined);
  const watchdog = payload("hang", {}, { labels: { alertname: "OpenClawWatchdog", severity: "none" } });
  assert.equal((await guard.post(watchdog)).status, 202);
  const at1 = await guard.series("openclaw_guard_heartbeat_timestamp_seconds");
  assert.ok(at1 !== undefined && Math.abs(at1 - Date.now() / 1000) < 60);
  assert.deepEqual(journalOf(guard.stateDir), nothing);
});

const nothing = { entries: [], open: [], verified: { ok: true, entries: 0 } };

/** A gateway that is not there: nobody listens on port 1. */
const nobody = { name: "main", url: "http://127.0.0.1:1" };

async function counts(guard: Guard, series: string) {
  const requests = await guard.series("openclaw_guard_webhook_requests_total");
  const failures = await guard.series(series);
  assert.ok(requests !== undefined && failures !== undefined, `${series} exists from the start`);
  return { requests, failures };
}
