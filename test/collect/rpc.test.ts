// Whatever answers in place of a gateway's RPC, does asking it end in time, with a reason, and with nothing left open?
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { openRpc, RpcError } from "../../src/collect/rpc.ts";
import { ms } from "../../src/core/time.ts";
import { startGateway } from "./rpc-server.ts";

const never = new AbortController().signal;
const timeout = ms(300);

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

type Hostile = {
  readonly does: string;
  readonly reason: string;
  readonly answer: (socket: Socket) => void;
};

const hostile: readonly Hostile[] = [
  { does: "says nothing", reason: "timeout", answer: () => undefined },
  {
    does: "speaks another protocol",
    reason: "protocol",
    answer: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  },
  {
    does: "answers like a web page",
    reason: "protocol",
    answer: (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
  },
  {
    does: "upgrades to something else",
    reason: "protocol",
    answer: (socket) => socket.end(`${switching}Sec-WebSocket-Accept: bm8=\r\n\r\n`),
  },
  {
    does: "sends one byte of the handshake after the other",
    reason: "timeout",
    answer(socket) {
      let sent = 0;
      const drip = setInterval(() => socket.write(switching.charAt(sent++) || "X"), 25);
      socket.on("close", () => clearInterval(drip));
    },
  },
  { does: "hangs up without a word", reason: "protocol", answer: (socket) => socket.end() },
];

for (const { does, reason, answer } of hostile)
  test(`a server that ${does} is given up as ${reason}, which is no fault of ours`, async () => {
    await using server = await listening(answer);
    const error = await failureOf(openRpc(server.url, "T", timeout, never));
    assert.deepEqual([error.failure, error.answered, error.ours], [reason, false, false]);
    await server.forsaken();
  });

test("a token that is refused is a fault of ours, and so is one that may not ask", async () => {
  await using gateway = await startGateway({ error: { code: "FORBIDDEN", message: "missing scope" } });
  const refused = await failureOf(openRpc(gateway.url, "wrong", timeout, never));
  assert.deepEqual([refused.failure, refused.ours], ["unauthorized", true]);
  const rpc = await openRpc(gateway.url, "T", timeout, never);
  const forbidden = await failureOf(rpc.call("gateway.restart.preflight", never));
  assert.deepEqual([forbidden.failure, forbidden.answered, forbidden.ours], ["forbidden", true, true]);
  rpc.close();
});

test("an answer that came while our own loop was busy is not a timeout", async () => {
  let busy = 0;
  // The server lives in the same loop: it answers in time by its own account, and the deadline passes meanwhile.
  await using gateway = await startGateway({ before: () => block(busy) });
  const rpc = await openRpc(gateway.url, "T", timeout, never);
  busy = timeout + 100;
  assert.partialDeepStrictEqual(await rpc.call("gateway.restart.preflight", never), { safe: true });
  rpc.close();
});

test("a deadline that our own loop missed by far proves nothing about the gateway", async () => {
  await using gateway = await startGateway();
  const rpc = await openRpc(gateway.url, "T", timeout, never);
  gateway.silence(true);
  const answer = failureOf(rpc.call("gateway.restart.preflight", never));
  block(timeout + 1100);
  const error = await answer;
  assert.deepEqual([error.failure, error.ours], ["timeout", true]);
  rpc.close();
});

/** Computes for so many milliseconds, so that nothing else can happen. */
function block(length: number): void {
  const end = performance.now() + length;
  while (performance.now() < end);
}

async function failureOf(asked: Promise<unknown>): Promise<RpcError> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  return assert.fail("it was answered");
}

async function listening(answer: (socket: Socket) => void) {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    async forsaken() {
      const deadline = performance.now() + 5000;
      while (open.size > 0) {
        assert.ok(performance.now() < deadline, "a connection was left open");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
