// Is what was appended there, in order, unchanged, and readable by another process?
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { Entry } from "../../src/core/history.ts";
import { instant, ms } from "../../src/core/time.ts";
import { openJournal, openJournalReadOnly } from "../../src/record/journal.ts";
import { alert, decided, ended, folder, life, nextLife, opened } from "./support.ts";

/** One of each kind, with every optional value both there and absent. */
const everyKind: readonly Entry[] = [
  opened("e1", 1),
  { ...decided("e1", 2), cause: undefined, wouldHave: "restart" } as Entry,
  {
    kind: "evidence",
    episode: "e1",
    gateway: "main",
    at: instant(3),
    evidence: { __proto__x: "1", wchan: "0" },
  },
  {
    kind: "intended",
    episode: "e1",
    gateway: "main",
    at: instant(4),
    attempt: 1,
    step: "kill_serving",
    cause: "hang",
    action: "systemd",
    incarnation: life,
    spends: true,
    residentBytes: undefined,
  },
  {
    kind: "stepped",
    episode: "e1",
    gateway: "main",
    at: instant(5),
    attempt: 1,
    step: "kill_serving",
    ok: true,
    detail: "",
    took: ms(3.25),
  },
  { kind: "back", episode: "e1", gateway: "main", at: instant(6), attempt: 1, incarnation: nextLife },
  {
    kind: "verified",
    episode: "e1",
    gateway: "main",
    at: instant(7),
    attempt: 1,
    cause: "hang",
    action: "systemd",
    verdict: "recovered",
    saw: {},
  },
  ended("e1", 8),
  { kind: "replaced", gateway: "main", at: instant(9), from: life, to: nextLife, clean: false },
  { kind: "paused", gateway: "other", at: instant(10), who: "ada", why: "upgrade", until: instant(99) },
  { kind: "resumed", gateway: "other", at: instant(11), who: "ada", why: "done" },
];

test("every kind of entry comes back exactly as it was appended, after a restart too", () => {
  using at = folder();
  {
    using journal = openJournal(at.path("journal.db"));
    for (const entry of everyKind) journal.append(entry);
    assert.deepEqual(journal.entries(), everyKind);
    assert.deepEqual(journal.verify(), { ok: true, entries: everyKind.length });
  }
  using journal = openJournal(at.path("journal.db"));
  assert.deepEqual(journal.entries(), everyKind);
  journal.append(opened("e2", 12));
  assert.deepEqual(journal.verify(), { ok: true, entries: everyKind.length + 1 });
});

test("entries are selected by gateway, episode, kind, time and number, oldest first", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  for (const entry of everyKind) journal.append(entry);
  const times = (query: Parameters<typeof journal.entries>[0]) => journal.entries(query).map((e) => e.at);
  assert.deepEqual(times({ gateway: "other" }), [10, 11]);
  assert.deepEqual(times({ episode: "e1", kinds: ["opened", "ended"] }), [1, 8]);
  assert.deepEqual(times({ kinds: [] }), []);
  assert.deepEqual(times({ since: instant(10) }), [10, 11]);
  assert.deepEqual(times({ sinceSeq: 9 }), [10, 11]);
  assert.deepEqual(times({ sinceSeq: journal.lastSeq() }), []);
  assert.deepEqual(times({ limit: 2 }), [1, 2]);
  assert.deepEqual(times({ limit: 2, newest: true }), [10, 11]);
  assert.deepEqual(times({ gateway: "main", since: instant(3), sinceSeq: 4, limit: 1 }), [5]);
  assert.deepEqual(times({ gateway: "main' OR 1=1 --" }), []);
});

const tampering: readonly (readonly [what: string, sql: string, seq: number, problem: RegExp])[] = [
  ["a changed body", "UPDATE entries SET body = replace(body, 'hang', 'down') WHERE seq = 4", 4, /changed/],
  [
    "a changed body with a hash to match",
    "UPDATE entries SET body = '{}', hash = 'ab' WHERE seq = 4",
    4,
    /changed/,
  ],
  ["an entry filed elsewhere", "UPDATE entries SET gateway = 'other' WHERE seq = 2", 2, /filed under/],
  ["an entry moved in time", "UPDATE entries SET at = 7 WHERE seq = 2", 2, /filed under/],
  ["a broken link", "UPDATE entries SET prev_hash = 'ab' WHERE seq = 3", 3, /does not follow/],
  ["an entry removed from the middle", "DELETE FROM entries WHERE seq = 5", 5, /missing/],
  ["entries removed from the start", "DELETE FROM entries WHERE seq < 3", 1, /missing/],
  ["entries removed from the end", "DELETE FROM entries WHERE seq > 9", 10, /missing/],
  ["all entries removed", "DELETE FROM entries", 1, /missing/],
  ["a forgotten head", "UPDATE chain SET head_hash = 'ab'", 11, /not the entry/],
];
for (const [what, sql, seq, problem] of tampering) {
  test(`verification finds ${what}`, () => {
    using at = folder();
    using journal = openJournal(at.path("journal.db"));
    for (const entry of everyKind) journal.append(entry);
    using stranger = new DatabaseSync(at.path("journal.db"));
    stranger.exec(sql);
    const found = journal.verify();
    assert.ok(!found.ok);
    assert.equal(found.seq, seq);
    assert.match(found.problem, problem);
  });
}

