// Is an endpoint up only when it says what a program of its kind says that works?
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { suite, test } from "node:test";
import fc from "fast-check";
import { WebSocketServer } from "ws";
import { http, postgres, redis, websocket } from "../../src/collect/handshake.ts";
import { seconds } from "../../src/core/time.ts";
import { converse } from "../../src/platform/converse.ts";
import { ask, listening, program, saying, web } from "./endpoint-servers.ts";

const never = new AbortController().signal;
const soon = seconds(0.3);

suite("an http endpoint", () => {
  const cases: readonly (readonly [string, RequestListener, { expect?: number }, boolean])[] = [
    ["answers 200", (_, answer) => answer.end("well"), {}, true],
    ["answers in chunks", (_, answer) => (answer.write("a"), answer.end("b")), {}, true],
    ["has a page longer than is read", (_, answer) => answer.end("x".repeat(300_000)), {}, true],
    [
      "sends hints first",
      (_, answer) => (answer.writeEarlyHints({ link: "</a>" }), answer.end("b")),
      {},
      true,
    ],
    ["answers what is expected instead", (_, answer) => answer.writeHead(401).end(), { expect: 401 }, true],
    ["has nothing to say, as expected", (_, answer) => answer.writeHead(204).end(), { expect: 204 }, true],
    ["answers 503", (_, answer) => answer.writeHead(503).end("draining"), {}, false],
    ["sends somewhere else", (_, answer) => answer.writeHead(302, { location: "/" }).end(), {}, false],
    ["answers 200 where 401 is expected", (_, answer) => answer.end(), { expect: 401 }, false],
    [
      "breaks off",
      (_, answer) => (answer.writeHead(200, { "content-length": 9 }), answer.write("a"), answer.destroy()),
      {},
      false,
    ],
  ];
  for (const [says, listener, { expect = 200 }, up] of cases)
    test(`is ${up ? "up" : "down"} when it ${says}`, async () => {
      await using server = await web(listener);
      const reading = await ask({ kind: "http", url: server.url, expect });
      assert.deepEqual([reading.up, reading.reachable], [up, true], reading.failure);
    });

  test("is asked for its path and its query at its host", async () => {
    let asked = "";
    await using server = await web((request, answer) => {
      asked = `${request.method} ${request.headers.host}${request.url}`;
      answer.end();
    });
    const url = new URL(`${server.url}?deep=1`);
    assert.equal((await ask({ kind: "http", url: url.href, expect: 200 })).up, true);
    assert.equal(asked, `GET ${url.host}/health?deep=1`);
  });

  for (const [says, answers] of [
    ["another protocol", ["SSH-2.0-OpenSSH_9.2\r\n"]],
    ["the middle of an answer", ["content-length: 0\r\n\r\n"]],
    ["a status that is none", ["HTTP/1.1 OK\r\n\r\n"]],
    ["a TLS alert, because it speaks only TLS", [Buffer.from([21, 3, 1, 0, 2, 2, 70])]],
  ] as const)
    test(`is down, and known to be online, when it says ${says}`, async () => {
      await using server = await saying(...answers);
      const { up, reachable, failure } = await ask({
        kind: "http",
        url: `http://127.0.0.1:${server.port}/`,
        expect: 200,
      });
      assert.deepEqual({ up, reachable, failure }, { up: false, reachable: true, failure: "protocol" });
    });

  for (const [says, answers] of [
    ["a head that does not end", ["HTTP/1.1 200 OK\r\nserver: "]],
    ["a body that does not end", ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"]],
  ] as const)
    test(`is down when it is given up over ${says}`, async () => {
      await using server = await saying(...answers);
      const url = `http://127.0.0.1:${server.port}/`;
      const { up, failure } = await ask({ kind: "http", url, expect: 200, timeout: soon });
      assert.deepEqual({ up, failure }, { up: false, failure: "timeout" });
    });
});

suite("a websocket endpoint", () => {
  async function socketServer(options: { autoPong?: boolean } = {}) {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return {
      server,
      url: `ws://127.0.0.1:${address.port}/rpc`,
      async [Symbol.asyncDispose]() {
        for (const client of server.clients) client.terminate();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  test("is up when it returns the ping, and is said good-bye to", async () => {
    await using server = await socketServer();
    const closed = Promise.withResolvers<number>();
    server.server.on("connection", (socket) => socket.on("close", closed.resolve));
    assert.equal((await ask({ kind: "websocket", url: server.url })).up, true);
    assert.equal(await closed.promise, 1000);
  });

  test("may speak first, shortly and at length", async () => {
    await using server = await socketServer();
    server.server.on("connection", (socket) => {
      for (const length of [10, 300, 70_000]) socket.send("x".repeat(length));
      socket.ping();
    });
    assert.equal((await ask({ kind: "websocket", url: server.url })).up, true);
  });

  test("is down when it accepts and returns no ping: online is not answering", async () => {
    await using server = await socketServer({ autoPong: false });
    const { up, reachable, failure } = await ask({ kind: "websocket", url: server.url, timeout: soon });
    assert.deepEqual({ up, reachable, failure }, { up: false, reachable: true, failure: "timeout" });
  });

  test("is down when it is a page", async () => {
    await using server = await web((_, answer) => answer.end("hello"));
    assert.equal((await ask({ kind: "websocket", url: server.url.replace("http", "ws") })).up, false);
  });

  test("is down when it answers the handshake of somebody else", async () => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
    await using server = await saying(`${head}sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n`);
    assert.equal((await ask({ kind: "websocket", url: `ws://127.0.0.1:${server.port}/` })).up, false);
  });

  test("is down while its process is stopped, and up again after", async () => {
    const code = `const { WebSocketServer } = require("ws");
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      server.on("listening", () => console.log("port " + server.address().port));`;
    await using child = program(process.execPath, ["-e", code], { cwd: process.cwd() });
    const url = `ws://127.0.0.1:${/port (\d+)/.exec(await child.said(/port \d+/))?.[1]}/`;
    assert.equal((await ask({ kind: "websocket", url })).up, true);
    child.child.kill("SIGSTOP");
    const { up, reachable } = await ask({ kind: "websocket", url, timeout: soon });
    assert.deepEqual({ up, reachable }, { up: false, reachable: true });
    child.child.kill("SIGCONT");
    assert.equal((await ask({ kind: "websocket", url })).up, true);
  });
});

// As redis-server 7.0.15 and PostgreSQL 15.18 answer, byte for byte.
const recorded: readonly (readonly ["redis" | "postgres", string, string, boolean])[] = [
  ["redis", "is well", "+PONG\r\n", true],
  ["redis", "wants a password", "-NOAUTH Authentication required.\r\n", true],
  ["redis", "still loads its data", "-LOADING Redis is loading the dataset in memory\r\n", false],
  ["redis", "refuses strangers", "-DENIED Redis is running in protected mode\r\n", false],
  ["redis", "is something else", "220 mail.example ESMTP\r\n", false],
  ["postgres", "speaks no TLS", "N", true],
  ["postgres", "speaks TLS", "S", true],
  ["postgres", "says an error at once", "E\0\0\0\x0fSFATAL\0\0", true],
  ["postgres", "is something else", "HTTP/1.1 400 Bad Request\r\n\r\n", false],
];
suite("a database endpoint", () => {
  for (const [kind, says, answer, up] of recorded)
    test(`of kind ${kind} is ${up ? "up" : "down"} when it ${says}`, async () => {
      await using server = await saying(answer);
      const reading = await ask({ kind, host: "127.0.0.1", port: server.port });
      assert.deepEqual([reading.up, reading.reachable], [up, true], reading.failure);
    });

  test("is asked in the words of its protocol", async () => {
    const heard: Buffer[] = [];
    await using server = await listening((socket) => {
      socket.on("data", (part) => {
        heard.push(part);
        socket.end();
      });
    });
    for (const kind of ["redis", "postgres"] as const)
      assert.equal((await ask({ kind, host: "127.0.0.1", port: server.port })).failure, "reset");
    assert.deepEqual(heard, [
      Buffer.from("*1\r\n$4\r\nPING\r\n"),
      Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]),
    ]);
  });

  test("is waited for while its answer comes in parts", async () => {
    await using server = await listening((socket) => {
      socket.once("data", () => {
        socket.setNoDelay().write("+PO");
        setImmediate(() => socket.write("NG\r\n"));
      });
    });
    assert.equal((await ask({ kind: "redis", host: "127.0.0.1", port: server.port })).up, true);
  });
});

suite("what a stranger may say", () => {
  const url = new URL("http://127.0.0.1:1/a");
  for (const [kind, dialogue] of [
    ["http", () => http(url, 200)],
    ["websocket", () => websocket(url)],
    ["redis", redis],
    ["postgres", postgres],
  ] as const)
    test(`is never more than ${kind} can take, however it is cut`, () => {
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(
          "HTTP/1.1 200 OK\r\n",
          "HTTP/1.1 101 \r\n",
          "content-length: 9\r\n",
          "\r\n",
          "\r\n\r\n",
          "+PONG",
        ),
        fc.constantFrom(
          "transfer-encoding: chunked\r\n",
          "0\r\n\r\n",
          "-NOAUTH ",
          "N",
          "content-length: -1\r\n",
        ),
      );
      fc.assert(
        fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
          const hears = dialogue();
          let received = Buffer.alloc(0);
          for (const each of pieces) {
            received = Buffer.concat([received, Buffer.from(each)]);
            if (hears.hear(received, false).judged !== undefined) return;
          }
          hears.hear(received, true);
        }),
      );
    });

  test("is a failure of the conversation even where it is a mistake of ours", async () => {
    await using server = await saying("hello");
    const dialogue = {
      opening: Buffer.from("hello"),
      hear: () => {
        throw new TypeError("a mistake");
      },
    };
    const to = { host: "127.0.0.1", port: server.port };
    const { outcome, failure } = await converse(to, dialogue, { deadline: seconds(20), signal: never });
    assert.deepEqual([outcome, failure], ["wrong", "bug"]);
  });
});
