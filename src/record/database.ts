// Where is the journal kept, and may this version of the guard write to it? One SQLite file, opened the same way by all.
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { numberIn } from "./row.ts";

/** How long a connection waits for another one's write; readers never block a writer in WAL mode. */
const busyTimeoutMs = 1000;

/** Each element brings the schema from version `index` to `index + 1`; published ones are never edited. */
const migrations: readonly string[] = [
  `
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    episode TEXT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX entries_by_gateway ON entries (gateway, seq);
  CREATE INDEX entries_by_episode ON entries (episode, seq);
  CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    anchor_seq INTEGER NOT NULL,
    anchor_hash TEXT NOT NULL,
    head_seq INTEGER NOT NULL,
    head_hash TEXT NOT NULL
  ) STRICT;
  INSERT INTO chain VALUES (1, 0, '', 0, '');
  CREATE TABLE alerts (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    gateway TEXT NOT NULL,
    cause TEXT NOT NULL,
    urgency TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    last_delivered_at INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    incarnation TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved', 'cured', 'ended')),
    closed_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX alerts_open ON alerts (gateway, received_at) WHERE state = 'open';
  CREATE INDEX alerts_closed ON alerts (last_delivered_at) WHERE state <> 'open';
  CREATE TABLE probe (room BLOB NOT NULL) STRICT;
  CREATE TABLE trends (gateway TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

/** The schema that this version writes and the newest it can read. */
export const schemaVersion: number = migrations.length;

export type DatabaseProblem = "cannot_open" | "not_a_journal" | "newer_schema" | "older_schema";

/** The file cannot serve as a journal; `problem` says why in one word. */
export class DatabaseError extends Error {
  readonly problem: DatabaseProblem;

  constructor(problem: DatabaseProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DatabaseError";
    this.problem = problem;
  }
}

export type OpenOptions = {
  /** FULL: a commit is on the disk when it returns. NORMAL: it may be lost when power fails, never torn. */
  readonly synchronous: "FULL" | "NORMAL";
  /** The size beyond which the file does not grow; writes then fail as on a full disk. */
  readonly limitBytes?: number | undefined;
};

/** Opens or creates the file (0600, its directory 0700) and brings its schema up to date; throws {@link DatabaseError}. */
export function openDatabase(path: string, options: OpenOptions): DatabaseSync {
  return opened(path, false, (db) => {
    // Before anything is changed: somebody else's database, or one of a newer version, must stay as it is.
    if (!isEmpty(db)) versionOf(db, path);
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`PRAGMA synchronous = ${options.synchronous}`);
    // A reader that stays open keeps the log from being reset; this cuts it back afterwards.
    db.exec("PRAGMA journal_size_limit = 4194304");
    if (options.limitBytes !== undefined) {
      const page = numberIn(db.prepare("PRAGMA page_size").get(), "page_size");
      db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.limitBytes / page))}`);
    }
    migrate(db, path);
  });
}

/** Opens an existing journal for looking only, while a guard may be writing it; throws {@link DatabaseError}. */
export function openDatabaseReadOnly(path: string): DatabaseSync {
  return opened(path, true, (db) => {
    const version = versionOf(db, path);
    if (version < schemaVersion) {
      throw new DatabaseError(
        "older_schema",
        `open ${path}: schema ${version} is older than ${schemaVersion}: start this version's guard once to upgrade it`,
      );
    }
  });
}

/** Runs `work` in one transaction: all of it is committed when this returns, none of it when it throws. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    undo(db);
    throw error;
  }
}

/** Runs `look` over one unchanging view of the database, whatever another process writes meanwhile. */
export function inSnapshot<T>(db: DatabaseSync, look: () => T): T {
  db.exec("BEGIN");
  try {
    return look();
  } finally {
    undo(db);
  }
}

function undo(db: DatabaseSync): void {
  // SQLite rolls back by itself after some errors, a full disk among them; a second ROLLBACK would hide the first error.
  if (db.isTransaction) db.exec("ROLLBACK");
}

function opened(path: string, readOnly: boolean, prepare: (db: DatabaseSync) => void): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (!readOnly) createPrivately(path);
    db = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
    prepare(db);
    return db;
  } catch (error) {
    if (db?.isOpen === true) db.close();
    if (error instanceof DatabaseError) throw error;
    const why = error instanceof Error ? error.message : "unknown";
    throw new DatabaseError("cannot_open", `open ${path}: ${why}`, { cause: error });
  }
}

function createPrivately(path: string): void {
  // SQLite's name for a database that is no file.
  if (path === ":memory:") return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite gives its log and shared-memory files the mode of the database, so it must be right before the first write.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
}

function migrate(db: DatabaseSync, path: string): void {
  if (isEmpty(db)) db.exec("CREATE TABLE IF NOT EXISTS schema (version INTEGER PRIMARY KEY) STRICT");
  if (versionOf(db, path) === schemaVersion) return;
  inTransaction(db, () => {
    // Read again inside the transaction: another process may have migrated while this one waited for the lock.
    const from = versionOf(db, path);
    for (const [index, sql] of migrations.entries()) {
      if (index < from) continue;
      db.exec(sql);
      db.prepare("INSERT INTO schema (version) VALUES (?)").run(index + 1);
    }
  });
}

function isEmpty(db: DatabaseSync): boolean {
  return numberIn(db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get(), "tables") === 0;
}

function versionOf(db: DatabaseSync, path: string): number {
  const found = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema'").get();
  if (found === undefined) {
    throw new DatabaseError(
      "not_a_journal",
      `open ${path}: not a journal of openclaw-guard: choose another file`,
    );
  }
  const row = db.prepare("SELECT coalesce(max(version), 0) AS version FROM schema").get();
  const version = numberIn(row, "version");
  if (version > schemaVersion) {
    throw new DatabaseError(
      "newer_schema",
      `open ${path}: schema ${version} is newer than ${schemaVersion}, the newest this version of openclaw-guard knows: ` +
        "upgrade openclaw-guard, or move the file away to start an empty journal",
    );
  }
  return version;
}
