// What do /healthz, /startupz and /readyz answer? Status codes and bodies of OpenClaw 2026.9.6.
import type { IncomingMessage, ServerResponse } from "node:http";
import { monotonic } from "../platform/clock.ts";
import type { Condition } from "./condition.ts";

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** Answers one request; says nothing at all while mute, and late while slow. */
export function probes(
  condition: Condition,
  version: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  const born = monotonic();
  return (request, response) => {
    if (condition.mute) return;
    const answer = (): void => {
      if (!condition.mute) reply(request, response, condition, version, Math.round(monotonic() - born));
    };
    if (condition.slowMs > 0) setTimeout(answer, condition.slowMs);
    else answer();
  };
}

function reply(
  request: IncomingMessage,
  response: ServerResponse,
  condition: Condition,
  version: string,
  uptimeMs: number,
): void {
  response.setHeader("Cache-Control", "no-store");
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const found = answerTo(path, condition, version, uptimeMs);
  if (found !== undefined && request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    response.writeHead(405, { "Content-Type": "text/plain; charset=utf-8" }).end("Method Not Allowed");
    return;
  }
  if (found === undefined) send(response, { status: 404, body: { error: "not found" } });
  else if (request.headers["x-forwarded-for"] !== undefined) send(response, forwarded);
  else send(response, found);
}

/** A real gateway tells nothing to a caller whose address a proxy may have invented. */
const forwarded: Answer = {
  status: 403,
  body: {
    error: { message: "Proxy client attribution is required.", type: "proxy_attribution_required" },
  },
};

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body);
  const headers = {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
  };
  response.writeHead(status, headers).end(text); // Node itself leaves the body out of an answer to HEAD
}

function answerTo(path: string, condition: Condition, version: string, uptimeMs: number): Answer | undefined {
  const { phase, loop } = condition;
  const started = phase === "started";
  if (path === "/healthz" || path === "/health") return { status: 200, body: { ok: true, status: "live" } };
  if (path === "/startupz") {
    const pending = phase === "starting" ? { pendingReason: "startup-sidecars" } : {};
    return {
      status: started ? 200 : 503,
      body: { ok: started, status: phase, version, uptimeMs, ...pending },
    };
  }
  if (path !== "/readyz") return undefined;
  const failing = { starting: ["startup-sidecars"], started: [], draining: ["gateway-draining"] }[phase];
  const eventLoop = loop === undefined ? {} : { eventLoop: loop };
  return { status: started ? 200 : 503, body: { ready: started, failing, uptimeMs, ...eventLoop } };
}
