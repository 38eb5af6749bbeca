// Where does Prometheus ask? The metrics listener: nothing on it can change anything.
import type { FastifyInstance } from "fastify";
import { contentType } from "./scrape.ts";

export type Exposed = {
  readonly metrics: () => Promise<string>;
  /** Why the guard is not ready to serve, or nothing when it is. */
  readonly notReady: () => string | undefined;
  readonly version: string;
};

/** Registers `/metrics`, `/-/healthy`, `/-/ready` and a landing page. */
export function exposeRoutes(app: FastifyInstance, given: Exposed): void {
  let rendering: Promise<string> | undefined;

  // Before anything of a body is read.
  app.addHook("onRequest", async (request, reply) => {
    if (request.method === "GET" || request.method === "HEAD") return undefined;
    return reply.code(405).header("allow", "GET, HEAD").type("text/plain").send("only GET and HEAD\n");
  });
  app.get("/metrics", async (_request, reply) => {
    // Concurrent scrapes share one rendering.
    rendering ??= given.metrics().finally(() => {
      rendering = undefined;
    });
    return reply.header("content-type", contentType).send(await rendering);
  });
  app.get("/-/healthy", async (_request, reply) => reply.type("text/plain").send("healthy\n"));
  app.get("/-/ready", async (_request, reply) => {
    const why = given.notReady();
    if (why === undefined) return reply.type("text/plain").send("ready\n");
    return reply.code(503).type("text/plain").send(`not ready: ${why}\n`);
  });
  app.get("/", async (_request, reply) =>
    reply.type("text/html").send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>openclaw-guard</title><h1>openclaw-guard ${given.version}</h1>
<p>Watches an OpenClaw Gateway from outside. This listener only shows; it changes nothing.</p>
<ul><li><a href="/metrics">metrics</a><li><a href="/-/healthy">healthy</a><li><a href="/-/ready">ready</a></ul></html>
`,
    ),
  );
}
