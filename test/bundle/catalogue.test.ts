// Does every metric that rules, dashboards and runbooks speak of exist, with the labels they select by?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { catalogue } from "../../src/catalogue.ts";
import { dashboards, files, rules, text } from "./bundle.ts";

const specs = new Map(catalogue.map((spec) => [spec.name, spec]));
// From the scrape configuration, and from the guard for each gateway.
const always = ["job", "instance", "gateway"];
const recorded = new Set(rules.flatMap(({ record }) => (record === undefined ? [] : [record])));

/** The declared family behind a name: a histogram is read through its three parts. */
function familyOf(name: string) {
  const whole = specs.get(name);
  if (whole !== undefined) return whole;
  const base = specs.get(name.replace(/_(bucket|sum|count)$/, ""));
  return base?.type === "histogram" ? base : undefined;
}

const folders: readonly (readonly [string, string])[] = [
  ["prometheus/rules", ".yml"],
  ["prometheus/tests", ".yml"],
  ["grafana/dashboards", ".json"],
  ["docs/runbooks", ".md"],
];

suite("the catalogue", () => {
  test("is not empty", () => assert.ok(catalogue.length > 30, `${catalogue.length} families`));

  for (const path of folders.flatMap(([folder, ending]) => files(folder, ending))) {
    test(`declares every metric of ${path}`, () => {
      // JSON escapes the quotes inside a query.
      const content = text(path).replaceAll('\\"', '"');
      const names = [
        ...content.matchAll(/(?<![\w:])openclaw_(?:gateway|guard|host|endpoint)_\w+(?![\w:])/g),
      ].map(([name]) => name);
      assert.deepEqual(
        [...new Set(names)].filter((name) => familyOf(name) === undefined),
        [],
        "not in the catalogue",
      );

      for (const [, name, selector] of content.matchAll(/(?<![\w:])(openclaw_\w+)\{([^}]*)\}/g)) {
        const labels = [...(selector ?? "").matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*["%]/g)].map(
          ([, label]) => label ?? "",
        );
        const known = [...always, ...(familyOf(name ?? "")?.labels ?? [])];
        assert.deepEqual(
          labels.filter((label) => !known.includes(label)),
          [],
          `${name} has no such label`,
        );
      }
    });
  }

  test("no dashboard or runbook asks for a recorded series that no rule records", () => {
    for (const path of [...files("docs/runbooks", ".md"), ...dashboards.map(({ file }) => file)]) {
      for (const [name] of text(path).matchAll(/\b[a-z]+:openclaw_\w+:\w+/g))
        assert.ok(recorded.has(name), `${path}: ${name}`);
    }
  });

  test("no metric of the catalogue takes a name that recording rules own", () => {
    for (const { name } of catalogue) assert.doesNotMatch(name, /:/);
  });
});
