// Does a WebSocket channel speak text within its bounds, and close exactly once whatever its peer does?
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createServer as createHttp } from "node:http";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import { ms } from "../../src/core/time.ts";
import { type ChannelEvents, openChannel } from "../../src/platform/http.ts";

test("a channel speaks and hears text, and closes once", async () => {
  await using server = await sockets((socket) =>
    socket.on("message", (data: Buffer) => socket.send(`heard ${data.toString("utf8")}`)),
  );
  const log: string[] = [];
  const channel = openChannel(
    server.url,
    limits,
    events(log, () => channel.send("hello")),
  );
  await until(() => log.length === 2);
  channel.close();
  channel.close();
  channel.send("too late");
  assert.deepEqual(
    log,
    ["opened", "heard hello", "closed 1000 reset"].slice(0, 2).concat(["closed 1000 reset"]),
  );
  await until(() => server.open() === 0);
});

test("a message above the limit closes the channel", async () => {
  await using server = await sockets((socket) => socket.send("x".repeat(2000)));
  const log: string[] = [];
  openChannel(server.url, limits, events(log));
  await until(() => log.some((line) => line.startsWith("closed")));
  assert.ok(!log.some((line) => line.includes("xxx")));
  await until(() => server.open() === 0);
});

test("a binary message is not understood and closes the channel", async () => {
  await using server = await sockets((socket) => socket.send(Buffer.from([1, 2, 3])));
  const log: string[] = [];
  openChannel(server.url, limits, events(log));
  await until(() => log.includes("closed 1003 protocol"));
});

test("a channel that is refused says so once", async () => {
  const server = await mute();
  await server[Symbol.asyncDispose]();
  const log: string[] = [];
  openChannel(server.url, limits, events(log));
  await until(() => log.length > 0);
  assert.deepEqual(log, ["closed 1006 refused"]);
});

test("closing a channel to a peer that never answers leaves no connection", async () => {
  await using server = await mute();
  const log: string[] = [];
  const channel = openChannel(server.url, { ...limits, connectTimeout: ms(5000) }, events(log));
  await until(() => server.open() === 1);
  channel.close();
  await until(() => server.open() === 0);
  assert.deepEqual(log, ["closed 1000 reset"]);
});

const limits = { connectTimeout: ms(2000), maxMessageBytes: 1000 };

function events(log: string[], opened: () => void = () => undefined): ChannelEvents {
  return {
    opened() {
      log.push("opened");
      opened();
    },
    heard: (text) => void log.push(text),
    closed: (code, failure) => void log.push(`closed ${code} ${failure}`),
  };
}

async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!so()) {
    assert.ok(performance.now() < deadline, "not so within 5 s");
    await wait(5);
  }
}

type Running = AsyncDisposable & { readonly url: URL; open(): number };

async function run(server: ReturnType<typeof createServer>): Promise<Running> {
  const open = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`ws://127.0.0.1:${port}/`),
    open: () => open.size,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** Accepts, reads, and never says a word. */
async function mute(): Promise<Running> {
  return await run(createServer((socket) => void socket.resume()));
}

async function sockets(accepted: (socket: WebSocket) => void): Promise<Running> {
  const server = createHttp();
  const upgraded = new WebSocketServer({ server });
  upgraded.on("connection", (socket) => {
    socket.on("error", () => undefined);
    accepted(socket);
  });
  return await run(server);
}
