// What does a sender get for what it sends, what is counted, and what is changed by it?
import assert from "node:assert/strict";
import { test } from "node:test";
import { body, changed, deliver, knows, receiver, token } from "./support.ts";

test("an alert is kept first, then answered with 202, then hinted at", async () => {
  await using running = receiver();
  const { app, events, counts } = running;
  const answer = await deliver(app, body("firing"));
  assert.equal(answer.statusCode, 202);
  assert.deepEqual(answer.json(), { accepted: 1, duplicate: 0, resolved: 0, ignored: 0 });
  assert.deepEqual(events, ["keep 1", "hint main"]);
  assert.deepEqual(counts, { requests: 1, accepted: 1 });
});

test("firing and resolved in one delivery are kept together, with one hint for each gateway", async () => {
  await using running = receiver();
  const { app, events, counts } = running;
  const answer = await deliver(app, body("mixed"));
  assert.deepEqual(answer.json(), { accepted: 2, duplicate: 0, resolved: 1, ignored: 0 });
  assert.deepEqual(events, ["keep 3", "hint main", "hint other"]);
  assert.deepEqual(counts, { requests: 1, accepted: 2, resolved: 1 });
});

test("a repeat is answered with 202 and hinted at, so that what is open is decided again", async () => {
  await using running = receiver({ keep: () => ({ accepted: [], duplicate: 1, resolved: [] }) });
  const { app, events, counts } = running;
  assert.deepEqual((await deliver(app, body("firing"))).json(), {
    accepted: 0,
    duplicate: 1,
    resolved: 0,
    ignored: 0,
  });
  assert.deepEqual(events, ["hint main"]);
  assert.deepEqual(counts, { requests: 1, duplicate: 1 });
});

test("a heartbeat is noted with its time and costs no write", async () => {
  await using running = receiver();
  const { app, events, counts } = running;
  assert.equal((await deliver(app, body("watchdog"))).statusCode, 202);
  assert.deepEqual(events, ["heartbeat 777"]);
  assert.deepEqual(counts, { requests: 1 });
});

test("what is valid but not ours is 202, counted as ignored, logged by label names, and changes nothing", async () => {
  await using running = receiver();
  const { app, events, counts, logged } = running;
  const answer = await deliver(app, body("foreign"));
  assert.equal(answer.statusCode, 202);
  assert.deepEqual(answer.json(), { accepted: 0, duplicate: 0, resolved: 0, ignored: 5 });
  assert.deepEqual(events, []);
  assert.deepEqual(counts, { requests: 1, ignored: 5 });
  assert.match(logged.join(), /unknown_gateway.*alertname/);
  assert.doesNotMatch(logged.join(), /somebody-elses|rm -rf/);
});

test("alerts left out by the sender are logged", async () => {
  await using running = receiver();
  const { app, logged } = running;
  assert.equal((await deliver(app, body("truncated"))).statusCode, 202);
  assert.match(logged.join(), /"event":"truncated","n":7/);
});

for (const [what, authorization] of [
  ["no token", undefined],
  ["a wrong token", "Bearer wrong"],
  ["another scheme", `Basic ${token}`],
] as const) {
  test(`${what} is 401, whatever the body`, async () => {
    await using running = receiver();
    const { app, events, counts, logged } = running;
    for (const payload of [body("firing"), "not json", "x".repeat(300_000)]) {
      const headers = {
        "content-type": "application/json",
        ...(authorization === undefined ? {} : { authorization }),
      };
      const answer = await app.inject({ method: "POST", url: "/api/v1/alerts", headers, payload });
      assert.equal(answer.statusCode, 401);
      assert.match(String(answer.headers["www-authenticate"]), /^Bearer /);
      assert.deepEqual(Object.keys(answer.json()), ["error", "fix"]);
      assert.ok(!answer.body.includes(token));
    }
    assert.deepEqual(events, []);
    assert.deepEqual(counts, { requests: 3, unauthorized: 3 });
    assert.ok(!logged.join().includes("wrong"));
  });
}

test("the token is asked for at each request, so that a new file holds at once", async () => {
  let current = "old";
  await using running = receiver({ token: () => current });
  const { app } = running;
  assert.equal((await deliver(app, body("firing"), { authorization: "Bearer old" })).statusCode, 202);
  current = "new";
  assert.equal((await deliver(app, body("firing"), { authorization: "Bearer old" })).statusCode, 401);
  assert.equal((await deliver(app, body("firing"), { authorization: "Bearer new" })).statusCode, 202);
});

