// Who may read the file, and which files are refused?
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { DatabaseError, openDatabase, openDatabaseReadOnly } from "../../src/record/database.ts";
import { openJournal, openJournalReadOnly } from "../../src/record/journal.ts";
import { openReadings } from "../../src/record/readings.ts";
import { folder, opened } from "./support.ts";

const get = (db: DatabaseSync, pragma: string) =>
  Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);
const problemIs = (problem: string, message: RegExp) => (error: unknown) =>
  error instanceof DatabaseError && error.problem === problem && message.test(error.message);

test("the journal, its log and its folder belong to the guard's user alone", () => {
  using at = folder();
  const path = at.path("state/guard/journal.db");
  using journal = openJournal(path);
  journal.append(opened("e1", 1));
  for (const suffix of ["", "-wal", "-shm"]) assert.equal(modeOf(path + suffix), "600", suffix);
  assert.equal(modeOf(at.path("state/guard")), "700");
  assert.equal(modeOf(at.path("state")), "700");
});

test("a journal that others could read is closed to them", () => {
  using at = folder();
  const path = at.path("journal.db");
  writeFileSync(path, "", { mode: 0o644 });
  using journal = openJournal(path);
  assert.deepEqual(journal.entries(), []);
  assert.equal(modeOf(path), "600");
});

test("commits of the journal wait for the disk, those of the readings do not", () => {
  using at = folder();
  using full = openDatabase(at.path("journal.db"), { synchronous: "FULL" });
  using normal = openDatabase(at.path("journal.db"), { synchronous: "NORMAL" });
  assert.equal(get(full, "synchronous"), 2);
  assert.equal(get(normal, "synchronous"), 1);
  assert.equal(get(full, "journal_mode"), "wal");
  assert.equal(get(full, "foreign_keys"), 1);
  assert.equal(get(full, "busy_timeout") ?? get(full, "timeout"), 1000);
});

test("a journal of a newer version is refused, by guard and reader, and left as it is", () => {
  using at = folder();
  const path = at.path("journal.db");
  {
    using journal = openJournal(path);
    journal.append(opened("e1", 1));
  }
  {
    using later = new DatabaseSync(path);
    later.exec("INSERT INTO schema (version) VALUES (9)");
  }
  const refused = problemIs("newer_schema", /schema 9 is newer than 1.*upgrade openclaw-guard/);
  assert.throws(() => openJournal(path), refused);
  assert.throws(() => openReadings(path), refused);
  assert.throws(() => openJournalReadOnly(path), refused);
});

test("somebody else's database is refused and not touched", () => {
  using at = folder();
  const path = at.path("other.db");
  {
    using other = new DatabaseSync(path);
    other.exec("CREATE TABLE theirs (x)");
  }
  const before = readFileSync(path);
  assert.throws(() => openJournal(path), problemIs("not_a_journal", /choose another file/));
  assert.throws(() => openJournalReadOnly(path), problemIs("not_a_journal", /choose another file/));
  assert.deepEqual(readFileSync(path), before);
});

test("a file that is no database, a missing one and an impossible place are refused with the path and the reason", () => {
  using at = folder();
  const path = at.path("note.txt");
  writeFileSync(path, "this is not a database, and it is longer than a header ".repeat(4));
  assert.throws(() => openJournal(path), problemIs("cannot_open", /note\.txt: file is not a database/));
  assert.throws(() => openDatabaseReadOnly(at.path("none.db")), problemIs("cannot_open", /none\.db: /));
  assert.throws(
    () => openJournal(at.path("note.txt/journal.db")),
    problemIs("cannot_open", /EEXIST|ENOTDIR/),
  );
});

test("an empty file is where a journal may begin, but nothing to read", () => {
  using at = folder();
  const path = at.path("journal.db");
  writeFileSync(path, "");
  assert.throws(() => openJournalReadOnly(path), problemIs("not_a_journal", /not a journal/));
  using journal = openJournal(path);
  assert.deepEqual(journal.entries(), []);
});

test("a migration that was interrupted before its first step is finished at the next start", () => {
  using at = folder();
  const path = at.path("journal.db");
  {
    using half = new DatabaseSync(path);
    half.exec("CREATE TABLE schema (version INTEGER PRIMARY KEY) STRICT");
  }
  assert.throws(() => openJournalReadOnly(path), problemIs("older_schema", /schema 0 is older than 1/));
  using journal = openJournal(path);
  assert.deepEqual(journal.verify(), { ok: true, entries: 0 });
});

test("the state of a detector is found again after a restart, the last one kept wins, and a huge one is refused", () => {
  using at = folder();
  {
    using readings = openReadings(at.path("journal.db"));
    using journal = openJournal(at.path("journal.db"));
    journal.append(opened("e1", 1));
    assert.equal(readings.loadTrend("main"), undefined);
    readings.saveTrend("main", '{"floors":[1]}');
    readings.saveTrend("main", '{"floors":[1,2]}');
    assert.throws(
      () => readings.saveTrend("main", "x".repeat(300_000)),
      /save trend of main: 300000 characters/,
    );
  }
  using readings = openReadings(at.path("journal.db"));
  assert.equal(readings.loadTrend("main"), '{"floors":[1,2]}');
  assert.equal(readings.loadTrend("other"), undefined);
});
