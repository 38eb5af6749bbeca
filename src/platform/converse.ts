// Does a program behind a port speak as expected? One TCP connection, a few bytes each way, a deadline.
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { classify, type FailureKind } from "../core/failure.ts";
import { type Millis, ms } from "../core/time.ts";
import { monotonic, sleep } from "./clock.ts";
import { localFaults, ownStall } from "./http.ts";

/** Longer talk than this is broken off: what is asked for is a greeting. */
const receivedLimitBytes = 1024 * 1024;
/** Faults of our own side. A name that does not exist and a host without a route to it are the other side's. */
const ownFaults = new Set([...localFaults, "EAI_AGAIN"]);

/** What to do after hearing something: listen on, say something, or stop with a judgement and perhaps a last word. */
export type Turn =
  | { readonly judged: undefined; readonly say?: Buffer }
  | { readonly judged: "right" | "wrong"; readonly say?: Buffer };

/** One side of a conversation. `hear` is given everything received so far, and whether the other side has ended. */
export type Dialogue = {
  readonly opening: Buffer;
  hear(received: Buffer, ended: boolean): Turn;
};

/** What came of it. `inconclusive` means that the fault was our own. */
export type Conversation = {
  readonly outcome: "right" | "wrong" | "inconclusive";
  /** Whether the connection was made: the kernel accepts for a program that hangs. */
  readonly reached: boolean;
  /** Whether at least one byte arrived. */
  readonly heard: boolean;
  readonly duration: Millis;
  readonly failure: FailureKind | undefined;
};

/**
 * Connects to `to` and leads the dialogue until it is judged or the deadline has passed; without a dialogue the connection
 * alone is right. Rejects only when `signal` is aborted.
 */
export async function converse(
  to: { readonly host: string; readonly port: number },
  dialogue: Dialogue | undefined,
  options: { readonly deadline: Millis; readonly signal: AbortSignal },
): Promise<Conversation> {
  options.signal.throwIfAborted();
  const startedAt = monotonic();
  const over = Promise.withResolvers<void>();
  let reached = false;
  const verdict: { judged: "right" | "wrong" | undefined } = { judged: undefined };
  let failure: FailureKind | undefined;
  let own = false;
  const parts: Buffer[] = [];
  let length = 0;

  const socket = connect(to);
  const end = (how: "right" | "wrong", why?: FailureKind) => {
    if (verdict.judged !== undefined) return;
    verdict.judged = how;
    failure = why;
    over.resolve();
  };
  const hear = (ended: boolean) => {
    if (verdict.judged !== undefined || dialogue === undefined) return;
    if (length > receivedLimitBytes) return end("wrong", "protocol");
    // One buffer again and again: a greeting comes in one or two parts.
    const received = Buffer.concat(parts);
    parts.splice(0, parts.length, received);
    try {
      const { judged: how, say } = dialogue.hear(received, ended);
      if (say !== undefined && !ended) socket.write(say);
      if (how !== undefined) end(how, how === "wrong" ? "protocol" : undefined);
      else if (ended) end("wrong", "reset");
    } catch {
      // Thrown inside the socket's event it would end the whole program, over what a stranger said.
      end("wrong", "bug");
    }
  };
  socket.on("connect", () => {
    reached = true;
    if (dialogue === undefined) return end("right");
    socket.write(dialogue.opening);
  });
  socket.on("data", (part) => {
    if (verdict.judged !== undefined) return;
    parts.push(part);
    length += part.length;
    hear(false);
  });
  socket.on("end", () => hear(true));
  socket.on("error", (error) => {
    // Of a host with several addresses each has failed; what one of them did wins over what we could not do.
    const each: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
    const theirs = each.find((one) => !isOwnFault(one));
    own = theirs === undefined;
    end("wrong", classify(theirs ?? error));
  });
  socket.on("close", () => end("wrong", "reset"));

  const settled = new AbortController();
  const wait = sleep(options.deadline, AbortSignal.any([options.signal, settled.signal])).catch(
    () => undefined,
  );
  await Promise.race([over.promise, wait]);
  // Timers run before sockets are read: what arrived while our own loop was busy is still to be picked up.
  for (let turns = 0; turns < 2 && verdict.judged === undefined; turns++) await turn();
  settled.abort();
  const how = verdict.judged;
  const why = how === undefined ? "timeout" : failure;
  if (how === "right") socket.destroySoon();
  else socket.destroy();
  options.signal.throwIfAborted();

  const duration = ms(monotonic() - startedAt);
  const late = how === undefined && duration > options.deadline + ownStall;
  const heard = length > 0;
  if (late || (own && !reached)) return { outcome: "inconclusive", reached, heard, duration, failure: why };
  return { outcome: how ?? "wrong", reached, heard, duration, failure: why };
}

function isOwnFault(error: unknown): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && ownFaults.has(error.code)
  );
}
