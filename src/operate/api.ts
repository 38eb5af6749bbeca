// What can a person or a program ask of a running guard, and tell it? The operator's routes of the control listener:
// looking is free on this host, changing takes the token, who and why.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Entry } from "../core/history.ts";
import { summarise } from "../core/summary.ts";
import { type Instant, instant } from "../core/time.ts";

export type Operated = {
  /** Whether an Authorization header carries the control token, compared in constant time. */
  readonly isAuthentic: (header: string | undefined) => boolean;
  readonly version: string;
  readonly gateways: () => readonly string[];
  readonly status: () => unknown;
  readonly entries: (query: { readonly gateway?: string; readonly since?: Instant }) => readonly Entry[];
  readonly append: (entry: Entry & { readonly gateway: string }) => void;
  readonly now: () => Instant;
};

const wordLimit = 200;
/** A pause that nobody remembers must end by itself. */
const pauseMs = 3_600_000;
const longestPauseMs = 7 * 24 * 3_600_000;

/** Registers `/api/v1/status`, `/api/v1/episodes`, `/api/v1/pause` and `/api/v1/resume`. */
export function operateRoutes(app: FastifyInstance, given: Operated): void {
  app.get("/", async (_request, reply) => reply.redirect("/api/v1/status"));
  app.get("/api/v1/status", { onRequest: fromThisHost }, async () => given.status());
  app.get("/api/v1/episodes", { onRequest: fromThisHost }, async (request, reply) => {
    const query = readQuery(request.query);
    if (typeof query === "string")
      return reply.code(400).send({ error: query, fix: "give since as milliseconds since the epoch" });
    const entries = given.entries(query);
    return { episodes: summarise(entries), entries };
  });
  for (const verb of ["pause", "resume"] as const) {
    app.post(
      `/api/v1/${verb}`,
      { onRequest: authenticated(given.isAuthentic), bodyLimit: 4096 },
      async (request, reply) => {
        const told = readOrder(request.body, given);
        if (typeof told === "string")
          return reply.code(400).send({ error: told, fix: "send gateway, who, why and, to pause, forMs" });
        const { gateway, who, why, forMs } = told;
        const at = given.now();
        if (verb === "resume") given.append({ kind: "resumed", gateway, at, who, why });
        else given.append({ kind: "paused", gateway, at, who, why, until: instant(at + forMs) });
        return reply.code(200).send({ done: verb, gateway });
      },
    );
  }
}

/** Looking needs no token on this host, but a web page must not read it through a name that points here. */
async function fromThisHost(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const name = request.hostname.replace(/^\[|\]$/g, "");
  if (name === "localhost" || /^[\d.]+$/.test(name) || name.includes(":")) return undefined;
  return reply
    .code(403)
    .send({ error: "host name not allowed", fix: "ask by address, such as http://127.0.0.1:9478" });
}

function authenticated(isAuthentic: Operated["isAuthentic"]) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (isAuthentic(request.headers.authorization)) return undefined;
    return reply
      .code(401)
      .header("www-authenticate", "Bearer")
      .send({ error: "unauthorized", fix: "give the token of control.token_file" });
  };
}

function readQuery(query: unknown): { gateway?: string; since?: Instant } | string {
  const given = typeof query === "object" && query !== null ? query : {};
  const gateway = "gateway" in given && typeof given.gateway === "string" ? { gateway: given.gateway } : {};
  if (!("since" in given)) return gateway;
  const since = Number(given.since);
  return Number.isFinite(since) ? { ...gateway, since: instant(since) } : "since: not a number";
}

type Order = { readonly gateway: string; readonly who: string; readonly why: string; readonly forMs: number };

function readOrder(body: unknown, given: Operated): Order | string {
  if (typeof body !== "object" || body === null) return "the body is not a JSON object";
  const word = (name: string): string | undefined => {
    const value = Object.entries(body).find(([key]) => key === name)?.[1];
    return typeof value === "string" && value.trim() !== "" && value.length <= wordLimit ? value : undefined;
  };
  const [gateway, who, why] = [word("gateway"), word("who"), word("why")];
  if (gateway === undefined || !given.gateways().includes(gateway))
    return `gateway: name one of ${given.gateways().join(", ")}`;
  if (who === undefined) return `who: say who you are, in at most ${wordLimit} characters`;
  if (why === undefined) return `why: say why, in at most ${wordLimit} characters`;
  const forMs = "forMs" in body ? body.forMs : pauseMs;
  if (typeof forMs !== "number" || !(forMs > 0 && forMs <= longestPauseMs))
    return "forMs: more than 0 and at most seven days";
  return { gateway, who, why, forMs };
}
