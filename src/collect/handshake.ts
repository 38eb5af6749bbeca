// What does a program say that works? The few bytes by which each kind of endpoint shows that it answers: no client
// library, no login, nothing that changes anything.
import { createHash, randomBytes } from "node:crypto";
import type { Dialogue, Turn } from "../platform/converse.ts";

export const endpointKinds = ["http", "tcp", "websocket", "redis", "postgres"] as const;
export type EndpointKind = (typeof endpointKinds)[number];

const more: Turn = { judged: undefined };
const right: Turn = { judged: "right" };
const wrong: Turn = { judged: "wrong" };

/** Enough to tell a page from an endless one. */
const bodyLimitBytes = 64 * 1024;

/** One GET, right when a whole answer with the expected status came. */
export function http(url: URL, expect: number): Dialogue {
  return {
    opening: request(url, ["accept: */*", "connection: close"]),
    hear(received, ended) {
      const head = headOf(received);
      if (head === "wrong") return wrong;
      if (head === undefined) return more;
      const arrived = received.length - head.end;
      const whole = head.lengthBytes !== undefined && arrived >= head.lengthBytes;
      const lastChunk = head.chunked && received.subarray(-5).equals(Buffer.from("0\r\n\r\n"));
      const without = head.status === 204 || head.status === 304;
      if (!ended && !whole && !lastChunk && !without && arrived <= bodyLimitBytes) return more;
      const cut = ended && head.lengthBytes !== undefined && !whole && !without;
      return head.status === expect && !cut ? right : wrong;
    },
  };
}

/** PING as RESP has it; a server that asks for a password first answers, too. */
export function redis(): Dialogue {
  return {
    opening: Buffer.from("*1\r\n$4\r\nPING\r\n"),
    hear(received) {
      const line = received.toString("latin1");
      if (!line.includes("\r\n")) return line.length > 1024 ? wrong : more;
      return line.startsWith("+PONG\r\n") || line.startsWith("-NOAUTH ") ? right : wrong;
    },
  };
}

/** SSLRequest: length 8, then the code 80877103; its answer is one byte, and PostgreSQL writes nothing to its log about it. */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** The question whether TLS is spoken: N, S, or E of a server that is too busy or too old for it. */
export function postgres(): Dialogue {
  return {
    opening: sslRequest,
    hear(received) {
      const [first] = received.toString("latin1");
      return first === undefined ? more : ["N", "S", "E"].includes(first) ? right : wrong;
    },
  };
}

// RFC 6455: the constant of section 1.3, the codes of frames of section 5.2.
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const opcodes = { close: 8, ping: 9, pong: 10 };

/** Upgrade, then a ping that has to come back as a pong; what the server says by itself meanwhile is passed over. */
export function websocket(url: URL): Dialogue {
  const key = randomBytes(16).toString("base64");
  const payload = randomBytes(8);
  const accept = createHash("sha1").update(`${key}${acceptSuffix}`).digest("base64");
  let at: number | undefined;
  return {
    opening: request(url, [
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      `sec-websocket-key: ${key}`,
    ]),
    hear(received) {
      if (at === undefined) {
        const head = headOf(received);
        if (head === undefined) return more;
        if (head === "wrong" || head.status !== 101 || head.accept !== accept) return wrong;
        at = head.end;
        return { judged: undefined, say: frame(opcodes.ping, payload) };
      }
      for (;;) {
        const next = frameAt(received, at);
        if (next === undefined) return more;
        if (next === "wrong" || next.opcode === opcodes.close) return wrong;
        if (next.opcode === opcodes.pong && next.payload.equals(payload))
          return { judged: "right", say: frame(opcodes.close, Buffer.from([3, 232])) };
        at = next.end;
      }
    },
  };
}

function request(url: URL, headers: readonly string[]): Buffer {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    "user-agent: openclaw-guard",
    ...headers,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

type Head = {
  readonly status: number;
  /** Where the body begins. */
  readonly end: number;
  readonly lengthBytes: number | undefined;
  readonly chunked: boolean;
  readonly accept: string | undefined;
};

const headLimitBytes = 32 * 1024;

/** The head of the final answer: interim ones (103 Early Hints) come before it. */
function headOf(received: Buffer): Head | "wrong" | undefined {
  let from = 0;
  for (;;) {
    const rest = received.subarray(from, from + headLimitBytes);
    const start = rest.subarray(0, 9).toString("latin1");
    if (!"HTTP/1.1 ".startsWith(start) && !"HTTP/1.0 ".startsWith(start)) return "wrong";
    const length = rest.indexOf("\r\n\r\n");
    if (length < 0) return rest.length < headLimitBytes ? undefined : "wrong";
    const text = rest.toString("latin1", 0, length);
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) return "wrong";
    from += length + 4;
    if (status >= 100 && status < 200 && status !== 101) continue;
    const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r?$`, "im").exec(text)?.[1];
    const lengthText = header("content-length");
    return {
      status,
      end: from,
      lengthBytes: lengthText !== undefined && /^\d+$/.test(lengthText) ? Number(lengthText) : undefined,
      chunked: /\bchunked\b/i.test(header("transfer-encoding") ?? ""),
      accept: header("sec-websocket-accept"),
    };
  }
}

/** A client's frame: whole, short, and masked as the protocol wants it of clients. */
function frame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, masked]);
}

/** The server's frame that begins at `at`, once it has arrived as a whole. */
function frameAt(
  received: Buffer,
  at: number,
): { readonly opcode: number; readonly payload: Buffer; readonly end: number } | "wrong" | undefined {
  if (received.length < at + 2) return undefined;
  const opcode = received.readUInt8(at) & 0x0f;
  const second = received.readUInt8(at + 1);
  if ((second & 0x80) !== 0) return "wrong";
  let from = at + 2;
  let length = second & 0x7f;
  const extra = length === 126 ? 2 : length === 127 ? 8 : 0;
  if (received.length < from + extra) return undefined;
  if (extra === 2) length = received.readUInt16BE(from);
  if (extra === 8) length = Number(received.readBigUInt64BE(from));
  from += extra;
  if (received.length < from + length) return undefined;
  return { opcode, payload: received.subarray(from, from + length), end: from + length };
}
