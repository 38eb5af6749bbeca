// Do Prometheus' own tools accept the rules, and does every alert have a test in which it fires and one in which it must not?
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { minutes } from "../../src/core/time.ts";
import { ExecError, run } from "../../src/platform/exec.ts";
import { components } from "../support/components.ts";
import { alerts, files, promqlOf, root, rules, ruleTests, text, yaml } from "./bundle.ts";

const limits = { deadline: minutes(1), signal: new AbortController().signal };
const promtool = async (...args: readonly string[]) => run([(await components()).promtool, ...args], limits);
const absolute = (paths: readonly string[]) => paths.map((path) => root + path);
const ruleFiles = absolute(files("prometheus/rules", ".yml"));

suite("promtool", () => {
  test("accepts every rule, with every lint as an error", async () => {
    const { stdout } = await promtool("check", "rules", "--lint=all", "--lint-fatal", ...ruleFiles);
    const found = [...stdout.matchAll(/SUCCESS: (\d+) rules? found/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    assert.equal(found, rules.length);
  });

  test("refuses a rule file that is broken, so that its approval means something", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "guard-rules-"));
    t.after(() => rm(folder, { recursive: true }));
    const broken = join(folder, "broken.yml");
    await writeFile(broken, "groups: [{ name: g, rules: [{ alert: A, expr: 'up ==' }] }]\n");
    await assert.rejects(promtool("check", "rules", broken), ExecError);
  });

  test("accepts prometheus.yml and finds all the rule files through it", async () => {
    const { stdout } = await promtool("check", "config", `${root}prometheus/prometheus.yml`);
    assert.match(stdout, new RegExp(`SUCCESS: ${ruleFiles.length} rule files found`));
  });

  for (const file of files("prometheus/tests", ".yml")) {
    test(`passes the rule tests of ${file}`, async () => {
      await promtool("test", "rules", root + file);
    });
  }

  test("accepts every query of the runbooks", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "guard-rules-"));
    t.after(() => rm(folder, { recursive: true }));
    const queries = files("docs/runbooks", ".md").flatMap((file) => promqlOf(text(file)));
    assert.ok(queries.length > 30, `${queries.length} queries`);
    const file = join(folder, "runbooks.yml");
    const asRules = queries.map((expr, n) => ({ record: `runbook:query:n${n}`, expr }));
    await writeFile(file, JSON.stringify({ groups: [{ name: "runbooks", rules: asRules }] }));
    await promtool("check", "rules", file);
  });
});

// An alert that always fires has no near miss; its absence is what the guard watches for.
const alwaysFires = new Set(["OpenClawWatchdog"]);

suite("every alert has been seen firing", () => {
  const expectations = ruleTests.flatMap(({ alert_rule_test }) => alert_rule_test ?? []);

  for (const { alert } of alerts) {
    test(`${alert} fires in a test and stays quiet in another`, () => {
      const own = expectations.filter(({ alertname }) => alertname === alert);
      assert.ok(
        own.some(({ exp_alerts }) => (exp_alerts ?? []).length > 0),
        "never fires",
      );
      if (alwaysFires.has(alert)) return;
      const quiet = ruleTests.some(({ alert_rule_test }) => {
        const here = (alert_rule_test ?? []).filter(({ alertname }) => alertname === alert);
        return here.length > 0 && here.every(({ exp_alerts }) => (exp_alerts ?? []).length === 0);
      });
      assert.ok(quiet, "no test in which it never fires");
    });
  }

  test("no test speaks of an alert that does not exist", () => {
    const known = new Set(alerts.map(({ alert }) => alert));
    assert.deepEqual(
      expectations.map(({ alertname }) => alertname).filter((name) => !known.has(name)),
      [],
    );
  });

  test("every quiet test names the report it stands for, in the comment before it", () => {
    for (const file of files("prometheus/tests", ".yml")) {
      const blocks = text(file).split(/\n(?=\n)/);
      for (const { name, alert_rule_test = [] } of ruleTests.filter((each) => each.file === file)) {
        if (
          alert_rule_test.length === 0 ||
          alert_rule_test.some(({ exp_alerts }) => (exp_alerts ?? []).length > 0)
        )
          continue;
        // That an alert ends is the other half of firing, and no near miss.
        if (/\b(back|ends)\b/.test(name ?? "")) continue;
        const block = blocks.find((each) => each.includes(`name: ${name}\n`));
        assert.match(block ?? "", /# .*#\d{2,}/, `${file}: ${name}`);
      }
    }
  });
});

suite("a program may copy the folder and change addresses only", () => {
  type Shipped = {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly { readonly job_name: string; readonly scrape_interval: string }[];
    readonly alerting: { readonly alertmanagers: readonly { readonly timeout: string }[] };
  };
  const shipped = yaml<Shipped>("prometheus/prometheus.yml");

  test("rule files are relative, and the one job is the guard's", () => {
    assert.deepEqual(shipped.rule_files, ["rules/*.yml"]);
    assert.deepEqual(
      shipped.scrape_configs.map(({ job_name, scrape_interval }) => [job_name, scrape_interval]),
      [["openclaw-guard", "2s"]],
    );
    assert.deepEqual(
      shipped.alerting.alertmanagers.map(({ timeout }) => timeout),
      ["3s"],
    );
  });
});
