// What do probes of a gateway see? A server that answers the three of them as a real one does, and falls ill on command.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { probeCollector } from "../../src/collect/probe.ts";
import type { LatencySink } from "../../src/collect/tally.ts";
import type { ProbeReading } from "../../src/core/readings.ts";
import type { Sample } from "../../src/core/sample.ts";
import { after, instant, ms, seconds } from "../../src/core/time.ts";

const never = new AbortController().signal;

/** The probes of a gateway on a clock that is turned by hand. */
export function watching(gateway: { readonly url: URL }, latency: LatencySink = () => undefined) {
  let at = instant(1_800_000_000_000);
  const { url } = gateway;
  const collector = probeCollector({ url, now: () => at, timeout: ms(150), every: seconds(5), latency });
  let last: ProbeReading | undefined;
  return {
    collector,
    async read(): Promise<ProbeReading> {
      last = await collector.read(never);
      return last;
    },
    samples(): readonly Sample[] {
      assert.ok(last !== undefined);
      return collector.samples(last);
    },
    pass(length: number) {
      at = after(at, seconds(length));
    },
    [Symbol.asyncDispose]: () => collector[Symbol.asyncDispose](),
  };
}

/** Values of one family by its only label. */
export function named(samples: readonly Sample[], family: string): Record<string, number> {
  const chosen = samples.filter(({ name }) => name === `openclaw_gateway_${family}`);
  return Object.fromEntries(chosen.map(({ labels, value }) => [Object.values(labels ?? {})[0] ?? "", value]));
}

export function values(samples: readonly Sample[], suffix: string): readonly number[] {
  return samples.filter(({ name }) => name.endsWith(suffix)).map(({ value }) => value);
}

export async function until(so: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!so()) {
    assert.ok(performance.now() < deadline, "not so within 5 s");
    await wait(5);
  }
}

type State = "started" | "starting" | "draining" | "blocked" | "broken";

/** Answers the three probes as the real gateway does; `body` replaces every answer by something else. */
export async function startGateway(body?: string) {
  let state: State = "started";
  const asked: Record<string, number> = {};
  const waiting: ServerResponse[] = [];
  const open = new Set<Socket>();
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? "").slice(1);
    asked[path] = (asked[path] ?? 0) + 1;
    if (state === "blocked") return void waiting.push(response);
    if (state === "broken") return void response.writeHead(500).end("oops");
    if (body !== undefined) return void response.end(body);
    const begun = { ok: state === "started", status: state, version: "2026.9.6", uptimeMs: 5 };
    const ready = {
      ready: true,
      failing: [],
      eventLoop: { degraded: false, delayP99Ms: 21.5, delayMaxMs: 40 },
    };
    const said = { healthz: { ok: true, status: "live" }, startupz: begun, readyz: ready }[path];
    response.writeHead(path === "healthz" || state === "started" ? 200 : 503).end(JSON.stringify(said));
  };
  const server = createServer(answer);
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    be(next: State) {
      state = next;
    },
    answerWaiting() {
      for (const response of waiting.splice(0)) response.end("{}");
    },
    cut() {
      for (const socket of open) socket.resetAndDestroy();
    },
    asked: () => asked,
    connections: () => open.size,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}
