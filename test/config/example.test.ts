// Does guard.example.yml show every setting, with the default that really holds?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { parse } from "yaml";
import { configSchema, parseConfig } from "../../src/config.ts";

const lines = readFileSync(join(import.meta.dirname, "../../guard.example.yml"), "utf8").split("\n");
/** A setting that is commented out: no space after the #. */
const example = /^(\s*)#(\w+):/;
/** The settings below one that gives nothing but the default of a choice. */
const examples = lines.flatMap((line, index) => (example.test(line) ? [index] : []));

/** The file with one of its examples in place of what it says by default. */
function withExample(index: number): string {
  const [, indent, key] = example.exec(lines[index] ?? "") ?? [];
  return lines
    .map((line, i) => {
      if (i === index) return line.replace("#", "");
      return line.startsWith(`${indent}${key}:`) && near(index, i) ? "" : line;
    })
    .join("\n");
}

/** Whether both lines are in the same section: no line at its left margin lies between them. */
function near(a: number, b: number): boolean {
  return lines.slice(Math.min(a, b) + 1, Math.max(a, b)).every((line) => !/^\w/.test(line));
}

type Schema = {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
};

/** Every setting of a schema by its path, list positions left out. */
function settingsIn(schema: Schema, at = ""): readonly string[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, each]) => {
      const path = at === "" ? key : `${at}.${key}`;
      return [path, ...settingsIn(each, path)];
    }),
    ...(schema.items === undefined ? [] : settingsIn(schema.items, at)),
    ...(schema.oneOf ?? []).flatMap((each) => settingsIn(each, at)),
  ];
}

/** Every setting that a parsed file names, in the same words. */
function settingsOf(value: unknown, at = ""): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each) => settingsOf(each, at));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => {
    const path = at === "" ? key : `${at}.${key}`;
    return [path, ...settingsOf(each, path)];
  });
}

suite("guard.example.yml", () => {
  test("says the defaults", () => assert.deepEqual(parseConfig(parse(lines.join("\n"))), parseConfig({})));

  test("has examples of what has no default", () => assert.ok(examples.length >= 10, `${examples.length}`));

  for (const index of examples)
    test(`is valid with its example in line ${index + 1}`, () => {
      const elsewhere = { stateDir: "/srv/guard" };
      const config = parseConfig(parse(withExample(index)), elsewhere);
      assert.notDeepEqual(config, parseConfig({}, elsewhere), "it changes something");
    });

  test("names every setting, and none that is not there", () => {
    const schema = configSchema() as Schema;
    const wanted = new Set(settingsIn(schema));
    assert.ok(wanted.size > 50, `${wanted.size} settings`);
    const named = new Set(
      [lines.join("\n"), ...examples.map(withExample)].flatMap((text) => settingsOf(parse(text))),
    );
    assert.deepEqual([...named].sort(), [...wanted].sort());
  });

  test("explains each of its sections", () => {
    for (const [index, line] of lines.entries())
      if (/^\w/.test(line)) assert.match(lines[index - 1] ?? "", /^# /, `line ${index + 1}: ${line}`);
  });
});
