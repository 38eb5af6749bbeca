// What was written, in which order, and has anyone changed it since? Each entry carries the hash of the one before.
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Entry, EntryKind } from "../core/history.ts";
import type { Instant } from "../core/time.ts";
import { canonical, revive } from "./body.ts";
import { inSnapshot, inTransaction } from "./database.ts";
import { numberIn, type Row, textIn } from "./row.ts";

/** No entry comes near this; one that does would fill the disk with evidence instead of facts. */
const bodyLimitChars = 1024 * 1024;

/** Which entries to read; all given conditions hold at once. */
export type EntryQuery = {
  readonly gateway?: string | undefined;
  readonly episode?: string | undefined;
  /** Only entries after this one, for reading on. */
  readonly sinceSeq?: number | undefined;
  /** Only entries at or after this moment. */
  readonly since?: Instant | undefined;
  readonly kinds?: readonly EntryKind[] | undefined;
  readonly limit?: number | undefined;
  /** With `limit`: the last ones instead of the first; the order of the answer stays oldest first. */
  readonly newest?: boolean | undefined;
};

export type Verification =
  | { readonly ok: true; readonly entries: number }
  | { readonly ok: false; readonly seq: number; readonly problem: string };

/** What may go: nothing of the newest `keepEpisodes` episodes, and nothing at or after `before`. */
export type Retention = { readonly keepEpisodes: number; readonly before: Instant };

/** Adds one entry and returns once it is on the disk; throws, with nothing written, when it cannot be. */
export function append(db: DatabaseSync, sha256: (text: string) => string, entry: Entry): void {
  const body = canonical(entry);
  if (body.length > bodyLimitChars) {
    throw new RangeError(
      `journal: entry ${entry.kind} has ${body.length} characters, more than ${bodyLimitChars}`,
    );
  }
  inTransaction(db, () => {
    const head = db.prepare("SELECT head_seq, head_hash FROM chain").get();
    const seq = numberIn(head, "head_seq") + 1;
    const previous = textIn(head, "head_hash");
    const hash = sha256(previous + body);
    const episode = "episode" in entry ? entry.episode : null;
    db.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)").run(
      seq,
      entry.at,
      entry.gateway,
      episode,
      entry.kind,
      body,
      previous,
      hash,
    );
    db.prepare("UPDATE chain SET head_seq = ?, head_hash = ?").run(seq, hash);
  });
}

/** The number of the newest entry, 0 when there is none yet. */
export function lastSeq(db: DatabaseSync): number {
  return numberIn(db.prepare("SELECT head_seq FROM chain").get(), "head_seq");
}

