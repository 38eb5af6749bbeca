// What does a gateway's WebSocket RPC look like to a client? As much of the protocol as the guard uses, on a free port.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

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
      if (method === "diagnostics.lanes") return agree(behaviour.lanes);
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
