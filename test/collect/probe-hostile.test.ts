// Whatever answers in place of a gateway, is it a failed probe of a known reason and nothing worse? Each of these servers
// answers each probe in a way that no gateway does.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { named, watching } from "./probe-server.ts";

const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

type Hostile = {
  readonly does: string;
  readonly reason: string;
  readonly heard: boolean;
  /** Whether its time is counted: as long as it was given for one that never ends, not at all for a quick end. */
  readonly timed: boolean;
  readonly answer: (socket: Socket) => void;
};

const hostile: readonly Hostile[] = [
  {
    does: "speaks another protocol",
    reason: "protocol",
    heard: true,
    timed: true,
    answer: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  },
  {
    does: "sends random bytes",
    reason: "protocol",
    heard: true,
    timed: true,
    answer: (socket) => socket.end(Buffer.from([0, 255, 1, 254, 13, 10, 13, 10])),
  },
  {
    does: "sends a body without end",
    reason: "protocol",
    heard: true,
    timed: true,
    answer(socket) {
      socket.write(`${head}\r\n`);
      const flood = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(16_384, "x")));
      };
      socket.on("drain", flood);
      flood();
    },
  },
  {
    does: "sends headers without end",
    reason: "protocol",
    heard: true,
    timed: true,
    answer(socket) {
      socket.write(head);
      const flood = () => {
        while (!socket.destroyed && socket.write(`X-More: ${"y".repeat(4096)}\r\n`));
      };
      socket.on("drain", flood);
      flood();
    },
  },
  {
    does: "sends one byte after the other",
    reason: "timeout",
    heard: true,
    timed: true,
    answer(socket) {
      let sent = 0;
      const text = `${head}Content-Length: 2\r\n\r\n{}`;
      const drip = setInterval(() => socket.write(text.charAt(sent++ % text.length)), 25);
      socket.on("close", () => clearInterval(drip));
    },
  },
  {
    does: "promises more than it sends",
    reason: "timeout",
    heard: true,
    timed: true,
    answer: (socket) => socket.write(`${head}Content-Length: 1000\r\n\r\n{`),
  },
  {
    does: "hangs up without a word",
    reason: "reset",
    heard: false,
    timed: false,
    answer: (socket) => socket.end(),
  },
  {
    does: "cuts the connection off",
    reason: "reset",
    heard: false,
    timed: false,
    answer: (socket) => socket.resetAndDestroy(),
  },
  {
    does: "sends it elsewhere",
    reason: "status",
    heard: true,
    timed: true,
    answer: (socket) =>
      socket.end("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
  },
];

for (const { does, reason, heard, timed, answer } of hostile)
  test(`a server that ${does} fails every probe as ${reason}`, async () => {
    await using server = await listening(answer);
    const times: number[] = [];
    await using watch = watching(server, (_probe, took) => times.push(took));
    for (let n = 1; n <= 2; n++) {
      const reading = await watch.read();
      assert.partialDeepStrictEqual(reading.healthz, { outcome: "failed", heard });
      assert.deepEqual(
        [reading.phase, reading.version, reading.loopDelayP99, reading.loopDelayMax],
        [undefined, undefined, undefined, undefined],
      );
      const asked = heard ? ["healthz", "startupz", "readyz"] : ["healthz"];
      assert.deepEqual(named(watch.samples(), "probe_success"), Object.fromEntries(asked.map((p) => [p, 0])));
      const why = watch.samples().filter(({ name }) => name === "openclaw_gateway_probe_failure_info");
      assert.deepEqual(new Set(why.map(({ labels }) => labels?.["reason"])), new Set([reason]));
      assert.equal(named(watch.samples(), "probe_consecutive_failures")["healthz"], n);
      assert.equal(times.splice(0).length, timed ? asked.length : 0);
      watch.pass(5);
    }
  });

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
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
