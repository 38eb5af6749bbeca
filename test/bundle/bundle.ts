// What do the files that are shipped say? Reads rules, rule tests, routes, runbooks and dashboards as plain data.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The root of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

export type Labels = Readonly<Record<string, string>>;
export type Rule = {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
};
export type Alert = Rule & { readonly alert: string; readonly labels: Labels; readonly annotations: Labels };
export type RuleTest = {
  readonly name?: string;
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts?: readonly unknown[];
  }[];
  readonly promql_expr_test?: readonly { readonly expr: string }[];
};

/** A file of the repository as text. */
export const text = (path: string): string => readFileSync(root + path, "utf8");

/** A file of the repository as YAML, in the shape that the caller knows it to have. */
export function yaml<Shape>(path: string): Shape {
  const value: Shape = parse(text(path), { merge: true });
  return value;
}

/** The files of a folder with this ending, as paths from the root; a folder without any is an error. */
export function files(folder: string, ending: string): readonly string[] {
  const found = readdirSync(root + folder).filter((name) => name.endsWith(ending));
  assert.ok(found.length > 0, `${folder}: no *${ending}`);
  return found.sort().map((name) => `${folder}/${name}`);
}

type RuleFile = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

/** Every rule of `prometheus/rules`. */
export const rules: readonly Rule[] = files("prometheus/rules", ".yml").flatMap((path) =>
  yaml<RuleFile>(path).groups.flatMap((group) => group.rules),
);

/** Those of them that alert. */
export const alerts: readonly Alert[] = rules.flatMap((rule) =>
  rule.alert === undefined
    ? []
    : [{ ...rule, alert: rule.alert, labels: rule.labels ?? {}, annotations: rule.annotations ?? {} }],
);

/** Every unit test of the rules, with the file it is in. */
export const ruleTests: readonly (RuleTest & { readonly file: string })[] = files(
  "prometheus/tests",
  ".yml",
).flatMap((file) =>
  yaml<{ readonly tests: readonly RuleTest[] }>(file).tests.map((test) => ({ ...test, file })),
);

/** The lines of `alertmanager/routes.txt`: a label set and the receivers that it reaches, in order. */
export const routes: readonly {
  readonly labels: Labels;
  readonly words: readonly string[];
  readonly receivers: string;
}[] = text("alertmanager/routes.txt")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [set, receivers] = line.split(" => ");
    assert.ok(set !== undefined && receivers !== undefined, `routes.txt: not "labels => receivers": ${line}`);
    const words = set.split(" ");
    return { words, receivers, labels: Object.fromEntries(words.map((word) => word.split("=", 2))) };
  });

/** The PromQL of a runbook: each line of its ```promql blocks. */
export function promqlOf(markdown: string): readonly string[] {
  return [...markdown.matchAll(/```promql\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    (block ?? "").split("\n").filter((line) => line.trim() !== ""),
  );
}

export type Target = {
  readonly refId: string;
  readonly expr: string;
  readonly datasource?: { readonly uid: string };
};
export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly collapsed?: boolean;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
  readonly panels?: readonly Panel[];
};
export type Variable = {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly definition?: string;
  readonly refresh?: number;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
};
export type Dashboard = {
  readonly uid: string;
  readonly id?: number;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly graphTooltip: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
};

/** Every dashboard that is provisioned. */
export const dashboards: readonly { readonly file: string; readonly dashboard: Dashboard }[] = files(
  "grafana/dashboards",
  ".json",
).map((file) => {
  const dashboard: Dashboard = JSON.parse(text(file));
  return { file, dashboard };
});

/** The panels that show something, also those inside collapsed rows. */
export function shownPanels(dashboard: Dashboard): readonly Panel[] {
  return dashboard.panels.flatMap((panel) => (panel.type === "row" ? (panel.panels ?? []) : [panel]));
}

/** Every query of a dashboard: of panels and of annotations. */
export function queriesOf(dashboard: Dashboard): readonly string[] {
  return [
    ...shownPanels(dashboard).flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ expr }) => expr),
  ];
}
