// Which alerts still ask for something? Every delivery is kept, and the same alert is kept once.
import type { DatabaseSync } from "node:sqlite";
import { type Alert, keyOf, type OpenAlert } from "../core/alert.ts";
import { isCause, isUrgency } from "../core/cause.ts";
import type { Incarnation } from "../core/identity.ts";
import { type Instant, instant } from "../core/time.ts";
import { canonical, revive } from "./body.ts";
import { numberIn, type Row, textIn } from "./row.ts";

/** What became of the alerts of one delivery; each of them is counted in exactly one of the three. */
export type Kept = {
  /** Newly open: never seen before, or closed by us and delivered again. */
  readonly accepted: readonly Alert[];
  readonly duplicate: number;
  /** Newly resolved, whether they were open, closed by us or never seen. */
  readonly resolved: readonly Alert[];
};

/** Why we closed an alert ourselves; a further delivery opens it again, since deciding again from evidence is safe. */
export type Closing = "cured" | "ended";

/** The life that serves a gateway at this moment, where it is known. */
export type IncarnationOf = (gateway: string) => Incarnation | undefined;

/** Files each alert of one delivery, within the caller's transaction. */
export function keep(
  db: DatabaseSync,
  alerts: readonly Alert[],
  at: Instant,
  incarnationOf: IncarnationOf,
): Kept {
  const stateOf = db.prepare("SELECT state FROM alerts WHERE key = ?");
  const insert = db.prepare("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)");
  const repeat = db.prepare(
    "UPDATE alerts SET deliveries = deliveries + 1, last_delivered_at = max(last_delivered_at, ?) WHERE key = ?",
  );
  const reopen = db.prepare(
    "UPDATE alerts SET state = 'open', closed_at = NULL, incarnation = ? WHERE key = ?",
  );
  const resolve = db.prepare("UPDATE alerts SET state = 'resolved', closed_at = ? WHERE key = ?");

  const accepted: Alert[] = [];
  const resolved: Alert[] = [];
  let duplicate = 0;
  for (const alert of alerts) {
    const key = keyOf(alert);
    const row = stateOf.get(key);
    const before = row === undefined ? "unseen" : textIn(row, "state");
    const firing = alert.status === "firing";
    if (before === "unseen") {
      insert.run(
        key,
        alert.fingerprint,
        alert.startsAt,
        alert.name,
        alert.gateway,
        alert.cause,
        alert.urgency,
        at,
        at,
        canonical(incarnationOf(alert.gateway)),
        // A resolve that overtook its firing is kept closed, or the late firing would open an alert that is over.
        firing ? "open" : "resolved",
        firing ? null : at,
      );
    } else {
      repeat.run(at, key);
    }
    if (before === "resolved" || (firing && before === "open")) {
      duplicate++;
    } else if (firing) {
      // The life that serves now is the one a re-opened alert is about: the one it was first about has been replaced.
      if (before !== "unseen") reopen.run(canonical(incarnationOf(alert.gateway)), key);
      accepted.push(alert);
    } else {
      if (before !== "unseen") resolve.run(at, key);
      resolved.push(alert);
    }
  }
  return { accepted, duplicate, resolved };
}

/** The open alerts of a gateway, first received first. */
export function open(db: DatabaseSync, gateway: string): OpenAlert[] {
  const sql = "SELECT * FROM alerts WHERE gateway = ? AND state = 'open' ORDER BY received_at, key";
  return db.prepare(sql).all(gateway).map(openAlertFrom);
}

/** Closes the open ones among these alerts; what Alertmanager resolved stays resolved. */
export function close(db: DatabaseSync, keys: readonly string[], at: Instant, why: Closing): void {
  const update = db.prepare("UPDATE alerts SET state = ?, closed_at = ? WHERE key = ? AND state = 'open'");
  for (const key of keys) update.run(why, at, key);
}

/** Forgets closed alerts last delivered before a moment; open ones are never forgotten. */
export function forget(db: DatabaseSync, before: Instant): void {
  db.prepare("DELETE FROM alerts WHERE state <> 'open' AND last_delivered_at < ?").run(before);
}

function openAlertFrom(row: Row): OpenAlert {
  const cause = textIn(row, "cause");
  const urgency = textIn(row, "urgency");
  if (!isCause(cause) || !isUrgency(urgency)) {
    throw new TypeError(`journal: alert ${textIn(row, "key")} has an unknown cause or urgency`);
  }
  return {
    fingerprint: textIn(row, "fingerprint"),
    startsAt: instant(numberIn(row, "starts_at")),
    name: textIn(row, "name"),
    gateway: textIn(row, "gateway"),
    cause,
    urgency,
    receivedAt: instant(numberIn(row, "received_at")),
    lastDeliveredAt: instant(numberIn(row, "last_delivered_at")),
    deliveries: numberIn(row, "deliveries"),
    incarnation: incarnationFrom(textIn(row, "incarnation")),
  };
}

function incarnationFrom(text: string): Incarnation | undefined {
  const value = revive(text);
  if (value === undefined) return undefined;
  if (!isIncarnation(value)) throw new TypeError("journal: an alert names no valid incarnation");
  return value;
}

function isIncarnation(value: unknown): value is Incarnation {
  if (typeof value !== "object" || value === null) return false;
  return (
    "bootId" in value &&
    typeof value.bootId === "string" &&
    "pid" in value &&
    typeof value.pid === "number" &&
    "startTicks" in value &&
    typeof value.startTicks === "number" &&
    "startedAt" in value &&
    typeof value.startedAt === "number"
  );
}
