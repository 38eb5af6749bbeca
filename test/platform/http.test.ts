// Is an answer told from silence, slowness, garbage and faults of our own, and does nothing run on for ever?
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { ms } from "../../src/core/time.ts";
import { get } from "../../src/platform/http.ts";

const never = new AbortController().signal;
const soon = { deadline: ms(200), signal: never };
const patient = { deadline: ms(5000), signal: never };

test("an answer is heard, with status and body", async () => {
  await using server = await http((_request, response) =>
    response.writeHead(503).end('{"status":"starting"}'),
  );
  const answer = await get(new URL("/startupz?x=1", server.url), patient);
  assert.equal(answer.outcome, "answered");
  assert.equal(answer.status, 503);
  assert.equal(answer.body, '{"status":"starting"}');
  assert.ok(answer.heard && answer.held === undefined && answer.failure === undefined);
});

test("each question comes on a connection of its own and asks to close it", async () => {
  const ports = new Set<number | undefined>();
  const headers: unknown[] = [];
  await using server = await http((request, response) => {
    ports.add(request.socket.remotePort);
    headers.push(request.headers.connection);
    response.end("ok");
  });
  for (let n = 0; n < 3; n++) await get(server.url, patient);
  assert.equal(ports.size, 3);
  assert.deepEqual(headers, ["close", "close", "close"]);
});

test("a redirect is an answer and is not followed", async () => {
  let asked = 0;
  await using server = await http((_request, response) => {
    asked++;
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  assert.equal((await get(server.url, patient)).status, 302);
  assert.equal(asked, 1);
});

test("a connection that is accepted and never answered is a timeout without a byte", async () => {
  await using server = await tcp(() => undefined);
  const answer = await get(server.url, soon);
  assert.equal(answer.outcome, "failed");
  assert.equal(answer.heard, false);
  assert.equal(answer.failure, "timeout");
  assert.ok(answer.duration >= 199 && answer.duration < 1200, `${answer.duration}`);
  await server.noConnections();
});

test("a first byte without the rest is heard, and still a failure", async () => {
  for (const text of ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"]) {
    await using server = await tcp((socket) => void socket.write(text));
    const answer = await get(server.url, { ...soon, hold: true });
    assert.equal(answer.outcome, "failed");
    assert.equal(answer.heard, true);
    assert.equal(answer.failure, "timeout");
    assert.equal(answer.held, undefined);
    await server.noConnections();
  }
});

test("an answer that drips a byte at a time ends at the deadline", async () => {
  await using server = await tcp((socket) => {
    const drip = setInterval(() => socket.write("x"), 20);
    socket.on("close", () => clearInterval(drip));
  });
  const answer = await get(server.url, soon);
  assert.equal(answer.outcome, "failed");
  assert.ok(answer.heard && answer.duration < 1200);
});

test("an endless body is cut off long before the deadline", async () => {
  await using server = await tcp((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const more = () => {
      while (socket.writable && socket.write(Buffer.alloc(16384, "x")));
    };
    socket.on("drain", more);
    more();
  });
  const answer = await get(server.url, patient);
  assert.equal(answer.outcome, "failed");
  assert.equal(answer.failure, "protocol");
  assert.equal(answer.status, 200);
  assert.equal(answer.body, undefined);
  await server.noConnections();
});

test("garbage is heard and is a failure of the protocol", async () => {
  await using server = await tcp((socket) => void socket.end("SSH-2.0-OpenSSH_9.9\r\n\r\n"));
  const answer = await get(server.url, patient);
  assert.equal(answer.outcome, "failed");
  assert.equal(answer.failure, "protocol");
  assert.equal(answer.heard, true);
});

test("a refused connection failed without a byte; a reset one too", async () => {
  const server = await tcp((socket) => void socket.resetAndDestroy());
  assert.partialDeepStrictEqual(await get(server.url, patient), {
    outcome: "failed",
    heard: false,
    failure: "reset",
  });
  await server[Symbol.asyncDispose]();
  const refused = await get(server.url, { ...patient, hold: true });
  assert.partialDeepStrictEqual(refused, { outcome: "failed", heard: false, failure: "refused" });
  assert.equal(refused.held, undefined);
});

test("a host that cannot be resolved or reached is a fault of our own: inconclusive", async () => {
  const answer = await get(new URL("http://gateway.invalid:18789/"), patient);
  assert.equal(answer.outcome, "inconclusive");
  assert.equal(answer.heard, false);
});

test("a held request tells later that the answer came", async () => {
  const waiting: Socket[] = [];
  await using server = await tcp((socket) => void waiting.push(socket));
  const { held } = await get(server.url, { ...soon, hold: true });
  assert.ok(held !== undefined && !held.heard() && !held.ended());
  waiting[0]?.write("H");
  await until(() => held.heard());
  held.close();
  await server.noConnections();
  assert.equal(held.heard(), true);
});

test("a held request whose connection is cut has ended without a byte", async () => {
  const waiting: Socket[] = [];
  await using server = await tcp((socket) => void waiting.push(socket));
  const { held } = await get(server.url, { ...soon, hold: true });
  waiting[0]?.resetAndDestroy();
  await until(() => held?.ended() === true);
  assert.equal(held?.heard(), false);
  held.close();
});

test("an answer that waits in the socket while our own loop is blocked is no silence", async () => {
  await using server = await http((_request, response) => response.end("ok"));
  const asking = get(server.url, { deadline: ms(300), signal: never });
  await until(() => server.asked() === 1);
  const blockedUntil = performance.now() + 400;
  while (performance.now() < blockedUntil);
  assert.equal((await asking).outcome, "answered");
});

test("a deadline that our own loop missed by far proves nothing", async () => {
  await using server = await tcp(() => undefined);
  const asking = get(server.url, { ...soon, hold: true });
  const blockedUntil = performance.now() + 1500;
  while (performance.now() < blockedUntil);
  const answer = await asking;
  assert.equal(answer.outcome, "inconclusive");
  assert.equal(answer.held, undefined);
});

test("a question that is called off rejects with the reason and closes", async () => {
  await using server = await tcp(() => undefined);
  const stop = new AbortController();
  const asking = get(server.url, { ...patient, signal: stop.signal, hold: true });
  await until(() => server.open() === 1);
  stop.abort(new Error("enough"));
  await assert.rejects(asking, /enough/);
  await server.noConnections();
  await assert.rejects(get(server.url, { ...patient, signal: stop.signal }), /enough/);
});

async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!so()) {
    assert.ok(performance.now() < deadline, "not so within 5 s");
    await wait(5);
  }
}

type Running = AsyncDisposable & {
  readonly url: URL;
  open(): number;
  asked(): number;
  noConnections(): Promise<void>;
};

async function run(server: Server, asked: () => number = () => 0): Promise<Running> {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    open: () => open.size,
    asked,
    noConnections: () => until(() => open.size === 0),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

async function http(answer: RequestListener): Promise<Running> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    answer(request, response);
  });
  return await run(server, () => asked);
}

/** Reads and ignores what it is sent, so that the end of a connection is seen. */
async function tcp(accepted: (socket: Socket) => void): Promise<Running> {
  return await run(
    createTcp((socket) => {
      socket.resume();
      accepted(socket);
    }),
  );
}
