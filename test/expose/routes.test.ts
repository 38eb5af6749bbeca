// Does the metrics listener show everything it should and change nothing?
import assert from "node:assert/strict";
import { test } from "node:test";
import fastify from "fastify";
import { exposeRoutes } from "../../src/expose/routes.ts";

test("metrics come in the text format that Prometheus knows", async () => {
  await using app = listener();
  const answer = await app.inject("/metrics");
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(answer.body, "scrape 1\n");
  const head = await app.inject({ method: "HEAD", url: "/metrics" });
  assert.equal(head.statusCode, 200);
  assert.equal(head.body, "");
});

test("scrapes at the same time share one rendering, and the next one gets its own", async () => {
  const rendered = Promise.withResolvers<void>();
  let renderings = 0;
  await using app = listener(async () => {
    const text = `scrape ${++renderings}\n`;
    await rendered.promise;
    return text;
  });
  const three = Promise.all([app.inject("/metrics"), app.inject("/metrics"), app.inject("/metrics")]);
  await new Promise((resolve) => setImmediate(resolve));
  rendered.resolve();
  assert.deepEqual(
    (await three).map(({ body }) => body),
    ["scrape 1\n", "scrape 1\n", "scrape 1\n"],
  );
  assert.equal((await app.inject("/metrics")).body, "scrape 2\n");
});

test("a rendering that fails is not shared with the next scrape", async () => {
  let renderings = 0;
  await using app = listener(async () => {
    if (++renderings === 1) throw new Error("bad luck");
    return "fine\n";
  });
  assert.equal((await app.inject("/metrics")).statusCode, 500);
  assert.equal((await app.inject("/metrics")).body, "fine\n");
});

test("healthy at once, ready only when something has been sampled", async () => {
  let why: string | undefined = "nothing has been sampled yet";
  await using app = listener(undefined, () => why);
  assert.equal((await app.inject("/-/healthy")).statusCode, 200);
  const before = await app.inject("/-/ready");
  assert.deepEqual([before.statusCode, before.body], [503, "not ready: nothing has been sampled yet\n"]);
  why = undefined;
  assert.equal((await app.inject("/-/ready")).statusCode, 200);
});

test("the landing page names the version and where to look", async () => {
  await using app = listener();
  const { body, headers } = await app.inject("/");
  assert.match(String(headers["content-type"]), /^text\/html/);
  assert.match(body, /openclaw-guard 1\.2\.3/);
  assert.match(body, /href="\/metrics"/);
});

for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
  test(`${method} is refused everywhere, before any of its body is read`, async () => {
    await using app = listener(async () => assert.fail("nothing may be rendered"));
    for (const url of ["/metrics", "/-/healthy", "/", "/api/v1/alerts", "/nowhere"]) {
      const answer = await app.inject({
        method,
        url,
        payload: "{",
        headers: { "content-type": "application/json" },
      });
      assert.deepEqual([url, answer.statusCode, answer.headers.allow], [url, 405, "GET, HEAD"]);
    }
  });
}

test("the routes of the other listener are not here", async () => {
  await using app = listener();
  for (const url of ["/api/v1/status", "/api/v1/alerts", "/api/v1/pause"])
    assert.equal((await app.inject(url)).statusCode, 404);
});

function listener(metrics?: () => Promise<string>, notReady: () => string | undefined = () => undefined) {
  let scrapes = 0;
  const app = fastify();
  exposeRoutes(app, {
    version: "1.2.3",
    metrics: metrics ?? (async () => `scrape ${++scrapes}\n`),
    notReady,
  });
  return app;
}
