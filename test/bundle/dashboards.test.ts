// Are the dashboards complete, provisionable without a dialog, and made of queries that Prometheus accepts?
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { minutes } from "../../src/core/time.ts";
import { run } from "../../src/platform/exec.ts";
import { components } from "../support/components.ts";
import { type Dashboard, dashboards, type Panel, queriesOf, shownPanels, text, yaml } from "./bundle.ts";

for (const { file, dashboard } of dashboards) {
  suite(file, () => {
    const panels = shownPanels(dashboard);
    const everything = [...dashboard.panels, ...dashboard.panels.flatMap((panel) => panel.panels ?? [])];

    test("is read-only, readable by its address, and free of what only the import dialog understands", () => {
      assert.match(dashboard.uid, /^[a-z0-9-]{8,40}$/);
      assert.equal(dashboard.id, undefined);
      assert.equal(dashboard.editable, false);
      assert.equal(dashboard.graphTooltip, 1, "shared crosshair");
      assert.ok(dashboard.schemaVersion <= 42, "the classic schema");
      assert.doesNotMatch(text(file), /__inputs|__requires|\$\{DS_/);
    });

    test("has one data source variable, and job, instance and gateway that follow the time range", () => {
      const { list } = dashboard.templating;
      assert.deepEqual(
        list.map(({ name, type }) => [name, type]),
        [
          ["datasource", "datasource"],
          ["job", "query"],
          ["instance", "query"],
          ["gateway", "query"],
        ],
      );
      for (const variable of list.slice(1)) {
        assert.equal(variable.refresh, 2, variable.name);
        assert.deepEqual(
          [variable.multi, variable.includeAll, variable.allValue],
          [true, true, ".+"],
          variable.name,
        );
      }
    });

    test("has unique ids and titles, and panels that fill the grid without overlapping", () => {
      const ids = everything.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      const titles = everything.map(({ title }) => title);
      assert.equal(new Set(titles).size, titles.length);
      assert.deepEqual(overlaps(dashboard.panels), []);
      for (const row of dashboard.panels) assert.deepEqual(overlaps(row.panels ?? []), []);
    });

    test("each panel says what it shows, in which unit, and from which data source", () => {
      assert.ok(panels.length > 10, `${panels.length} panels`);
      for (const { title, description, fieldConfig, datasource, targets = [] } of panels) {
        assert.match(title, /\w/);
        assert.match(description ?? "", /^[A-Z].*\.$/, `${title}: description`);
        assert.match(fieldConfig?.defaults.unit ?? "", /\w/, `${title}: unit`);
        assert.equal(datasource?.uid, "${datasource}", title);
        assert.ok(targets.length > 0, `${title}: no query`);
        assert.deepEqual(
          targets.map(({ refId }) => refId),
          ["A", "B", "C", "D", "E"].slice(0, targets.length),
          title,
        );
        for (const target of targets) assert.equal(target.datasource?.uid, "${datasource}", title);
      }
    });

    test("each selector follows the variables, and each rate the scrape interval", () => {
      for (const query of queriesOf(dashboard)) {
        const selectors = [...query.matchAll(/openclaw_\w+(\{[^}]*\})?/g)];
        assert.ok(selectors.length > 0, query);
        for (const [selector] of selectors) {
          assert.match(selector, /\{job=~"\$job",instance=~"\$instance"/, query);
          if (selector.startsWith("openclaw_gateway_")) assert.match(selector, /gateway=~"\$gateway"/, query);
        }
        for (const [, range] of query.matchAll(/\[([^\]]+)\]/g))
          assert.equal(range, "$__rate_interval", query);
        const counters = [...query.matchAll(/(\w+\()?openclaw_\w+_total/g)];
        for (const [, within] of counters) assert.match(within ?? "", /^(rate|increase)\($/, query);
      }
    });

    test("Prometheus accepts each query", async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "guard-dashboard-"));
      t.after(() => rm(folder, { recursive: true }));
      const asRules = queriesOf(dashboard).map((query, n) => ({
        record: `dashboard:query:n${n}`,
        expr: query.replaceAll("$__rate_interval", "1m").replaceAll(/\$\w+/g, ".+"),
      }));
      assert.ok(asRules.length > 20, `${asRules.length} queries`);
      const rules = join(folder, "queries.yml");
      await writeFile(rules, JSON.stringify({ groups: [{ name: "dashboard", rules: asRules }] }));
      const { promtool } = await components();
      await run([promtool, "check", "rules", rules], { deadline: minutes(1), signal: t.signal });
    });
  });
}

/** Titles of panels that leave the 24 columns or cover another one. */
function overlaps(panels: Dashboard["panels"]): readonly string[] {
  const wrong: string[] = [];
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    if (gridPos.x < 0 || gridPos.x + gridPos.w > 24) wrong.push(title);
    for (const cell of cellsOf(gridPos)) {
      if (taken.has(cell)) wrong.push(title);
      taken.add(cell);
    }
  }
  return [...new Set(wrong)];
}

function cellsOf({ x, y, w, h }: Panel["gridPos"]): readonly string[] {
  return Array.from({ length: w * h }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`);
}

suite("provisioning", () => {
  test("the data source is fixed, and knows the smallest scrape interval", () => {
    type Source = {
      readonly uid: string;
      readonly editable: boolean;
      readonly jsonData: { readonly timeInterval: string; readonly httpMethod: string };
    };
    const { datasources } = yaml<{ readonly datasources: readonly Source[] }>(
      "grafana/provisioning/datasources/prometheus.yml",
    );
    const { scrape_configs } = yaml<{
      readonly scrape_configs: readonly { readonly scrape_interval: string }[];
    }>("prometheus/prometheus.yml");
    assert.equal(datasources.length, 1);
    assert.equal(datasources[0]?.uid, "prometheus");
    assert.equal(datasources[0]?.editable, false);
    assert.equal(datasources[0]?.jsonData.httpMethod, "POST");
    assert.equal(datasources[0]?.jsonData.timeInterval, scrape_configs[0]?.scrape_interval);
  });

  test("dashboards come from files only, from the folder that compose mounts", () => {
    type Provider = {
      readonly type: string;
      readonly allowUiUpdates: boolean;
      readonly disableDeletion: boolean;
      readonly options: { readonly path: string };
    };
    const { providers } = yaml<{ readonly providers: readonly Provider[] }>(
      "grafana/provisioning/dashboards/openclaw.yml",
    );
    assert.equal(providers.length, 1);
    const [provider] = providers;
    assert.deepEqual(
      [provider?.type, provider?.allowUiUpdates, provider?.disableDeletion],
      ["file", false, true],
    );
    assert.ok(text("docker-compose.yml").includes(`./grafana/dashboards:${provider?.options.path}:ro`));
  });
});
