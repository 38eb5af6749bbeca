// What do the tests of the record share? A folder that goes away, and entries and alerts with little in them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Alert } from "../../src/core/alert.ts";
import type { Entry } from "../../src/core/history.ts";
import { instant } from "../../src/core/time.ts";

/** A new folder, removed with all its contents when the test ends. */
export function folder(): { readonly path: (name: string) => string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), "openclaw-guard-record-"));
  return {
    path: (name) => join(root, name),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

export const life = { bootId: "b00t", pid: 4711, startTicks: 99, startedAt: instant(1_000) };
export const nextLife = { bootId: "b00t", pid: 4800, startTicks: 500, startedAt: instant(5_000) };

export function alert(change: Partial<Alert> = {}): Alert {
  return {
    fingerprint: "b99e75c032086550",
    startsAt: instant(10_000),
    status: "firing",
    name: "OpenClawGatewayNotResponding",
    gateway: "main",
    cause: "hang",
    urgency: "now",
    ...change,
  };
}

export function opened(episode: string, at: number, gateway = "main"): Entry {
  return {
    kind: "opened",
    episode,
    gateway,
    at: instant(at),
    cause: "hang",
    urgency: "now",
    incarnation: undefined,
    alerts: ["b99e75c032086550@10000"],
    firstSeenAt: undefined,
  };
}

export function decided(episode: string, at: number, gateway = "main"): Entry {
  return {
    kind: "decided",
    episode,
    gateway,
    at: instant(at),
    decision: "unconfirmed",
    cause: "hang",
    saw: { unresponsive_seconds: "41", note: 'quotes " and ünïcödé \u2028' },
    wouldHave: undefined,
  };
}

export function ended(
  episode: string,
  at: number,
  gateway = "main",
  outcome: "recovered" | "gave_up" = "recovered",
): Entry {
  return { kind: "ended", episode, gateway, at: instant(at), outcome, why: "verified" };
}
