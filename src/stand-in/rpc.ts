// What does the WebSocket answer? The connect handshake and the read-only calls of OpenClaw 2026.9.6, protocol 4.
import { randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { now } from "../platform/clock.ts";
import { type Condition, workOf } from "./condition.ts";

type Refusal = {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
};
type Given = { readonly token: string; readonly version: string; readonly drainMs: number };

const protocol = 4;
const bootId = randomUUID();

const requestShape = z.object({
  type: z.literal("req"),
  id: z.string(),
  method: z.string(),
  params: z.unknown(),
});
const connectShape = z.object({
  minProtocol: z.number(),
  maxProtocol: z.number(),
  client: z.object({ id: z.literal("gateway-client"), mode: z.literal("backend") }),
  scopes: z.array(z.string()).default([]),
  auth: z.object({ token: z.string().optional() }).optional(),
});

/** Takes over upgraded connections; `end` drops them all. A mute stand-in leaves the upgrade unanswered. */
export function rpc(
  condition: Condition,
  given: Given,
): { readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void; end(): void } {
  const server = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  server.on("connection", (socket) => converse(socket, condition, given));
  return {
    upgrade: (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      if (condition.mute) return;
      server.handleUpgrade(request, socket, head, (client) => server.emit("connection", client, request));
    },
    end: () => {
      for (const client of server.clients) client.terminate();
    },
  };
}

function converse(socket: WebSocket, condition: Condition, given: Given): void {
  let scopes: readonly string[] | undefined;
  socket.on("error", () => socket.terminate());
  send(socket, event("connect.challenge", { nonce: randomUUID(), ts: now() }));
  socket.on("message", (data: RawData) => {
    const request = requestShape.safeParse(parsed(data));
    if (!request.success) return socket.close(1000);
    const { id, method, params } = request.data;
    const answer = (): void => {
      if (condition.mute) return;
      if (scopes === undefined) {
        scopes = connect(socket, id, method, params, given);
        return;
      }
      // A real gateway sends events between answers; clients that do not match on the id must fail here too.
      send(socket, event("tick", { ts: now() }));
      call(socket, id, method, scopes, condition, given);
    };
    if (condition.slowMs > 0) setTimeout(answer, condition.slowMs);
    else answer();
  });
}

function connect(
  socket: WebSocket,
  id: string,
  method: string,
  params: unknown,
  given: Given,
): readonly string[] | undefined {
  const refused = (refusal: Refusal, code = 1008): undefined => {
    send(socket, { type: "res", id, ok: false, error: refusal });
    socket.close(code, refusal.message);
  };
  if (method !== "connect")
    return refused({
      code: "INVALID_REQUEST",
      message: "invalid handshake: first request must be connect",
    });
  const asked = connectShape.safeParse(params);
  if (!asked.success) {
    const where = asked.error.issues[0]?.path.join("/") ?? "";
    return refused({ code: "INVALID_REQUEST", message: `invalid connect params: at /${where}` });
  }
  const { minProtocol, maxProtocol, auth, scopes } = asked.data;
  if (minProtocol > protocol || maxProtocol < protocol) {
    const versions = { clientMinProtocol: minProtocol, clientMaxProtocol: maxProtocol };
    const details = { code: "PROTOCOL_MISMATCH", ...versions, expectedProtocol: protocol };
    return refused({ code: "INVALID_REQUEST", message: "protocol mismatch", details }, 1002);
  }
  if (auth?.token === undefined) {
    const details = { code: "DEVICE_IDENTITY_REQUIRED" };
    return refused({ code: "NOT_PAIRED", message: "device identity required", details });
  }
  if (!sameSecret(auth.token, given.token)) {
    const message = "unauthorized: gateway token mismatch (provide gateway auth token)";
    const details = { code: "AUTH_TOKEN_MISMATCH", authReason: "token_mismatch" };
    return refused({ code: "INVALID_REQUEST", message, details });
  }
  const server = { version: given.version, bootId, connId: randomUUID() };
  const features = { methods: Object.keys(calls), events: ["tick"] };
  send(socket, {
    type: "res",
    id,
    ok: true,
    payload: { type: "hello-ok", protocol, server, features, snapshot: {}, auth: { scopes }, policy: {} },
  });
  return scopes;
}

function call(
  socket: WebSocket,
  id: string,
  method: string,
  scopes: readonly string[],
  condition: Condition,
  given: Given,
): void {
  const known = calls[method];
  // A real gateway treats every method it does not know as one for administrators.
  const needed = known === undefined ? "operator.admin" : "operator.read";
  if (!scopes.includes(needed)) {
    const details = { code: "MISSING_SCOPE", missingScope: needed, requiredScopes: [needed] };
    const error = { code: "FORBIDDEN", message: `missing scope: ${needed}`, details };
    send(socket, { type: "res", id, ok: false, error });
  } else if (known === undefined) {
    const error = { code: "INVALID_REQUEST", message: `unknown method: ${method}` };
    send(socket, { type: "res", id, ok: false, error });
  } else send(socket, { type: "res", id, ok: true, payload: known(condition, given) });
}

const calls: Readonly<Record<string, (condition: Condition, given: Given) => object>> = {
  "gateway.restart.preflight": workOf,
  health: (condition) => ({
    ok: true,
    ts: now(),
    plugins: { loaded: [], errors: [], unavailable: [] },
    channels: {},
    modelRuntime: { degraded: false, pendingAgents: [] },
    ...eventLoop(condition),
  }),
  status: (condition, given) => {
    const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
    return {
      runtimeVersion: given.version,
      pid: process.pid,
      processMemory: {
        rssBytes: rss,
        heapUsedBytes: heapUsed,
        heapTotalBytes: heapTotal,
        externalBytes: external,
        arrayBuffersBytes: arrayBuffers,
      },
      shutdownBudget: { timeoutMs: given.drainMs + 10_000, activeWork: { rootRequests: condition.runs } },
      ...eventLoop(condition),
    };
  },
};

const eventLoop = (condition: Condition): object =>
  condition.loop === undefined ? {} : { eventLoop: condition.loop };

const event = (name: string, payload: object): object => ({ type: "event", event: name, payload });

function send(socket: WebSocket, frame: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
}

function parsed(data: RawData): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(data) ? data.toString("utf8") : "");
  } catch {
    return undefined;
  }
}

function sameSecret(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
