// What do the tests of receiving share? Payloads in the form that Alertmanager sends, and a receiver that keeps a tally.
import { readFileSync } from "node:fs";
import fastify, { type FastifyInstance } from "fastify";
import type { Alert } from "../../src/core/alert.ts";
import { instant } from "../../src/core/time.ts";
import { type Receiving, receiveRoutes } from "../../src/receive/routes.ts";

export const token = "t0ken-of-the-tests";
export const knows = { gateways: new Set(["main", "other"]) };

/** The text of a payload under fixtures/webhooks. */
export function body(name: string): string {
  return readFileSync(new URL(`../fixtures/webhooks/${name}.json`, import.meta.url), "utf8");
}

/** A payload whose only alert is changed by spreading; `labels` replaces all labels. */
export function changed(change: {
  readonly payload?: object;
  readonly alert?: object;
  readonly labels?: object;
}): object {
  const payload: { alerts: [{ labels: object }] } = JSON.parse(body("firing"));
  const [alert] = payload.alerts;
  const labels = { ...alert.labels, ...change.labels };
  return { ...payload, alerts: [{ ...alert, labels, ...change.alert }], ...change.payload };
}

export type Tally = AsyncDisposable & {
  readonly app: FastifyInstance;
  /** Each thing that happened outside, in order: kept, hint, heartbeat. */
  readonly events: string[];
  /** Requests, failures by reason and alerts by result, as a metric would count them. */
  readonly counts: Record<string, number>;
  readonly logged: string[];
  readonly kept: Alert[];
};

/** A receiver that accepts everything, except for what is given instead. */
export function receiver(given: Partial<Receiving> = {}): Tally {
  const app = fastify();
  const tally: Tally = {
    app,
    events: [],
    counts: {},
    logged: [],
    kept: [],
    [Symbol.asyncDispose]: () => app.close(),
  };
  const log = (facts: object, message: string) => {
    tally.logged.push(JSON.stringify({ ...facts, message }));
  };
  receiveRoutes(app, {
    token: () => token,
    keep(alerts) {
      tally.events.push(`keep ${alerts.length}`);
      tally.kept.push(...alerts);
      const of = (status: string) => alerts.filter((one) => one.status === status);
      return { accepted: of("firing"), duplicate: 0, resolved: of("resolved") };
    },
    hint: (gateway) => tally.events.push(`hint ${gateway}`),
    heartbeat: (at) => tally.events.push(`heartbeat ${at}`),
    count(one) {
      const name = one.what === "request" ? "requests" : one.what === "failure" ? one.reason : one.result;
      const n = one.what === "alerts" ? one.n : 1;
      if (n > 0) tally.counts[name] = (tally.counts[name] ?? 0) + n;
    },
    knows,
    now: () => instant(777),
    log: { info: log, warn: log, error: log },
    ...given,
  });
  return tally;
}

/** Delivers a payload as Alertmanager does, but without a socket. */
export function deliver(
  app: FastifyInstance,
  payload: string | object,
  headers: Record<string, string> = {},
) {
  return app.inject({
    method: "POST",
    url: "/api/v1/alerts",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    payload,
  });
}
