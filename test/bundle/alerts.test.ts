// Do alerts keep the agreements that the guard, the routes and the people on call rely on?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { isCause, isUrgency, urgencyOf } from "../../src/core/cause.ts";
import { refusals } from "../../src/core/refusal.ts";
import { findingReasons } from "../../src/remedy/action.ts";
import { alerts, files, routes, rules, text } from "./bundle.ts";

const runbookSections = ["Meaning", "What the guard does about it", "Check", "Fix", "When to silence"];

suite("every alert", () => {
  test("exists once", () => {
    const names = alerts.map(({ alert }) => alert);
    assert.ok(names.length >= 14, `${names.length} alerts`);
    assert.equal(new Set(names).size, names.length);
  });

  for (const { alert, labels, annotations, ...rule } of alerts) {
    test(`${alert} is labelled, explained and routed`, () => {
      assert.match(alert, /^OpenClaw(Gateway|Host|Guard|Restart|Watchdog)/);
      const severities = alert === "OpenClawWatchdog" ? ["none"] : ["critical", "warning", "info"];
      assert.ok(severities.includes(labels["severity"] ?? ""), `severity ${labels["severity"]}`);
      for (const [name, value] of Object.entries(labels)) {
        assert.doesNotMatch(
          value,
          /\{\{/,
          `label ${name} is a template: the identity of the alert would change`,
        );
      }
      assert.match(
        annotations["summary"] ?? "",
        /^[A-Z][^\d{}]*\.$/,
        "summary: one fixed sentence without numbers",
      );
      assert.match(annotations["description"] ?? "", /\w/, "description");
      assert.equal(
        annotations["runbook_url"],
        `https://github.com/openclaw-guard/openclaw-guard/blob/main/docs/runbooks/${alert}.md`,
      );
      // A written `for: 0s` is noise; firing on after recovery would drive a remedy again.
      assert.notEqual(rule.for, "0s");
      if (labels["remedy"] !== undefined) assert.equal(rule.keep_firing_for, undefined);

      const own = routes.filter((route) => route.labels["alertname"] === alert);
      assert.ok(own.length > 0, "no line in routes.txt");
      for (const [name, value] of Object.entries(labels)) {
        assert.ok(
          own.some((route) => route.labels[name] === value),
          `routes.txt: no line with ${name}=${value}`,
        );
      }
    });

    test(`${alert} has a runbook with the five sections`, () => {
      const runbook = text(`docs/runbooks/${alert}.md`);
      assert.ok(runbook.startsWith(`# ${alert}\n`));
      assert.deepEqual(
        [...runbook.matchAll(/^## (.*)$/gm)].map(([, title]) => title),
        runbookSections,
      );
      for (const section of runbook.split(/^## .*$/m).slice(1))
        assert.match(section, /\w{3}/, "an empty section");
    });
  }

  for (const { alert, labels } of alerts.filter((each) => each.labels["remedy"] !== undefined)) {
    test(`${alert} asks for a restart with a cause and the urgency that the guard gives it`, () => {
      const { remedy, cause, urgency } = labels;
      assert.equal(remedy, "restart");
      assert.ok(isCause(cause), `cause ${cause}`);
      assert.ok(isUrgency(urgency), `urgency ${urgency}`);
      assert.equal(urgency, urgencyOf[cause]);
    });
  }

  test("no alert about the guard or a restart asks for a restart", () => {
    for (const { alert, labels } of alerts) {
      if (/^OpenClaw(Guard|Restart)/.test(alert)) assert.equal(labels["remedy"], undefined, alert);
      if (labels["remedy"] === undefined)
        assert.equal(labels["cause"] ?? labels["urgency"], undefined, alert);
    }
  });
});

test("every runbook and every route belongs to an alert", () => {
  const known = new Set(alerts.map(({ alert }) => alert));
  const runbooks = files("docs/runbooks", ".md").map((path) => path.replace(/^.*\/|\.md$/g, ""));
  assert.deepEqual(
    runbooks.filter((name) => !known.has(name)),
    [],
  );
  const routed = routes
    .map(({ labels }) => labels["alertname"] ?? "")
    .filter((name) => name.startsWith("OpenClaw"));
  assert.deepEqual(
    routed.filter((name) => !known.has(name)),
    [],
  );
});

test("links between runbooks lead somewhere", () => {
  const runbooks = new Set(files("docs/runbooks", ".md").map((path) => path.replace(/^.*\//, "")));
  let links = 0;
  for (const path of files("docs/runbooks", ".md")) {
    for (const [, target] of text(path).matchAll(/\]\(([^)#]+)\)/g)) {
      assert.ok(runbooks.has(target ?? ""), `${path}: ${target}`);
      links++;
    }
  }
  assert.ok(links > 5, `${links} links`);
});

test("recording rules say level, metric and operation in their names", () => {
  const recorded = rules.flatMap(({ record }) => (record === undefined ? [] : [record]));
  assert.ok(recorded.length > 0);
  for (const name of recorded) assert.match(name, /^[a-z]+:openclaw_[a-z_]+:[a-z0-9_]+$/);
});

/** The words in the first column of a runbook's table. */
function firstColumn(runbook: string): readonly string[] {
  const cells = [...text(runbook).matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => cell ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, word]) => word ?? ""));
}

suite("a runbook with a table of reasons", () => {
  test("explains each refusal that people can be told of, and no other", () => {
    // These end a need, wait for the next look, or are what a person wanted.
    const neverTold = [
      "recovered",
      "unconfirmed",
      "stale_alert",
      "already_replaced",
      "stopped_on_purpose",
      "paused",
      "silenced",
      "just_woke",
    ];
    const told = refusals.filter((refusal) => !neverTold.includes(refusal));
    assert.deepEqual([...firstColumn("docs/runbooks/OpenClawRestartBlocked.md")].sort(), [...told].sort());
  });

  test("explains each reason for a lowered mode, and no other", () => {
    const reasons = [...findingReasons, "another_guard", "not_checked"];
    assert.deepEqual([...firstColumn("docs/runbooks/OpenClawGuardModeDowngraded.md")].sort(), reasons.sort());
  });
});
