// Does everything that the documents point at exist? Links, paths, npm scripts, decisions.
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { documents, root, text } from "./documents.ts";

const scripts = Object.keys((JSON.parse(text("package.json")) as { readonly scripts: object }).scripts);
/** A path of this repository in backticks, without placeholders. */
const path = /`((?:src|test|docs|scripts|prometheus|alertmanager|grafana|units)\/[\w./*-]*)`/g;

suite("the documents", () => {
  test("are there", () => assert.ok(documents.length > 30, `${documents.length} documents`));

  for (const document of documents)
    test(`point at what exists: ${document}`, () => {
      const content = text(document);
      for (const [, target = ""] of content.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        assert.ok(existsSync(join(root, dirname(document), target)), `link to ${target}`);
      for (const [, named = ""] of content.matchAll(path)) {
        // A new collector or action of a recipe does not exist yet.
        if (named.endsWith("/x.ts")) continue;
        assert.ok(globSync(named, { cwd: root }).length > 0, named);
      }
      for (const [, script = ""] of content.matchAll(/npm run (?:--\S+ )*([\w:-]+)/g))
        assert.ok(scripts.includes(script), `npm run ${script}`);
    });

  for (const document of documents)
    test(`name nothing of the machine they were written on: ${document}`, () =>
      assert.doesNotMatch(text(document), /\/(root|work|tmp)\//));
});

suite("the decisions", () => {
  const files = globSync("docs/adr/*.md", { cwd: root }).sort();

  test("are numbered without a gap", () => {
    assert.ok(files.length >= 15, `${files.length} decisions`);
    assert.deepEqual(
      files.map((file) => Number(/(\d{4})-[a-z0-9-]+\.md$/.exec(file)?.[1])),
      files.map((_, i) => i + 1),
    );
  });

  for (const file of files)
    test(`have context, decision and consequences on one page: ${file}`, () => {
      const content = text(file);
      const number = /(\d{4})-/.exec(file)?.[1];
      assert.match(content, new RegExp(`^# ${number} \\S`));
      assert.deepEqual(
        [...content.matchAll(/^## (.+)$/gm)].map(([, title]) => title),
        ["Context", "Decision", "Consequences"],
      );
      assert.ok(content.split("\n").length <= 60);
    });
});
