// How does an alert come in? Authenticate, bound, parse, keep, answer 202, hand over; nothing is restarted from here.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Alert } from "../core/alert.ts";
import type { Instant } from "../core/time.ts";
import { isAuthentic } from "./authenticate.ts";
import { type Knows, type Payload, type PayloadProblem, parsePayload } from "./payload.ts";

const path = "/api/v1/alerts";

/** Fifty alerts with long annotations take some 100 KiB. */
const bodyLimitBytes = 256 * 1024;

/** Deliveries whose bodies may be under way at once; together they hold 8 MiB at most. */
const inFlightLimit = 32;

export const webhookFailures = [
  "unauthorized",
  "too_large",
  "malformed",
  "too_many_alerts",
  "unsupported_version",
  "cannot_record",
  "full",
] as const;
export type WebhookFailure = (typeof webhookFailures)[number];

export const alertResults = ["accepted", "duplicate", "resolved", "ignored"] as const;
export type AlertResult = (typeof alertResults)[number];

/** One thing to count: each request once, each failed one once more by its reason, and alerts by what became of them. */
export type Counted =
  | { readonly what: "request" }
  | { readonly what: "failure"; readonly reason: WebhookFailure }
  | { readonly what: "alerts"; readonly result: AlertResult; readonly n: number };

/** What receiving needs from the rest, each as narrow as its one use. */
export type Receiving = {
  readonly token: () => string;
  /** Returns once the alerts are on the disk; throws, with nothing kept, when that fails. */
  readonly keep: (alerts: readonly Alert[]) => {
    readonly accepted: readonly Alert[];
    readonly duplicate: number;
    readonly resolved: readonly Alert[];
  };
  /** Says that something about a gateway has changed; must return at once. */
  readonly hint: (gateway: string) => void;
  readonly heartbeat: (at: Instant) => void;
  readonly count: (one: Counted) => void;
  readonly knows: Knows;
  readonly now: () => Instant;
  readonly log: {
    readonly info: (facts: object, message: string) => void;
    readonly warn: (facts: object, message: string) => void;
    readonly error: (facts: object, message: string) => void;
  };
};

/** Registers `POST /api/v1/alerts`, in a scope of its own so that other routes keep their parsers and errors. */
export function receiveRoutes(app: FastifyInstance, given: Receiving): void {
  let inFlight = 0;

  const admit = async (request: FastifyRequest, reply: FastifyReply) => {
    given.count({ what: "request" });
    if (!isAuthentic(request.headers.authorization, given.token())) {
      reply.header("www-authenticate", 'Bearer realm="openclaw-guard"');
      return refuse(reply, given, 401, "unauthorized", {
        error: "unauthorized",
        fix: "set authorization.credentials_file in the http_config of this receiver to the guard's token file",
      });
    }
    if (inFlight >= inFlightLimit) {
      return refuse(reply, given, 503, "full", {
        error: `more than ${inFlightLimit} deliveries at once`,
        fix: "send it again later; Alertmanager does so by itself",
      });
    }
    inFlight++;
    // Also when the sender goes away in the middle of its body.
    reply.raw.once("close", () => inFlight--);
    return undefined;
  };

  app.register(async (scope) => {
    // Only JSON is read; fastify would otherwise hand over plain text as well.
    scope.removeContentTypeParser("text/plain");
    scope.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, given));
    scope.post(path, { onRequest: admit, bodyLimit: bodyLimitBytes }, async (request, reply) =>
      receive(request.body, reply, given),
    );
    scope.route({
      method: ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"],
      url: path,
      exposeHeadRoute: false,
      onRequest: async (_request, reply) => {
        given.count({ what: "request" });
        reply.header("allow", "POST");
        return refuse(reply, given, 405, "malformed", {
          error: "method not allowed",
          fix: "send alerts with POST; set follow_redirects: false in Alertmanager, which follows with GET",
        });
      },
      handler: async () => undefined,
    });
  });
}

