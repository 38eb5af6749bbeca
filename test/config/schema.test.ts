// Does the schema that editors use know every setting, in words, and does it agree with the program?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { descriptions, schemaText } from "../../scripts/schema.ts";

const root = join(import.meta.dirname, "../..");
const text = readFileSync(join(root, "guard.schema.json"), "utf8");
const example = readFileSync(join(root, "guard.example.yml"), "utf8");
const isValid = new Ajv2020({ allErrors: true, validateFormats: false }).compile(JSON.parse(text) as object);

type Schema = {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
};

function settingsOf(schema: Schema, at = ""): readonly (readonly [string, Schema])[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(
      ([name, each]): readonly (readonly [string, Schema])[] => [
        [`${at}${name}`, each],
        ...settingsOf(each, `${at}${name}.`),
      ],
    ),
    ...(schema.items === undefined ? [] : settingsOf(schema.items, at)),
    ...(schema.oneOf ?? []).flatMap((one) => settingsOf(one, at)),
  ];
}

suite("guard.schema.json", () => {
  test("is up to date (npm run docs)", () => assert.equal(text, schemaText()));

  test("tells every setting in words", () => {
    const settings = settingsOf(JSON.parse(text) as Schema);
    assert.ok(settings.length > 60, `${settings.length} settings`);
    assert.deepEqual(
      settings.filter(([, { description = "" }]) => description.length < 8).map(([path]) => path),
      [],
    );
  });

  test("has the defaults", () => {
    const { properties } = JSON.parse(text) as {
      readonly properties: {
        readonly mode: { readonly default: unknown };
        readonly hang: { readonly properties: { readonly confirm: { readonly default: unknown } } };
      };
    };
    assert.equal(properties.mode.default, "enforce");
    assert.equal(properties.hang.properties.confirm.default, "90s");
  });

  test("is named by the first line of the example, which is valid by it", () => {
    assert.equal(example.split("\n")[0], "# yaml-language-server: $schema=./guard.schema.json");
    assert.ok(isValid(parse(example)), JSON.stringify(isValid.errors));
    assert.ok(isValid(parse(readFileSync(join(root, "units/compose/guard.yml"), "utf8"))));
  });

  for (const [says, wrong] of [
    ["an unknown setting", { hangs: {} }],
    ["an unknown setting in a section", { hang: { confirms: "90s" } }],
    ["a number where a duration is written", { hang: { confirm: 90 } }],
    ["another mode", { mode: "enforced" }],
    ["a supervisor without its unit", { gateways: [{ supervisor: { kind: "systemd" } }] }],
    ["fifty-one gateways", { gateways: Array.from({ length: 51 }, () => ({})) }],
  ] as const)
    test(`refuses ${says}`, () => assert.equal(isValid(wrong), false));

  test("accepts sections whose settings are all commented out", () =>
    assert.ok(isValid(parse("hang:\nalertmanager:\n"))));
});

test("what is said above a setting is about it alone", () => {
  const found = descriptions(
    [
      "# The head.",
      "",
      "# About a.",
      "# More of it.",
      "a: 1",
      "b:",
      "  # About c.",
      "  #c: 2",
      "l:",
      "  - name: x",
      "    # About d.",
      "    d: 3",
      "# About e.",
      "e: 4",
    ].join("\n"),
  );
  assert.deepEqual(
    [...found],
    [
      ["a", "About a. More of it."],
      ["b.c", "About c."],
      ["l.d", "About d."],
      ["e", "About e."],
    ],
  );
});
