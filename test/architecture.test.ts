// Does every file import only what its place allows? The layers are the design; here they are checked.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What a folder may import beside itself: other folders by name, packages and Node's modules by theirs. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  platform: ["core", "node:*", "undici"],
  collect: [
    "core",
    "platform",
    "node:fs",
    "node:fs/promises",
    "node:os",
    "node:path",
    "systeminformation",
    "ws",
    "zod",
  ],
  sample: ["core"],
  expose: ["core", "platform", "node:fs", "prom-client", "fastify"],
  receive: ["core", "fastify", "zod", "node:crypto"],
  remedy: ["core", "platform", "node:*"],
  record: ["core", "node:sqlite", "node:crypto", "node:fs", "node:path"],
  operate: ["core", "platform", "commander", "fastify", "node:*"],
  "stand-in": ["core", "platform", "node:*", "ws", "zod"],
  // The wiring, where concrete things meet.
  "": ["*"],
};

/** Packages and modules that only a few files may import, whatever their folder allows. */
const kept: readonly { readonly what: string; readonly where: RegExp }[] = [
  { what: "node:child_process", where: /^(platform|stand-in)\// },
  { what: "yaml", where: /^(config|operate\/stack|operate\/up)\.ts$/ },
  { what: "pino", where: /^app\.ts$/ },
];
/** Allowed to these files beside what their folder allows. */
const alsoAllowed: Readonly<Record<string, readonly string[]>> = {
  "operate/stack.ts": ["yaml"],
  "operate/up.ts": ["yaml"],
  // Reads addresses, and lets the loop breathe between processes; it opens nothing and waits for nothing.
  "collect/discover.ts": ["node:net", "node:timers/promises"],
  // Lets the loop breathe between processes.
  "collect/package-manager.ts": ["node:timers/promises"],
  // The same, and between the pages of a long table.
  "collect/claimants.ts": ["node:timers/promises"],
  "collect/sockets.ts": ["node:timers/promises"],
  // The accept key of a WebSocket handshake is a digest.
  "collect/handshake.ts": ["node:crypto"],
  // Compares two parsed files.
  "collect/config-file.ts": ["node:util"],
  // Opens the gateway's database read only, for the names of profiles.
  "collect/auth-profiles.ts": ["node:sqlite", "node:url"],
};

/** Text that only some files may contain. */
const phrases: readonly { readonly what: RegExp; readonly name: string; readonly where: RegExp }[] = [
  { name: "Date.now()", what: /\bDate\.now\b/, where: /^platform\/clock\.ts$/ },
  { name: "new Date()", what: /\bnew Date\(\s*\)/, where: /^platform\/clock\.ts$/ },
  { name: "process.env", what: /\bprocess\.env\b/, where: /^(main\.ts|stand-in\/.*)$/ },
  { name: "Math.random", what: /\bMath\.random\b/, where: /^$/ },
  { name: "console", what: /\bconsole\.\w/, where: /^$/ },
  { name: "an exec with a shell", what: /\bexecSync\b|\bshell:\s*true\b/, where: /^$/ },
];

const bannedNames = /Manager|Service|Handler|Helper|Utils?(?![a-z])|Impl\b/;
const lineLimit = 300;

type Source = { readonly path: string; readonly text: string; readonly folder: string };

async function sources(): Promise<readonly Source[]> {
  const found: Source[] = [];
  for await (const path of glob("**/*.ts", { cwd: join(root, "src") })) {
    found.push({
      path,
      text: readFileSync(join(root, "src", path), "utf8"),
      folder: path.includes("/") ? (path.split("/")[0] ?? "") : "",
    });
  }
  return found.toSorted((a, b) => a.path.localeCompare(b.path));
}

test("the check sees the sources, so that it cannot pass by looking at nothing", async () => {
  const all = await sources();
  assert.ok(all.length > 5, `${all.length} files below src`);
  const folders = new Set(all.map(({ folder }) => folder));
  assert.deepEqual([...folders].toSorted(), Object.keys(mayImport).toSorted());
  assert.ok(all.flatMap(importsOf).length > all.length);
});

test("every import is allowed where it stands", async () => {
  const problems = (await sources()).flatMap((source) =>
    importsOf(source).flatMap((imported) => {
      const what = imported.startsWith(".") ? partOf(source, imported) : imported;
      return isAllowed(source, what, imported) ? [] : [`${source.path} must not import ${what}`];
    }),
  );
  assert.deepEqual(problems, []);
});

test("a forbidden import is named", () => {
  const of = (path: string, text: string): Source => ({ path, text, folder: path.split("/")[0] ?? "" });
  const judged = (source: Source): readonly string[] =>
    importsOf(source).filter((imported) => {
      const what = imported.startsWith(".") ? partOf(source, imported) : imported;
      return !isAllowed(source, what, imported);
    });
  assert.deepEqual(judged(of("core/decide.ts", 'import { x } from "node:fs";')), ["node:fs"]);
  assert.deepEqual(judged(of("receive/a.ts", 'import type { Action } from "../remedy/action.ts";')), [
    "../remedy/action.ts",
  ]);
  assert.deepEqual(judged(of("remedy/a.ts", 'export * from "../config.ts";')), ["../config.ts"]);
  assert.deepEqual(judged(of("remedy/a.ts", 'const x = await import("node:child_process");')), [
    "node:child_process",
  ]);
  assert.deepEqual(judged(of("remedy/a.ts", 'import "../core/time.ts";\nimport a from "./b.ts";')), []);
});

test("clocks, environment, console and shells stay in their few files", async () => {
  const problems = (await sources()).flatMap(({ path, text }) =>
    phrases.flatMap(({ what, name, where }) =>
      what.test(withoutComments(text)) && !where.test(path) ? [`${path} must not use ${name}`] : [],
    ),
  );
  assert.deepEqual(problems, []);
});

test("no file is longer than can be read in one sitting", async () => {
  const long = (await sources()).flatMap(({ path, text }) => {
    const lines = text.trimEnd().split("\n").length;
    return lines > lineLimit ? [`${path}: ${lines} lines`] : [];
  });
  assert.deepEqual(long, []);
});

test("names say what a thing is, and every file which question it answers", async () => {
  const problems = (await sources()).flatMap(({ path, text }) => {
    const declared = [
      ...text.matchAll(/^(?:export )?(?:async )?(?:function|class|type|const|interface) (\w+)/gm),
    ].map(([, name]) => name ?? "");
    const lines = text.replace(/^#!.*\n/, "");
    return [
      ...declared.filter((name) => bannedNames.test(name)).map((name) => `${path}: ${name}`),
      ...(/^\/\/ \S/.test(lines) ? [] : [`${path}: does not begin with a comment`]),
      ...(/^[a-z0-9-]+(\/[a-z0-9-]+)*\.ts$/.test(path) ? [] : [`${path}: is not in kebab-case`]),
    ];
  });
  assert.deepEqual(problems, []);
});

/** Static, re-exporting and dynamic imports, types included: a type is knowledge, too. */
function importsOf({ text }: Source): readonly string[] {
  const code = withoutComments(text);
  return [...code.matchAll(/\bfrom\s+"([^"]+)"|\bimport\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/g)].map(
    ([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? "",
  );
}

/** The folder of src that a relative import leads to; a file of the wiring by its own name. */
function partOf({ path }: Source, imported: string): string {
  const target = normalize(join(dirname(path), imported));
  return target.includes("/") ? (target.split("/")[0] ?? "") : target;
}

function isAllowed(source: Source, what: string, imported: string): boolean {
  if (kept.some((one) => one.what === what && !one.where.test(source.path))) return false;
  const allowed = [...(mayImport[source.folder] ?? []), ...(alsoAllowed[source.path] ?? [])];
  if (allowed.includes("*")) return true;
  // Nothing below a folder may know the wiring.
  if (imported.startsWith("."))
    return what === source.folder || (!what.endsWith(".ts") && allowed.includes(what));
  return allowed.some((one) => one === what || (one === "node:*" && what.startsWith("node:")));
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}
