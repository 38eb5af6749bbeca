// How can an editor complete and check guard.yml? Writes guard.schema.json: the settings as the program checks them, each
// with the words of guard.example.yml; with --check it only says whether the file is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../src/config.ts";

const root = join(import.meta.dirname, "..");
const file = join(root, "guard.schema.json");

type Schema = {
  type?: string | string[];
  description?: string;
  $id?: string;
  title?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
};

/** The whole text of guard.schema.json. */
export function schemaText(): string {
  const schema = configSchema() as Schema;
  const words = descriptions(readFileSync(join(root, "guard.example.yml"), "utf8"));
  describe(schema, "", words, undefined);
  // A section whose settings are all commented out is null to YAML; the program takes it for its defaults.
  for (const section of Object.values(schema.properties ?? {}))
    if (section.type === "object") section.type = ["object", "null"];
  const head = {
    $id: "https://github.com/openclaw-guard/openclaw-guard/raw/main/guard.schema.json",
    title: "Configuration of openclaw-guard",
  };
  return `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`;
}

/** A setting about which the example says nothing of its own is told by the section or the line that it stands in. */
function describe(
  schema: Schema,
  at: string,
  words: ReadonlyMap<string, string>,
  around: string | undefined,
): void {
  for (const [name, setting] of Object.entries(schema.properties ?? {})) {
    const path = at === "" ? name : `${at}.${name}`;
    const text = words.get(path) ?? around;
    if (text !== undefined) setting.description = text;
    describe(setting, path, words, text);
  }
  if (schema.items !== undefined) describe(schema.items, at, words, around);
  for (const one of schema.oneOf ?? []) describe(one, at, words, around);
}

/** What the example says above each setting, by the setting's path; a setting that is shown twice has both. */
export function descriptions(example: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const above: { readonly indent: number; readonly name: string }[] = [];
  let said: string[] = [];
  for (const line of example.split("\n")) {
    const [, comment] = /^\s*# (.*)$/.exec(line) ?? [];
    if (comment !== undefined) {
      said.push(comment.trim());
      continue;
    }
    const [, margin = "", dash = "", name] = /^(\s*)(- )?#?(\w+):/.exec(line) ?? [];
    if (name === undefined) {
      // A blank line ends what was said: the head of the file is about no setting.
      said = [];
      continue;
    }
    const indent = margin.length + dash.length;
    while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
    above.push({ indent, name });
    const path = above.map((each) => each.name).join(".");
    if (said.length > 0) found.set(path, [...(found.has(path) ? [found.get(path)] : []), ...said].join(" "));
    said = [];
  }
  return found;
}

if (import.meta.main) {
  const wanted = schemaText();
  if (!process.argv.includes("--check")) writeFileSync(file, wanted);
  else if (readFileSync(file, "utf8") !== wanted) {
    process.stderr.write("guard.schema.json: out of date: npm run docs\n");
    process.exitCode = 1;
  }
}
