// Is everything that was promised still there after a kill, a full disk, and another process at work?
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { instant } from "../../src/core/time.ts";
import { openJournal, openJournalReadOnly } from "../../src/record/journal.ts";
import { alert, decided, ended, folder, life, opened } from "./support.ts";

const appender = new URL("appender.ts", import.meta.url).pathname;

test("after SIGKILL in the middle of appends, every append that returned is there and the chain verifies", async () => {
  using at = folder();
  let promised = 0;
  for (let round = 1; round <= 3; round++) {
    const child = spawn(process.execPath, [appender, at.path("journal.db")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = 0;
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      assert.equal(Number(line), ++said);
      if (said === 40 * round) child.kill("SIGKILL");
    }
    if (child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");
    promised += said;
    using journal = openJournal(at.path("journal.db"));
    const found = journal.verify();
    assert.ok(found.ok);
    // The kill may come between a commit and the word about it: one more is possible, one less is not.
    assert.ok(found.entries === promised || found.entries === promised + 1, `${promised}: ${found.entries}`);
    promised = found.entries;
  }
});

test("another process reads whole states while the guard writes", async () => {
  using at = folder();
  openJournal(at.path("journal.db"))[Symbol.dispose]();
  const child = spawn(process.execPath, [appender, at.path("journal.db")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  using reader = openJournalReadOnly(at.path("journal.db"));
  let last = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const found = reader.verify();
      assert.ok(found.ok, JSON.stringify(found));
      assert.ok(found.entries >= Number(line), "what the writer has said, the reader sees");
      last = found.entries;
      if (last >= 100) break;
    }
  } finally {
    child.kill("SIGKILL");
  }
  if (child.signalCode === null) await once(child, "exit");
  assert.ok(last >= 100);
});

test("when the disk is full an append throws, nothing is half-written, and the journal says so", () => {
  using at = folder();
  const limit = 256 * 1024;
  let written = 0;
  {
    using journal = openJournal(at.path("journal.db"), { limitBytes: limit });
    assert.equal(journal.writable(), true);
    assert.throws(() => {
      for (; written < 100_000; written++) journal.append(decided("e1", written));
    }, /full/);
    assert.equal(journal.writable(), false);
    assert.throws(() => {
      for (let n = 0; n < 10_000; n++) {
        journal.keepAlerts([alert({ startsAt: instant(n + 1) })], instant(n), () => life);
      }
    }, /full/);
    assert.deepEqual(journal.verify(), { ok: true, entries: written });
  }
  using journal = openJournal(at.path("journal.db"));
  assert.deepEqual(journal.verify(), { ok: true, entries: written });
  assert.equal(journal.writable(), true);
  journal.append(decided("e1", written));
  assert.deepEqual(journal.verify(), { ok: true, entries: written + 1 });
});

test("a delivery that does not fit is kept not at all", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"), { limitBytes: 128 * 1024 });
  const many = Array.from({ length: 1000 }, (_, n) => alert({ startsAt: instant(n + 1) }));
  assert.throws(() => journal.keepAlerts(many, instant(1), () => life), /full/);
  assert.deepEqual(journal.openAlerts("main"), []);
  journal.append(opened("e1", 1));
  assert.equal(journal.writable(), true, "what was taken has been given back");
});

test("as long as the journal calls itself writable, the next entries do fit", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"), { limitBytes: 256 * 1024 });
  let episode = 0;
  while (journal.writable()) {
    episode++;
    journal.append(opened(`e${episode}`, episode));
    for (let n = 0; n < 10; n++) journal.append(decided(`e${episode}`, episode));
    journal.append(ended(`e${episode}`, episode));
  }
  assert.ok(episode > 5);
});

test("when the operating system refuses to let the files grow, what was promised stays", () => {
  using at = folder();
  // A real refusal in the middle of a write, which a page limit of SQLite's own is not.
  const script = 'ulimit -f 2000; exec "$0" "$1" "$2"';
  const child = spawnSync("sh", ["-c", script, process.execPath, appender, at.path("journal.db")], {
    encoding: "utf8",
  });
  assert.match(child.stdout, /stopped .*\nwritable false\n$/);
  const promised = child.stdout.split("\n").filter((line) => /^\d+$/.test(line)).length;
  assert.ok(promised > 5, child.stdout);
  using journal = openJournal(at.path("journal.db"));
  assert.deepEqual(journal.verify(), { ok: true, entries: promised });
  assert.equal(journal.writable(), true);
});

test("while another process holds the write lock, an append fails in bounded time and succeeds afterwards", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  using stranger = new DatabaseSync(at.path("journal.db"));
  stranger.exec("BEGIN IMMEDIATE");
  const before = performance.now();
  assert.throws(() => journal.append(opened("e1", 1)), /locked/);
  assert.ok(performance.now() - before < 5_000);
  assert.equal(journal.writable(), false);
  stranger.exec("ROLLBACK");
  journal.append(opened("e1", 1));
  assert.deepEqual(journal.verify(), { ok: true, entries: 1 });
});
