// Are alerts kept once, whatever the order, the repetition and the restarts of the guard?
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Alert, keyOf } from "../../src/core/alert.ts";
import { instant } from "../../src/core/time.ts";
import { openJournal } from "../../src/record/journal.ts";
import { alert, folder, life, nextLife } from "./support.ts";

const serving = () => life;
const blind = (gateway: string) => {
  if (gateway === "other") throw new Error("cannot look");
  return life;
};

test("an alert is accepted once and its repeats only raise the deliveries", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const first = journal.keepAlerts([alert()], instant(20_000), serving);
  assert.deepEqual(first, { accepted: [alert()], duplicate: 0, resolved: [] });
  const again = journal.keepAlerts([alert(), alert()], instant(30_000), () => nextLife);
  assert.deepEqual(again, { accepted: [], duplicate: 2, resolved: [] });
  assert.deepEqual(journal.openAlerts("main"), [
    {
      fingerprint: "b99e75c032086550",
      startsAt: 10_000,
      name: "OpenClawGatewayNotResponding",
      gateway: "main",
      cause: "hang",
      urgency: "now",
      receivedAt: 20_000,
      lastDeliveredAt: 30_000,
      deliveries: 3,
      incarnation: life,
    },
  ]);
  assert.deepEqual(journal.openAlerts("other"), []);
});

test("the same fingerprint that began at another time is another alert", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const later = alert({ startsAt: instant(11_000) });
  const kept = journal.keepAlerts([alert(), later], instant(20_000), serving);
  assert.deepEqual(kept.accepted, [alert(), later]);
  assert.equal(journal.openAlerts("main").length, 2);
});

test("a resolve closes the alert, and a late firing of it does not open it again", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const over = alert({ status: "resolved" });
  journal.keepAlerts([alert()], instant(20_000), serving);
  assert.deepEqual(journal.keepAlerts([over], instant(21_000), serving).resolved, [over]);
  assert.deepEqual(journal.openAlerts("main"), []);
  assert.equal(journal.keepAlerts([alert(), over], instant(22_000), serving).duplicate, 2);
  assert.deepEqual(journal.openAlerts("main"), []);
});

test("a resolve that overtook its firing keeps the alert closed, also after a restart of the guard", () => {
  using at = folder();
  {
    using journal = openJournal(at.path("journal.db"));
    const kept = journal.keepAlerts([alert({ status: "resolved" })], instant(20_000), serving);
    assert.equal(kept.resolved.length, 1);
  }
  using journal = openJournal(at.path("journal.db"));
  assert.equal(journal.keepAlerts([alert()], instant(21_000), serving).duplicate, 1);
  assert.deepEqual(journal.openAlerts("main"), []);
});

for (const why of ["cured", "ended"] as const) {
  test(`an alert that we closed as ${why} opens again when it is delivered again, about the life that serves now`, () => {
    using at = folder();
    using journal = openJournal(at.path("journal.db"));
    journal.keepAlerts([alert()], instant(20_000), serving);
    journal.closeAlerts([keyOf(alert())], instant(25_000), why);
    assert.deepEqual(journal.openAlerts("main"), []);
    const kept = journal.keepAlerts([alert()], instant(30_000), () => nextLife);
    assert.deepEqual(kept, { accepted: [alert()], duplicate: 0, resolved: [] });
    const [open] = journal.openAlerts("main");
    assert.equal(open?.receivedAt, 20_000);
    assert.equal(open?.deliveries, 2);
    assert.deepEqual(open?.incarnation, nextLife);
  });
}

test("closing as cured does not undo a resolve, and closing what is unknown does nothing", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  journal.keepAlerts([alert({ status: "resolved" })], instant(20_000), serving);
  journal.closeAlerts([keyOf(alert()), "never@seen"], instant(21_000), "cured");
  assert.equal(journal.keepAlerts([alert()], instant(22_000), serving).duplicate, 1);
});

test("open alerts survive a restart, and an unknown life stays unknown", () => {
  using at = folder();
  {
    using journal = openJournal(at.path("journal.db"));
    journal.keepAlerts([alert()], instant(20_000), () => undefined);
  }
  using journal = openJournal(at.path("journal.db"));
  assert.equal(journal.openAlerts("main")[0]?.incarnation, undefined);
  assert.equal(journal.keepAlerts([alert()], instant(21_000), serving).duplicate, 1);
});

