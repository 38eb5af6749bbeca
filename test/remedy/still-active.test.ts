// Does Alertmanager still hold the alerts? A real server that gives every kind of answer.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { stillActive } from "../../src/remedy/still-active.ts";
import { alert } from "../core/support.ts";

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
  assert.deepEqual(await stillActive(`${server.url}/`)([alert()], never), new Set(["f00d", "beef"]));
  assert.deepEqual(
    server.asked.map((url) => decodeURIComponent(url)),
    ['/api/v2/alerts?filter=remedy="restart"'],
  );
});

test("an Alertmanager that holds nothing says so", async () => {
  assert.deepEqual(await asks(200, "[]"), new Set());
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
  assert.deepEqual(await asks(200, JSON.stringify(list)), new Set(["beef"]));
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
