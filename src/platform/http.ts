// Does a server answer, and if not, did it send a single byte? One GET on a fresh connection, and one text WebSocket.
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { Agent, buildConnector, Client, errors, WebSocket } from "undici";
import { classify, type FailureKind } from "../core/failure.ts";
import { type Millis, ms } from "../core/time.ts";
import { monotonic, sleep } from "./clock.ts";

const bodyLimitBytes = 64 * 1024;
/** A deadline that is noticed this much too late was missed by ourselves: our loop was blocked or the host slept. */
export const ownStall = ms(1000);
/** Faults of this machine, whoever is spoken to: no route, no local port, no descriptor, no memory, no right. */
export const localFaults: readonly string[] = [
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
  "ENOMEM",
  "EACCES",
  "EPERM",
];
/** A gateway has an address of this host: where its name or route is missing, the fault is ours, too. */
const ownFaults = new Set([...localFaults, "EHOSTUNREACH", "ENOTFOUND", "EAI_AGAIN"]);

/** A request whose deadline passed without a byte, left open so that a late answer can still be heard. */
export type Held = {
  /** Whether any byte has arrived by now. */
  heard(): boolean;
  /** Whether the connection is over, with or without an answer. */
  ended(): boolean;
  close(): void;
};

/** What came of one GET. `inconclusive` means that the fault was our own. */
export type Answer = {
  readonly outcome: "answered" | "failed" | "inconclusive";
  /** Whether at least one byte arrived; a TCP connect is answered by the kernel and proves nothing. */
  readonly heard: boolean;
  readonly status: number | undefined;
  /** Present when the whole body arrived in time; at most 64 KiB. */
  readonly body: string | undefined;
  readonly duration: Millis;
  readonly failure: FailureKind | undefined;
  readonly held: Held | undefined;
};

type Exchange = {
  socket: Socket | undefined;
  status: number | undefined;
  body: string | undefined;
  error: unknown;
  settled: boolean;
};

const connect = buildConnector({ timeout: 0, keepAlive: false, allowH2: false });

/**
 * Asks for `url` on a connection of its own, follows no redirect and waits at most `deadline`. With `hold`, a request
 * that heard nothing is left open and handed back. Rejects only when `signal` is aborted.
 */