/** The entries that a query asks for, oldest first. */
export function entries(db: DatabaseSync, query: EntryQuery): Entry[] {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const only = (condition: string, value: SQLInputValue | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  only("gateway = ?", query.gateway);
  only("episode = ?", query.episode);
  only("seq > ?", query.sinceSeq);
  only("at >= ?", query.since);
  only(
    "kind IN (SELECT value FROM json_each(?))",
    query.kinds === undefined ? undefined : JSON.stringify(query.kinds),
  );
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const backwards = query.newest === true && query.limit !== undefined;
  const rows = db
    .prepare(`SELECT body FROM entries ${where} ORDER BY seq ${backwards ? "DESC" : "ASC"} LIMIT ?`)
    .all(...values, query.limit ?? -1);
  const found = rows.map((row) => entryFrom(textIn(row, "body")));
  return backwards ? found.toReversed() : found;
}

/** Follows the chain from its anchor to its head and names the first entry that is missing or was changed. */
export function verify(db: DatabaseSync, sha256: (text: string) => string): Verification {
  return inSnapshot(db, () => {
    const chain = db.prepare("SELECT * FROM chain").get();
    let seq = numberIn(chain, "anchor_seq");
    let hash = textIn(chain, "anchor_hash");
    let count = 0;
    for (const row of db.prepare("SELECT * FROM entries ORDER BY seq").iterate()) {
      const here = numberIn(row, "seq");
      if (here !== seq + 1) return { ok: false, seq: seq + 1, problem: "missing" };
      const problem = problemOf(row, hash, sha256);
      if (problem !== undefined) return { ok: false, seq: here, problem };
      seq = here;
      hash = textIn(row, "hash");
      count++;
    }
    if (seq !== numberIn(chain, "head_seq")) return { ok: false, seq: seq + 1, problem: "missing" };
    if (hash !== textIn(chain, "head_hash")) {
      return { ok: false, seq, problem: "not the entry that was last written" };
    }
    return { ok: true, entries: count };
  });
}

function problemOf(row: Row, previous: string, sha256: (text: string) => string): string | undefined {
  const body = textIn(row, "body");
  if (textIn(row, "prev_hash") !== previous) return "does not follow the entry before it";
  if (textIn(row, "hash") !== sha256(previous + body)) return "changed after it was written";
  const entry = readable(body);
  if (entry === undefined) return "not an entry";
  const episode = "episode" in entry ? entry.episode : null;
  // The columns are what queries select by; the hash covers the body alone.
  const same =
    row["at"] === entry.at &&
    row["gateway"] === entry.gateway &&
    row["episode"] === episode &&
    row["kind"] === entry.kind;
  return same ? undefined : "filed under another gateway, episode, kind or time than it says";
}

function readable(body: string): Entry | undefined {
  try {
    return entryFrom(body);
  } catch {
    // A hash can be recomputed by whoever replaces a body; the finding matters, not the parser's words.
    return undefined;
  }
}

/**
 * Removes the oldest entries that a retention lets go and returns how many; the hash of the last one removed stays as
 * the anchor of the chain. It cuts between episodes, never through one, and keeps all that still binds the guard: an
 * episode without an ending, a pause that reached past `before`, and a `gave_up` that nobody has resumed.
 */
export function prune(db: DatabaseSync, retention: Retention): number {
  const cut = uncut(db, firstToKeep(db, retention));
  const last = db.prepare("SELECT seq, hash FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT 1").get(cut);
  if (last === undefined) return 0;
  db.prepare("UPDATE chain SET anchor_seq = ?, anchor_hash = ?").run(
    numberIn(last, "seq"),
    textIn(last, "hash"),
  );
  return Number(db.prepare("DELETE FROM entries WHERE seq < ?").run(cut).changes);
}

function firstToKeep(db: DatabaseSync, retention: Retention): number {
  const sql = `
    SELECT min(seq) AS seq FROM (
      SELECT head_seq + 1 AS seq FROM chain
      UNION ALL SELECT seq FROM entries WHERE at >= $before
      UNION ALL SELECT seq FROM (SELECT seq FROM entries WHERE kind = 'opened' ORDER BY seq DESC LIMIT $keep)
      UNION ALL SELECT seq FROM entries AS e WHERE episode IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM entries WHERE episode = e.episode AND kind = 'ended')
      UNION ALL SELECT seq FROM entries WHERE kind = 'paused' AND body ->> '$.until' >= $before
      UNION ALL SELECT seq FROM entries AS e WHERE kind = 'ended' AND body ->> '$.outcome' = 'gave_up'
        AND NOT EXISTS (SELECT 1 FROM entries WHERE gateway = e.gateway AND kind = 'resumed' AND seq > e.seq)
    )`;
  const keep = Math.max(0, retention.keepEpisodes);
  return numberIn(db.prepare(sql).get({ before: retention.before, keep }), "seq");
}

/** Moves a cut back until no episode has entries on both sides of it. */
function uncut(db: DatabaseSync, cut: number): number {
  const straddling = db.prepare(`
    SELECT min(first) AS first FROM
      (SELECT min(seq) AS first, max(seq) AS last FROM entries WHERE episode IS NOT NULL GROUP BY episode)
    WHERE first < $cut AND last >= $cut`);
  for (let at = cut; ; ) {
    const first = straddling.get({ cut: at })?.["first"];
    if (typeof first !== "number") return at;
    at = first;
  }
}

function entryFrom(body: string): Entry {
  const entry = revive(body);
  if (!isEntry(entry)) throw new TypeError("journal: an entry has no kind, gateway or time");
  return entry;
}

/** What we wrote ourselves, under a schema version that was checked; the hash tells whether it is still that. */
function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  return (
    "kind" in value &&
    typeof value.kind === "string" &&
    "gateway" in value &&
    typeof value.gateway === "string" &&
    "at" in value &&
    typeof value.at === "number"
  );
}
