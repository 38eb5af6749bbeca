// What does a gateway's WebSocket RPC look like to a client? As much of the protocol as the guard uses, on a free port.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Sample } from "../../src/core/sample.ts";

export const idleCounts = {
  queueSize: 0,
  pendingReplies: 0,
  embeddedRuns: 0,
  cronRuns: 0,
  backgroundExecSessions: 0,
  rootRequests: 0,
  activeTasks: 0,
  totalActive: 0,
};
export const idle = { safe: true, counts: idleCounts, blockers: [], summary: "safe to restart now" };

export type Behaviour = {
  readonly preflight?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly lanes?: unknown;
  /** Without them `status` and `health` are methods that this gateway does not know. */
  readonly status?: unknown;
  readonly health?: unknown;
  /** Called before each answer. */
  readonly before?: (socket: WebSocket) => void;
  /** Upgrades and never sends the challenge. */
  readonly mute?: boolean;
};

/** Speaks the gateway's protocol as far as the guard uses it; the token is `T`. */
export async function startGateway(behaviour: Behaviour = {}) {
  let silent = false;
  let connections = 0;
  const hellos: Record<string, unknown>[] = [];
  const called: Record<string, number> = {};
  const open = new Set<Socket>();
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  sockets.on("connection", (socket) => {
    connections++;
    socket.on("error", () => undefined);
    const say = (message: unknown) => socket.send(JSON.stringify(message));
    if (behaviour.mute !== true)
      say({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } });
    socket.on("message", (data: Buffer) => {
      if (silent) return;
      behaviour.before?.(socket);
      const { id, method, params } = JSON.parse(data.toString("utf8"));
      const refuse = (error: object) => say({ type: "res", id, ok: false, error });
      const agree = (payload: unknown) => say({ type: "res", id, ok: true, payload });
      if (method === "connect") {
        hellos.push(params);
        const token = params.auth?.token;
        if (token === "T") return agree({ type: "hello-ok", protocol: 4 });
        // The real gateway puts the reason of a wrong token into the details.
        const details = { code: "AUTH_TOKEN_MISMATCH" };
        refuse(token === undefined ? { code: "NOT_PAIRED" } : { code: "INVALID_REQUEST", details });
        return socket.close(1008);
      }
      called[method] = (called[method] ?? 0) + 1;
      if (method === "diagnostics.lanes") return agree(behaviour.lanes);
      if (method === "status" || method === "health") {
        const told = method === "status" ? behaviour.status : behaviour.health;
        if (told === "silence") return;
        if (told !== undefined) return agree(told);
        return refuse({ code: "INVALID_REQUEST", message: `unknown method: ${method}` });
      }
      if (behaviour.error !== undefined) return refuse(behaviour.error);
      agree(behaviour.preflight ?? idle);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    hellos: () => hellos,
    /** How often each method was called, `connect` left out. */
    called: () => called,
    connections: () => connections,
    open: () => open.size,
    silence(on: boolean) {
      silent = on;
    },
    cut() {
      for (const socket of open) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** The samples of the RPC probe by what follows their common name; the duration varies, and is only looked for. */
export function probed(samples: readonly Sample[]): Record<string, number | string> {
  const prefix = "openclaw_gateway_probe_";
  const own = samples.filter(({ name, labels }) => name.startsWith(prefix) && labels?.["probe"] === "rpc");
  const entries = own.map(({ name, labels, value }): [string, number | string] => [
    name.slice(prefix.length),
    labels?.["reason"] ?? value,
  ]);
  const { duration_seconds: duration, ...rest } = Object.fromEntries(entries);
  assert.equal(duration !== undefined, "success" in rest, "a duration comes with every conclusive probe");
  return rest;
}