const json = "application/json";
const tenThousand = (alert: object) => JSON.stringify({ version: "4", alerts: Array(10_000).fill(alert) });
const [oneAlert]: object[] = JSON.parse(body("firing")).alerts;
const bad: readonly {
  readonly what: string;
  readonly payload: string;
  readonly type?: string;
  readonly status: number;
  readonly reason: string;
  readonly field?: string;
}[] = [
  { what: "text that is not JSON", payload: "{secret", status: 400, reason: "malformed" },
  { what: "an empty body", payload: "", status: 400, reason: "malformed" },
  { what: "JSON cut short", payload: body("firing").slice(0, 300), status: 400, reason: "malformed" },
  {
    what: "a poisoned prototype",
    payload: '{"__proto__":{"version":"4"}}',
    status: 400,
    reason: "malformed",
  },
  {
    what: "deep nesting",
    payload: `${"[".repeat(120_000)}${"]".repeat(120_000)}`,
    status: 400,
    reason: "malformed",
  },
  {
    what: "a form",
    payload: "a=secret",
    type: "application/x-www-form-urlencoded",
    status: 415,
    reason: "malformed",
  },
  {
    what: "JSON called plain text",
    payload: body("firing"),
    type: "text/plain",
    status: 415,
    reason: "malformed",
  },
  {
    what: "a numeric label",
    payload: JSON.stringify(changed({ labels: { cause: 7 } })),
    status: 400,
    reason: "malformed",
    field: "alerts[0].labels.cause",
  },
  {
    what: "another version",
    payload: JSON.stringify(changed({ payload: { version: "secret" } })),
    status: 400,
    reason: "unsupported_version",
    field: "version",
  },
  {
    what: "a body that is too large",
    payload: `"${"x".repeat(256 * 1024)}"`,
    status: 413,
    reason: "too_large",
  },
  {
    what: "ten thousand whole alerts",
    payload: tenThousand(oneAlert ?? {}),
    status: 413,
    reason: "too_large",
  },
  {
    what: "ten thousand compact alerts",
    payload: tenThousand({ status: "firing" }),
    status: 422,
    reason: "too_many_alerts",
    field: "alerts",
  },
];
for (const { what, payload, type, status, reason, field } of bad) {
  test(`${what} is ${status}, counted as ${reason}, says what to do, and changes nothing`, async () => {
    await using running = receiver();
    const { app, events, counts, logged } = running;
    const answer = await deliver(app, payload, { "content-type": type ?? json });
    assert.equal(answer.statusCode, status);
    const said: { error: string; field?: string; fix: string } = answer.json();
    assert.ok(said.error.length > 0 && said.fix.length > 0);
    assert.equal(said.field, field);
    assert.deepEqual(events, []);
    assert.deepEqual(counts, { requests: 1, [reason]: 1 });
    assert.doesNotMatch(
      answer.body + logged.join(),
      /secret|t0ken/,
      "nothing of the payload or the token comes back",
    );
  });
}

test("a charset and an unusual spelling of the content type are fine", async () => {
  await using running = receiver();
  const { app } = running;
  const answer = await deliver(app, body("firing"), { "content-type": "Application/JSON; charset=utf-8" });
  assert.equal(answer.statusCode, 202);
});

for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
  test(`${method} is 405 and says what is allowed`, async () => {
    await using running = receiver();
    const { app, events, counts } = running;
    const answer = await app.inject({ method, url: "/api/v1/alerts" });
    assert.equal(answer.statusCode, 405);
    assert.equal(answer.headers.allow, "POST");
    assert.deepEqual(events, []);
    assert.deepEqual(counts, { requests: 1, malformed: 1 });
  });
}

test("what cannot be recorded is 503, without a hint, so that Alertmanager sends it again", async () => {
  await using running = receiver({
    keep: () => {
      throw new Error("database or disk is full");
    },
  });
  const { app, events, counts, logged } = running;
  const answer = await deliver(app, body("firing"));
  assert.equal(answer.statusCode, 503);
  assert.match(answer.body, /cannot be recorded/);
  assert.deepEqual(events, []);
  assert.deepEqual(counts, { requests: 1, cannot_record: 1 });
  assert.match(logged.join(), /cannot_record/);
});

test("a hint that fails does not take back the answer, nor the other hints", async () => {
  const hinted: string[] = [];
  await using running = receiver({
    hint(gateway) {
      hinted.push(gateway);
      throw new Error("bug");
    },
  });
  const { app, logged } = running;
  assert.equal((await deliver(app, body("mixed"))).statusCode, 202);
  assert.deepEqual(hinted, ["main", "other"]);
  assert.match(logged.join(), /hint failed/);
});

test("a bug of ours is 500, and its words stay in the log", async () => {
  await using running = receiver({
    knows: {
      get gateways(): ReadonlySet<string> {
        throw new Error("inner words");
      },
    },
  });
  const { app, logged } = running;
  const answer = await deliver(app, body("firing"));
  assert.equal(answer.statusCode, 500);
  assert.ok(!answer.body.includes("inner words"));
  assert.match(logged.join(), /webhook failed/);
});

test("other routes of the listener keep their own parsers and errors", async () => {
  await using running = receiver();
  const { app } = running;
  app.post("/echo", (request, reply) => reply.send({ got: request.body }));
  app.get("/broken", async () => Promise.reject(new Error("theirs")));
  const echo = await app.inject({
    method: "POST",
    url: "/echo",
    headers: { "content-type": "text/plain" },
    payload: "hi",
  });
  assert.deepEqual(echo.json(), { got: "hi" });
  assert.match((await app.inject("/broken")).body, /theirs/);
  assert.equal((await app.inject("/api/v1/alerts/")).statusCode, 404);
});

test("a gateway added to what is known is accepted from then on", async () => {
  const gateways = new Set(["other"]);
  await using running = receiver({ knows: { gateways } });
  const { app } = running;
  assert.equal((await deliver(app, body("firing"))).json().ignored, 1);
  gateways.add("main");
  assert.equal((await deliver(app, body("firing"))).json().accepted, 1);
  assert.ok(knows.gateways.has("main"));
});
