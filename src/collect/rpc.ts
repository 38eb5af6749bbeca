// How does one talk to the gateway's WebSocket RPC? Challenge, connect, then calls matched by id.
import { z } from "zod";
import { type FailureKind } from "../core/failure.ts";
import type { Millis } from "../core/time.ts";
import { catchUp, type Channel, openChannel, ownStall } from "../platform/http.ts";
import { monotonic, sleep } from "../platform/clock.ts";

const protocolVersion = 4;
/** The hello carries a snapshot of the gateway's state; a busy one stays well below this. */
const maxMessageBytes = 4 * 1024 * 1024;
/** Calls in flight at a time; one that is never answered is given up at its deadline. */
const maxPending = 16;

/** What a call or connect can end with beside the failures of the network. */
export type RpcFailure =
  | FailureKind
  | "unauthorized"
  | "forbidden"
  | "unavailable"
  | "unknown_method"
  | "rejected"
  | "overloaded";

/** A token that is wrong or may not read, too many calls of ours, a name or a network that is not there. */
const ourFailures: ReadonlySet<RpcFailure> = new Set([
  "unauthorized",
  "forbidden",
  "overloaded",
  "dns",
  "network",
  "bug",
]);

/** A call that was not answered, or answered with an error; never carries the token. */
export class RpcError extends Error {
  readonly failure: RpcFailure;
  /** Whether the gateway itself said so, which leaves the connection usable. */
  readonly answered: boolean;
  /** Whether the fault is on our side, so that it says nothing about the gateway. */
  readonly ours: boolean;

  constructor(what: string, failure: RpcFailure, answered: boolean, ours = ourFailures.has(failure)) {
    super(`${what}: ${failure}`);
    this.name = "RpcError";
    this.failure = failure;
    this.answered = answered;
    this.ours = ours;
  }
}

/** A connection on which the gateway has said hello. */
export type Rpc = {
  readonly open: boolean;
  /** Resolves with the payload of the answer; rejects with {@link RpcError}, or with the signal's reason. */
  call(method: string, signal: AbortSignal): Promise<unknown>;
  close(): void;
};

/** The reason of a refused connect is in the details, below a general code. */
const refusal = z.object({
  code: z.string(),
  message: z.string().optional().catch(undefined),
  details: z.object({ code: z.string() }).optional().catch(undefined),
});

const frame = z.union([
  z.object({ type: z.literal("event"), event: z.string() }),
  z.object({
    type: z.literal("res"),
    id: z.string(),
    ok: z.boolean(),
    payload: z.unknown().optional(),
    error: refusal.optional(),
  }),
]);

type Pending = { resolve(payload: unknown): void; reject(error: Error): void };

const failureByCode: ReadonlyMap<string, RpcFailure> = new Map([
  ["NOT_PAIRED", "unauthorized"],
  ["AUTH_TOKEN_MISMATCH", "unauthorized"],
  ["UNAUTHORIZED", "unauthorized"],
  ["FORBIDDEN", "forbidden"],
  ["UNAVAILABLE", "unavailable"],
  ["PROTOCOL_MISMATCH", "protocol"],
  ["METHOD_NOT_FOUND", "unknown_method"],
  ["UNKNOWN_METHOD", "unknown_method"],
]);

/** Connects as the gateway's own kind of backend client, read only; rejects with {@link RpcError} within twice `timeout`. */
export async function openRpc(
  url: URL,
  token: string | undefined,
  timeout: Millis,
  signal: AbortSignal,
): Promise<Rpc> {
  const address = new URL("/", url);
  address.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  const pending = new Map<string, Pending>();
  const challenged = Promise.withResolvers<void>();
  challenged.promise.catch(() => undefined);
  let over = false;
  let lastId = 0;

  const channel: Channel = openChannel(
    address,
    { connectTimeout: timeout, maxMessageBytes },
    {
      opened: () => undefined,
      heard(text) {
        const message = parseFrame(text);
        // Events come at any time between answers, and what cannot be read answers nothing.
        if (message?.type === "event" && message.event === "connect.challenge") challenged.resolve();
        if (message?.type !== "res") return;
        const call = pending.get(message.id);
        pending.delete(message.id);
        if (message.ok) call?.resolve(message.payload);
        else call?.reject(new RpcError("call gateway", failureOf(message.error), true));
      },
      closed(code, failure) {
        over = true;
        const lost = new RpcError("call gateway", code === 1008 ? "unauthorized" : failure, false);
        challenged.reject(lost);
        for (const call of pending.values()) call.reject(lost);
        pending.clear();
      },
    },
  );

  async function exchange(method: string, params: object, stop: AbortSignal): Promise<unknown> {
    if (over) throw new RpcError(`call ${method}`, "reset", false);
    if (pending.size >= maxPending) throw new RpcError(`call ${method}`, "overloaded", false);
    const id = `${++lastId}`;
    const answer = Promise.withResolvers<unknown>();
    pending.set(id, answer);
    try {
      channel.send(JSON.stringify({ type: "req", id, method, params }));
      return await within(answer.promise, method, timeout, stop);
    } finally {
      pending.delete(id);
    }
  }

  try {
    await within(challenged.promise, "connect", timeout, signal);
    await exchange("connect", connectParams(token), signal);
  } catch (error) {
    channel.close();
    throw error;
  }
  return {
    get open() {
      return !over;
    },
    call: (method, stop) => exchange(method, {}, stop),
    close: () => channel.close(),
  };
}

/** The one identity that needs no device key on loopback and keeps its scopes; other client ids are refused. */
function connectParams(token: string | undefined): object {
  return {
    minProtocol: protocolVersion,
    maxProtocol: protocolVersion,
    client: { id: "gateway-client", version: "0", platform: "linux", mode: "backend" },
    role: "operator",
    scopes: ["operator.read"],
    caps: [],
    ...(token === undefined ? {} : { auth: { token } }),
  };
}

function parseFrame(text: string): z.infer<typeof frame> | undefined {
  try {
    return frame.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A method that a version does not have is refused as an invalid request, with only the text to tell it apart. */
function failureOf(error: z.infer<typeof refusal> | undefined): RpcFailure {
  const known = failureByCode.get(error?.details?.code ?? "") ?? failureByCode.get(error?.code ?? "");
  if (known !== undefined) return known;
  return /unknown method/i.test(error?.message ?? "") ? "unknown_method" : "rejected";
}

async function within<T>(answer: Promise<T>, what: string, timeout: Millis, signal: AbortSignal): Promise<T> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const from = monotonic();
  const late = sleep(timeout, stop).then(async () => {
    await catchUp();
    throw new RpcError(`call ${what}`, "timeout", false, monotonic() - from > timeout + ownStall);
  });
  late.catch(() => undefined);
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}