test("a delivery is kept whole or not at all", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const other = alert({ gateway: "other", fingerprint: "aa" });
  assert.throws(() => journal.keepAlerts([alert(), other], instant(20_000), blind), /cannot look/);
  assert.deepEqual(journal.openAlerts("main"), []);
  assert.equal(journal.keepAlerts([alert()], instant(21_000), serving).accepted.length, 1);
});

test("hostile labels are stored as text and nothing else", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const gateway = "x'); DROP TABLE alerts; --";
  journal.keepAlerts([alert({ gateway, name: "\u0000\n'\"" })], instant(20_000), serving);
  assert.equal(journal.openAlerts(gateway)[0]?.name, "\u0000\n'\"");
});

test("any order and repetition of deliveries leaves open what was never resolved", () => {
  const delivery = fc.record({
    fingerprint: fc.constantFrom("aa", "bb", "cc"),
    startsAt: fc.constantFrom(1, 2).map(instant),
    status: fc.constantFrom("firing" as const, "resolved" as const),
  });
  using at = folder();
  let run = 0;
  fc.assert(
    fc.property(fc.array(fc.array(delivery, { maxLength: 4 }), { maxLength: 8 }), (deliveries) => {
      using journal = openJournal(at.path(`${run++}.db`));
      const seen: Alert[] = [];
      const counted = { accepted: 0, duplicate: 0, resolved: 0 };
      for (const [index, one] of deliveries.entries()) {
        const alerts = one.map((some) => alert(some));
        seen.push(...alerts);
        const kept = journal.keepAlerts(alerts, instant(100 + index), serving);
        counted.accepted += kept.accepted.length;
        counted.duplicate += kept.duplicate;
        counted.resolved += kept.resolved.length;
      }
      const resolved = new Set(seen.filter((one) => one.status === "resolved").map(keyOf));
      const expected = new Set(seen.map(keyOf).filter((key) => !resolved.has(key)));
      assert.deepEqual(new Set(journal.openAlerts("main").map(keyOf)), expected);
      assert.equal(counted.accepted + counted.duplicate + counted.resolved, seen.length);
      assert.equal(counted.resolved, resolved.size);
    }),
    { numRuns: 60 },
  );
});

test("old closed alerts are forgotten and open ones are not, however old", () => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const over = alert({ fingerprint: "aa", status: "resolved" });
  journal.keepAlerts([alert(), over], instant(20_000), serving);
  journal.prune({ keepEpisodes: 0, before: instant(20_000) });
  assert.equal(journal.keepAlerts([over], instant(20_500), serving).duplicate, 1, "not yet old");
  journal.prune({ keepEpisodes: 0, before: instant(30_000) });
  assert.equal(journal.keepAlerts([over], instant(31_000), serving).resolved.length, 1, "forgotten");
  assert.equal(journal.openAlerts("main").length, 1);
});

test("ten thousand alerts, and their repeats, are kept in seconds", (t) => {
  using at = folder();
  using journal = openJournal(at.path("journal.db"));
  const deliveries = Array.from({ length: 10 }, (_, batch) =>
    Array.from({ length: 1000 }, (_unused, n) => alert({ startsAt: instant(1 + batch * 1000 + n) })),
  );
  const timed = (count: "accepted" | "duplicate") => {
    const before = performance.now();
    for (const alerts of deliveries) {
      const kept = journal.keepAlerts(alerts, instant(20_000), serving);
      assert.equal(count === "accepted" ? kept.accepted.length : kept.duplicate, 1000);
    }
    return performance.now() - before;
  };
  const first = timed("accepted");
  const again = timed("duplicate");
  t.diagnostic(`10 000 alerts: ${first.toFixed(0)} ms new, ${again.toFixed(0)} ms repeated`);
  assert.equal(journal.openAlerts("main").length, 10_000);
  // Far above what any disk here needed; what it catches is a scan for each alert.
  assert.ok(first + again < 20_000);
});
