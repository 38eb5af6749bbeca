// What must never be forgotten or done twice? Alerts, intents, steps and verdicts, each on the disk before what follows.
import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { Alert, OpenAlert } from "../core/alert.ts";
import type { Entry } from "../core/history.ts";
import type { Instant } from "../core/time.ts";
import * as ledger from "./alerts.ts";
import * as chain from "./chain.ts";
import { inTransaction, openDatabase, openDatabaseReadOnly } from "./database.ts";

/** Room for some dozens of entries: enough for the rest of an episode that has begun. */
const roomBytes = 32 * 1024;

/** What can be asked of a journal without changing it. */
export type JournalReader = {
  readonly openAlerts: (gateway: string) => OpenAlert[];
  readonly entries: (query?: chain.EntryQuery) => Entry[];
  /** The number of the newest entry; 0 when there is none. */
  readonly lastSeq: () => number;
  readonly verify: () => chain.Verification;
};

/** Everything that writes is committed and flushed when it returns, and has changed nothing when it throws. */
export type Journal = JournalReader & {
  /** Files one delivery as a whole; see {@link ledger.Kept}. */
  readonly keepAlerts: (
    alerts: readonly Alert[],
    at: Instant,
    incarnationOf: ledger.IncarnationOf,
  ) => ledger.Kept;
  readonly closeAlerts: (keys: readonly string[], at: Instant, why: ledger.Closing) => void;
  readonly append: (entry: Entry) => void;
  /** Removes old entries and old closed alerts, and returns the number of entries removed. */
  readonly prune: (retention: chain.Retention) => number;
  /** Whether a committed write with room for what an episode needs succeeds right now; never throws. */
  readonly writable: () => boolean;
};

export type JournalOptions = {
  readonly sha256?: ((text: string) => string) | undefined;
  /** The size beyond which the file does not grow. */
  readonly limitBytes?: number | undefined;
};

/** Opens or creates the journal at a path; throws `DatabaseError` when it cannot be opened or is of a newer version. */
export function openJournal(path: string, options: JournalOptions = {}): Journal & Disposable {
  const db = openDatabase(path, { synchronous: "FULL", limitBytes: options.limitBytes });
  const sha256 = options.sha256 ?? sha256Hex;
  return {
    ...readerOf(db, sha256),
    keepAlerts: (alerts, at, incarnationOf) =>
      inTransaction(db, () => ledger.keep(db, alerts, at, incarnationOf)),
    closeAlerts: (keys, at, why) => inTransaction(db, () => ledger.close(db, keys, at, why)),
    append: (entry) => chain.append(db, sha256, entry),
    prune: (retention) =>
      inTransaction(db, () => {
        ledger.forget(db, retention.before);
        return chain.prune(db, retention);
      }),
    writable: () => isWritable(db),
    [Symbol.dispose]: () => closeOnce(db),
  };
}

/** Opens an existing journal for looking only, also while a guard writes it; throws `DatabaseError`. */
export function openJournalReadOnly(path: string): JournalReader & Disposable {
  const db = openDatabaseReadOnly(path);
  return { ...readerOf(db, sha256Hex), [Symbol.dispose]: () => closeOnce(db) };
}

function readerOf(db: DatabaseSync, sha256: (text: string) => string): JournalReader {
  return {
    openAlerts: (gateway) => ledger.open(db, gateway),
    entries: (query = {}) => chain.entries(db, query),
    lastSeq: () => chain.lastSeq(db),
    verify: () => chain.verify(db, sha256),
  };
}

function sha256Hex(text: string): string {
  return hash("sha256", text);
}

function isWritable(db: DatabaseSync): boolean {
  try {
    // Pages taken and given back within one commit: a full disk refuses them, and the next entries find them free.
    inTransaction(db, () => {
      db.prepare("INSERT INTO probe (room) VALUES (zeroblob(?))").run(roomBytes);
      db.exec("DELETE FROM probe");
    });
    return true;
  } catch {
    return false;
  }
}

function closeOnce(db: DatabaseSync): void {
  if (db.isOpen) db.close();
}
