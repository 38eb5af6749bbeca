// How does a command ask a server on this host? One request with a deadline and a bounded answer.
import { request } from "undici";
import type { Millis } from "../core/time.ts";

const answerLimitBytes = 16 * 1024 * 1024;

/** Sends one request; rejects when there is no answer within the deadline or it is larger than 16 MiB. */
export async function ask(
  url: string,
  options: {
    readonly method?: "GET" | "POST";
    readonly body?: unknown;
    readonly token?: string | undefined;
    readonly deadline: Millis;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly status: number; readonly body: string }> {
  const { statusCode, body } = await request(url, {
    method: options.method ?? "GET",
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.deadline)]),
  });
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > answerLimitBytes)
      throw new Error(`ask ${url}: the answer is larger than ${answerLimitBytes} bytes`);
    parts.push(bytes);
  }
  return { status: statusCode, body: Buffer.concat(parts).toString("utf8") };
}
