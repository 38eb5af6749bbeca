// Does one question get one answer, in bounded time and of bounded size?
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ms, seconds } from "../../src/core/time.ts";
import { ask } from "../../src/platform/ask.ts";

const signal = new AbortController().signal;

test("a question with a body and a token arrives as JSON with a bearer token", async () => {
  let heard: Pick<IncomingMessage, "method" | "headers"> | undefined;
  let text = "";
  await using at = await server(async (request, response) => {
    heard = { method: request.method ?? "", headers: request.headers };
    for await (const part of request.setEncoding("utf8")) text += String(part);
    response.writeHead(202).end("kept");
  });
  const answer = await ask(at.url, {
    method: "POST",
    body: { gateway: "main" },
    token: "t0ken",
    deadline: seconds(5),
    signal,
  });
  assert.deepEqual(answer, { status: 202, body: "kept" });
  assert.equal(heard?.method, "POST");
  assert.equal(heard?.headers.authorization, "Bearer t0ken");
  assert.equal(heard?.headers["content-type"], "application/json");
  assert.equal(text, '{"gateway":"main"}');
});

test("a plain question carries neither", async () => {
  let headers: IncomingMessage["headers"] = {};
  await using at = await server((request, response) => {
    headers = request.headers;
    response.end("fine");
  });
  assert.deepEqual(await ask(at.url, { deadline: seconds(5), signal }), { status: 200, body: "fine" });
  assert.equal(headers.authorization, undefined);
  assert.equal(headers["content-type"], undefined);
});

test("a refusal is an answer", async () => {
  await using at = await server((_request, response) => void response.writeHead(503).end("full"));
  assert.deepEqual(await ask(at.url, { deadline: seconds(5), signal }), { status: 503, body: "full" });
});

test("a redirect is not followed: the token would go with it", async () => {
  await using elsewhere = await server(() => assert.fail("nobody may come here"));
  await using at = await server(
    (_request, response) => void response.writeHead(302, { location: elsewhere.url }).end(),
  );
  assert.equal((await ask(at.url, { token: "t0ken", deadline: seconds(5), signal })).status, 302);
});

test("silence ends at the deadline, before and in the middle of an answer", async () => {
  await using silent = await server(() => undefined);
  await assert.rejects(ask(silent.url, { deadline: ms(50), signal }), { name: "TimeoutError" });
  await using halfway = await server((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half");
  });
  await assert.rejects(ask(halfway.url, { deadline: ms(50), signal }), { name: "TimeoutError" });
});

test("the caller can end it", async () => {
  await using silent = await server(() => undefined);
  const ending = new AbortController();
  const asked = ask(silent.url, { deadline: seconds(30), signal: ending.signal });
  ending.abort(new Error("Ctrl-C"));
  await assert.rejects(asked, /Ctrl-C/);
});

test("an answer without an end is given up at 16 MiB", async () => {
  await using at = await server((_request, response) => {
    const part = Buffer.alloc(1024 * 1024, 120);
    const more = () => {
      while (!response.destroyed && response.write(part));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  await assert.rejects(ask(at.url, { deadline: seconds(20), signal }), /larger than 16777216 bytes/);
});

test("nobody there is a rejection", async () => {
  const at = await server(() => undefined);
  await at[Symbol.asyncDispose]();
  await assert.rejects(ask(at.url, { deadline: seconds(5), signal }), /ECONNREFUSED/);
});

async function server(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const http = createServer(listener).listen(0, "127.0.0.1");
  await once(http, "listening");
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