function receive(body: unknown, reply: FastifyReply, given: Receiving): FastifyReply {
  const payload = parsePayload(body, given.knows);
  if (!payload.ok) return refusePayload(payload, reply, given);
  // The pipeline works, whatever becomes of the alerts.
  if (payload.heartbeat) given.heartbeat(given.now());
  const kept = keptOf(payload, given);
  if (kept === undefined) {
    return refuse(reply, given, 503, "cannot_record", {
      error: "the alerts cannot be recorded",
      fix: "look at the guard's log: its disk may be full or read-only; Alertmanager sends them again",
    });
  }
  const counts = {
    accepted: kept.accepted.length,
    duplicate: kept.duplicate,
    resolved: kept.resolved.length,
    ignored: payload.ignored.length,
  };
  for (const result of alertResults) given.count({ what: "alerts", result, n: counts[result] });
  if (payload.ignored.length > 0)
    given.log.warn({ event: "ignored", alerts: payload.ignored }, "alerts ignored");
  if (payload.truncated > 0) {
    given.log.warn({ event: "truncated", n: payload.truncated }, "alertmanager left alerts out");
  }
  reply.code(202).send(counts);
  hintAll(payload, given);
  return reply;
}

/** What the journal made of the alerts, or `undefined` when it could not keep them. */
function keptOf(payload: Payload, given: Receiving): ReturnType<Receiving["keep"]> | undefined {
  // A delivery with nothing for us, such as every heartbeat, costs no write.
  if (payload.alerts.length === 0) return { accepted: [], duplicate: 0, resolved: [] };
  try {
    return given.keep(payload.alerts);
  } catch (error) {
    given.log.error({ event: "cannot_record", err: error }, "alerts not recorded");
    return undefined;
  }
}

/** A repeat is a hint as well: what is open is decided again each time it is delivered. */
function hintAll(payload: Payload, given: Receiving): void {
  for (const gateway of new Set(payload.alerts.map((alert) => alert.gateway))) {
    try {
      given.hint(gateway);
    } catch (error) {
      // The alert is on the disk and answered for; what is open is decided again without a hint as well.
      given.log.error({ event: "hint", gateway, err: error }, "hint failed");
    }
  }
}

function refusePayload(problem: PayloadProblem, reply: FastifyReply, given: Receiving): FastifyReply {
  const { reason, error, field, fix } = problem;
  const status = reason === "too_many_alerts" ? 422 : 400;
  return refuse(reply, given, status, reason, field === "" ? { error, fix } : { error, field, fix });
}

/** Fastify's own refusals, by code; its messages quote the body and are not passed on. */
function answerError(error: FastifyError, reply: FastifyReply, given: Receiving): FastifyReply {
  switch (error.statusCode ?? 500) {
    case 413:
      // Left open, the connection is read to the end of the body; closed, the sender would see a reset and no answer.
      reply.removeHeader("connection");
      return refuse(reply, given, 413, "too_large", {
        error: `body larger than ${bodyLimitBytes} bytes`,
        fix: "set max_alerts: 50 in the webhook_configs of this receiver",
      });
    case 415:
      return refuse(reply, given, 415, "malformed", {
        error: "unsupported content type",
        fix: "send application/json",
      });
    case 400:
      return refuse(reply, given, 400, "malformed", {
        error: "the body is not JSON",
        fix: "send the webhook payload of Alertmanager unchanged",
      });
    default:
      given.log.error({ event: "webhook", err: error }, "webhook failed");
      return reply.code(500).send({ error: "internal error", fix: "look at the guard's log" });
  }
}

function refuse(
  reply: FastifyReply,
  given: Receiving,
  status: number,
  reason: WebhookFailure,
  body: { readonly error: string; readonly field?: string; readonly fix: string },
): FastifyReply {
  given.count({ what: "failure", reason });
  given.log.warn({ event: "webhook_refused", status, reason, field: body.field }, "webhook refused");
  return reply.code(status).send(body);
}