export async function get(
  url: URL,
  options: { readonly deadline: Millis; readonly signal: AbortSignal; readonly hold?: boolean },
): Promise<Answer> {
  options.signal.throwIfAborted();
  const startedAt = monotonic();
  const exchange: Exchange = {
    socket: undefined,
    status: undefined,
    body: undefined,
    error: undefined,
    settled: false,
  };
  const client = new Client(url.origin, {
    connect: (to, done) =>
      connect(to, (error, socket) => {
        if (error !== null) return done(error, null);
        exchange.socket = socket;
        done(null, socket);
      }),
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const close = () => void client.destroy().catch(() => undefined);
  const over = receive(client, url, exchange);

  const answered = new AbortController();
  const wait = sleep(options.deadline, AbortSignal.any([options.signal, answered.signal])).catch(
    () => undefined,
  );
  await Promise.race([over, wait]);
  if (!exchange.settled) await catchUp();
  answered.abort();
  if (options.signal.aborted) {
    close();
    throw options.signal.reason;
  }

  const duration = ms(monotonic() - startedAt);
  const heard = heardOn(exchange);
  const answer = { heard, status: exchange.status, body: exchange.body, duration, held: undefined };
  if (exchange.settled) {
    close();
    if (exchange.error === undefined) return { ...answer, outcome: "answered", failure: undefined };
    const outcome = !heard && isOwnFault(exchange.error) ? "inconclusive" : "failed";
    return { ...answer, outcome, failure: failureOf(exchange.error) };
  }
  const late = !heard && duration > options.deadline + ownStall;
  if (options.hold === true && !heard && !late) {
    const held: Held = { heard: () => heardOn(exchange), ended: () => exchange.settled, close };
    return { ...answer, outcome: "failed", failure: "timeout", held };
  }
  close();
  return { ...answer, outcome: late ? "inconclusive" : "failed", failure: "timeout" };
}

/**
 * Lets the event loop read what is there before a deadline is held against somebody: timers run before sockets are read,
 * so an answer that arrived while our own loop was busy is still to be picked up.
 */
export async function catchUp(): Promise<void> {
  for (let turns = 0; turns < 2; turns++) await turn();
}

/** A text WebSocket: what it hears goes to the listeners it was opened with. */
export type Channel = { send(text: string): void; close(): void };

/** What a channel reports; `closed` comes exactly once, also when it never opened. */
export type ChannelEvents = {
  opened(): void;
  heard(text: string): void;
  closed(code: number, failure: FailureKind): void;
};

/** Opens a WebSocket without compression of ours; a message above `maxMessageBytes` closes it. */
export function openChannel(
  url: URL,
  options: { readonly connectTimeout: Millis; readonly maxMessageBytes: number },
  events: ChannelEvents,
): Channel {
  let socket: Socket | undefined;
  let failure: FailureKind | undefined;
  let spoke = false;
  let over = false;
  const reach = buildConnector({ timeout: options.connectTimeout, allowH2: false });
  const agent = new Agent({
    connect: (to: buildConnector.Options, done: buildConnector.Callback) =>
      reach(to, (error, connected) => {
        if (error !== null) {
          failure = classify(error);
          return done(error, null);
        }
        socket = connected;
        if (over) connected.destroy();
        done(null, connected);
      }),
    headersTimeout: options.connectTimeout,
    webSocket: { maxPayloadSize: options.maxMessageBytes },
  });
  const web = new WebSocket(url, { dispatcher: agent });
  const end = (code: number) => {
    if (over) return;
    over = true;
    // A hung peer never answers the closing handshake, and an upgraded socket is no longer the agent's to close.
    socket?.destroy();
    void agent.destroy().catch(() => undefined);
    events.closed(code, failure ?? "reset");
  };
  web.addEventListener("open", () => {
    spoke = true;
    events.opened();
  });
  web.addEventListener("message", (event) => {
    if (over) return;
    if (typeof event.data === "string") return events.heard(event.data);
    failure = "protocol";
    end(1003);
  });
  // The event's own error is a wrapper without a cause: before the channel is open, a refused upgrade; later, a loss.
  web.addEventListener("error", () => {
    failure ??= spoke ? "reset" : "protocol";
  });
  web.addEventListener("close", (event) => end(event.code));
  return {
    send: (text) => {
      if (!over && web.readyState === WebSocket.OPEN) web.send(text);
    },
    close: () => {
      if (web.readyState === WebSocket.OPEN) web.close(1000);
      end(1000);
    },
  };
}

/**
 * Never rejects: what happened is left in `exchange`, since a held request settles when nobody waits for it. The bare
 * dispatch costs a third of undici's `request`, which builds a stream for every body.
 */
function receive(client: Client, url: URL, exchange: Exchange): Promise<void> {
  const over = Promise.withResolvers<void>();
  const parts: Buffer[] = [];
  let length = 0;
  const settle = (error: unknown) => {
    exchange.error ??= error;
    exchange.settled = true;
    over.resolve();
  };
  client.dispatch(
    {
      method: "GET",
      path: `${url.pathname}${url.search}`,
      headers: { accept: "application/json", "user-agent": "openclaw-guard" },
      reset: true,
    },
    {
      // Without this member undici takes the handler for one of its older interface.
      onRequestStart: () => undefined,
      onResponseStart(_controller, status) {
        exchange.status = status;
      },
      onResponseData(controller, part) {
        length += part.length;
        if (length > bodyLimitBytes) controller.abort(new OversizedBody());
        else parts.push(part);
      },
      onResponseEnd() {
        exchange.body = Buffer.concat(parts).toString("utf8");
        settle(undefined);
      },
      onResponseError: (_controller, error) => settle(error),
    },
  );
  return over.promise;
}

/** The code is the parser's own for a message that breaks the rules, so that it is classified as `protocol`. */
class OversizedBody extends Error {
  readonly code = "HPE_USER";

  constructor() {
    super(`read answer: body is longer than ${bodyLimitBytes} bytes`);
  }
}

function heardOn(exchange: Exchange): boolean {
  return (exchange.socket?.bytesRead ?? 0) > 0;
}

/** The parser's own error has a code only sometimes. */
function failureOf(error: unknown): FailureKind {
  const { HTTPParserError, HeadersOverflowError } = errors;
  const broken = error instanceof HTTPParserError || error instanceof HeadersOverflowError;
  return broken ? "protocol" : classify(error);
}

function isOwnFault(error: unknown): boolean {
  let e = error;
  for (let depth = 0; e instanceof Error && depth < 5; depth++) {
    if ("code" in e && typeof e.code === "string" && ownFaults.has(e.code)) return true;
    e = e.cause;
  }
  return false;
}