test("verification finds a body that is no entry although its hash is right", () => {
  for (const nonsense of ["not json", "{}", "null", '{"kind":"opened"}']) {
    using at = folder();
    using journal = openJournal(at.path("journal.db"), { sha256: (text) => `<${text.length}>` });
    journal.append(opened("e1", 1));
    using stranger = new DatabaseSync(at.path("journal.db"));
    stranger.prepare("UPDATE entries SET body = ?, hash = ?").run(nonsense, `<${nonsense.length}>`);
    assert.deepEqual(journal.verify(), { ok: false, seq: 1, problem: "not an entry" });
  }
});

test("the chain can be recomputed by anyone: sha256 of the previous hash and the body", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"), { sha256: (text) => `<${text.length}>` });
  journal.append(opened("e1", 1));
  journal.append(opened("e2", 2));
  using stranger = new DatabaseSync(at.path("journal.db"), { readOnly: true });
  const rows = stranger.prepare("SELECT prev_hash, hash, length(body) AS n FROM entries ORDER BY seq").all();
  assert.equal(rows[0]?.["prev_hash"], "");
  assert.equal(rows[0]?.["hash"], `<${Number(rows[0]?.["n"])}>`);
  assert.equal(rows[1]?.["prev_hash"], rows[0]?.["hash"]);
});

test("an entry that cannot be written leaves nothing behind", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  journal.append(opened("e1", 1));
  assert.throws(() => journal.append(opened("e2", Number.NaN)), /NaN cannot be written/);
  const long = { note: "x".repeat(1024 * 1024) };
  const huge: Entry = { kind: "evidence", episode: "e1", gateway: "main", at: instant(2), evidence: long };
  assert.throws(() => journal.append(huge), /more than 1048576/);
  journal.append(ended("e1", 3));
  assert.deepEqual(journal.entries(), [opened("e1", 1), ended("e1", 3)]);
  assert.deepEqual(journal.verify(), { ok: true, entries: 2 });
});

test("a reader sees what the guard commits while both have the journal open, and cannot write", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  journal.append(opened("e1", 1));
  using reader = openJournalReadOnly(at.path("journal.db"));
  assert.deepEqual(reader.entries(), [opened("e1", 1)]);
  journal.append(ended("e1", 2));
  journal.keepAlerts([alert()], instant(20_000), () => life);
  assert.deepEqual(reader.entries({ kinds: ["ended"] }), [ended("e1", 2)]);
  assert.equal(reader.openAlerts("main").length, 1);
  assert.deepEqual(reader.verify(), { ok: true, entries: 2 });
  assert.ok(!("append" in reader));
});

test("pruning removes a prefix of whole, ended episodes and the rest still verifies", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  // e2 begins before e1 ends: a cut between them would go through one of them.
  const story = [
    opened("e0", 1),
    ended("e0", 2),
    opened("e1", 3),
    opened("e2", 4, "other"),
    ended("e1", 5),
    ended("e2", 6, "other"),
    opened("e3", 7),
    ended("e3", 8),
  ];
  for (const entry of story) journal.append(entry);
  assert.equal(journal.prune({ keepEpisodes: 4, before: instant(100) }), 0);
  assert.equal(journal.prune({ keepEpisodes: 2, before: instant(100) }), 2, "e1 is bound to e2");
  assert.deepEqual(journal.entries(), story.slice(2));
  assert.deepEqual(journal.verify(), { ok: true, entries: 6 });
  assert.equal(journal.prune({ keepEpisodes: 0, before: instant(6) }), 0, "e2 ended too late");
  assert.equal(journal.prune({ keepEpisodes: 1, before: instant(100) }), 4);
  assert.equal(journal.prune({ keepEpisodes: 0, before: instant(100) }), 2);
  assert.deepEqual(journal.verify(), { ok: true, entries: 0 });
  journal.append(opened("e4", 9));
  assert.deepEqual(journal.verify(), { ok: true, entries: 1 });
  assert.equal(journal.lastSeq(), 9, "numbers are not used again");
});

test("pruning keeps what still binds the guard", () => {
  const binding: readonly (readonly [string, readonly Entry[]])[] = [
    ["an episode without an ending", [opened("e1", 1), decided("e1", 2)]],
    ["an episode given up that nobody has resumed", [opened("e1", 1), ended("e1", 2, "main", "gave_up")]],
    [
      "a pause that lasts",
      [{ kind: "paused", gateway: "main", at: instant(1), who: "ada", why: "", until: instant(100) }],
    ],
  ];
  for (const [what, story] of binding) {
    using at = folder();
    using journal = openJournal(at.path("journal.db"));
    for (const entry of story) journal.append(entry);
    journal.append(opened("e9", 50, "other"));
    journal.append(ended("e9", 51, "other"));
    assert.equal(journal.prune({ keepEpisodes: 0, before: instant(100) }), 0, what);
  }
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  journal.append(opened("e1", 1));
  journal.append(ended("e1", 2, "main", "gave_up"));
  journal.append({ kind: "resumed", gateway: "main", at: instant(3), who: "ada", why: "repaired" });
  assert.equal(
    journal.prune({ keepEpisodes: 0, before: instant(100) }),
    3,
    "resumed: nothing binds any more",
  );
});
