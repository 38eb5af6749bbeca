// Does Alertmanager still hold the alerts? A real server that gives every kind of answer.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { stillActive } from "../../src/remedy/still-active.ts";
import { alert } from "../core/support.ts";

/** Answered by Alertmanager 0.25: one alert active, one silenced, one inhibited. */
const recordedAlerts = new URL("../fixtures/alertmanager/alerts-silenced.json", import.meta.url);
const never = new AbortController().signal;

/** A server that gives one answer to everything and remembers what it was asked. */
async function answering(status: number, body: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const asks = async (status: number, body: string, path = "") => {
  await using server = await answering(status, body);
  return await stillActive(`${server.url}${path}`)([alert()], never);
};

test("the fingerprints that Alertmanager holds are told, and only alerts that ask for a restart are asked for", async () => {
  await using server = await answering(
    200,
    JSON.stringify([{ fingerprint: "f00d" }, { fingerprint: "beef" }]),
  );
  assert.deepEqual(await stillActive(`${server.url}/`)([alert()], never), {
    active: new Set(["f00d", "beef"]),
    silenced: new Set(),
  });
  assert.deepEqual(
    server.asked.map((url) => decodeURIComponent(url)),
    ['/api/v2/alerts?filter=remedy="restart"'],
  );
});

test("an Alertmanager that holds nothing says so", async () => {
  assert.deepEqual(await asks(200, "[]"), { active: new Set(), silenced: new Set() });
});

test("a path before the API is kept", async () => {
  await using server = await answering(200, "[]");
  await stillActive(`${server.url}/alertmanager/`)([alert()], never);
  assert.match(server.asked[0] ?? "", /^\/alertmanager\/api\/v2\/alerts/);
});

test("what is no list of alerts is no answer", async () => {
  for (const body of ["{}", "null", "", "not json", '"f00d"', "[", "<html>"]) {
    assert.equal(await asks(200, body), undefined, body);
  }
  assert.equal(await asks(500, "[]"), undefined);
  assert.equal(await asks(404, '[{"fingerprint":"f00d"}]'), undefined);
});

test("elements that are no alerts are passed over", async () => {
  const list = [null, 1, "f00d", [], {}, { fingerprint: 7 }, { fingerprint: "beef" }];
  assert.deepEqual((await asks(200, JSON.stringify(list)))?.active, new Set(["beef"]));
});

test("an alert that a silence covers is told as silenced, one that is only inhibited is not", async () => {
  const held = await asks(200, readFileSync(recordedAlerts, "utf8"));
  assert.deepEqual(held?.active, new Set(["6019a6aab48f1716", "8033bf4591f507e7", "f4f81a6df6c1c08b"]));
  assert.deepEqual(held?.silenced, new Set(["8033bf4591f507e7"]));
});

test("a status of another shape silences nothing", async () => {
  for (const status of [null, 7, {}, { silencedBy: null }, { silencedBy: "all" }, { silencedBy: [] }]) {
    const held = await asks(200, JSON.stringify([{ fingerprint: "f00d", status }]));
    assert.deepEqual(held, { active: new Set(["f00d"]), silenced: new Set() });
  }
});

test("without an address, or with nothing to ask about, nobody is asked", async () => {
  await using server = await answering(200, "[]");
  assert.equal(await stillActive(undefined)([alert()], never), undefined);
  assert.equal(await stillActive(server.url)([], never), undefined);
  assert.deepEqual(server.asked, []);
});

test("an Alertmanager that is not there is no answer", async () => {
  const server = await answering(200, "[]");
  await server[Symbol.asyncDispose]();
  assert.equal(await stillActive(server.url)([alert()], never), undefined);
});
