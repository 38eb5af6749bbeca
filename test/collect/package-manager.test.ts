// Which command lines change what is installed, and which only look like it?
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { workerOn, workOf } from "../../src/collect/package-manager.ts";
import { never, type ProcTree, procTree } from "./proc-tree.ts";

const line = (...argv: readonly string[]) => `${argv.join("\0")}\0`;
/** As a program shows it that wrote a title over its arguments: one word with blanks, padded. */
const title = (text: string) => `${text}${" ".repeat(40)}\0\0\0`;

for (const [cmdline, namesGateway, everywhere] of [
  [title("npm install -g openclaw@latest"), true, false],
  [title("npm i openclaw"), true, false],
  [title("npm install ./dep"), false, false],
  [title("npm ci"), false, false],
  [title("npm update -g"), false, true],
  [title("npm --prefix /srv/gw install"), false, false],
  [line("node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "install", "-g", "openclaw"), true, false],
  [
    line("/usr/bin/node", "--no-warnings", "/opt/pnpm/bin/pnpm.cjs", "add", "-g", "openclaw@2026.10.1"),
    true,
    false,
  ],
  [line("node", "/usr/share/yarn/bin/yarn.js"), false, false],
  [line("node", "/usr/share/yarn/bin/yarn.js", "global", "add", "openclaw"), true, false],
  [line("bun", "add", "-g", "openclaw"), true, false],
  [title("npm install ./openclaw-2026.10.1.tgz"), true, false],
  [title("npm install github:openclaw/openclaw"), true, false],
  [title("openclaw-update"), true, true],
  [line("node", "/usr/lib/node_modules/openclaw/openclaw.mjs", "update", "--yes"), true, true],
  [line("/usr/bin/node", "/usr/local/bin/openclaw", "update"), true, true],
] as const) {
  test(`"${cmdline.replaceAll("\0", " ").trim()}" changes packages`, () => {
    const work = workOf(cmdline);
    assert.deepEqual([work?.namesGateway, work?.everywhere], [namesGateway, everywhere]);
  });
}

for (const cmdline of [
  title("openclaw-gateway"),
  title("npm exec openclaw gateway run"),
  title("npm run install"),
  title("npm start"),
  title("npm"),
  title("npm view openclaw version"),
  line("node", "/usr/lib/node_modules/openclaw/openclaw.mjs", "gateway", "run"),
  line("node", "/usr/lib/node_modules/openclaw/openclaw.mjs", "status"),
  line("node", "/home/u/install.js", "update", "openclaw"),
  line("vim", "npm-install-openclaw.md"),
  line("grep", "-r", "npm", "install", "openclaw"),
  line("bash", "-c", "sleep 5; npm install -g openclaw"),
  "",
  "\0\0",
]) {
  test(`"${cmdline.replaceAll("\0", " ").trim()}" changes none`, () => {
    assert.equal(workOf(cmdline), undefined);
  });
}

const installation = { folder: "/srv/gw/node_modules/openclaw", root: "/no/such/root" };

/** A process of the tree that works in a folder, with a file open. */
function worker(tree: ProcTree, pid: number, cmdline: string, cwd: string, open?: string): void {
  tree.write(`${pid}/cmdline`, cmdline);
  symlinkSync(cwd, join(tree.root, `${pid}`, "cwd"));
  mkdirSync(join(tree.root, `${pid}`, "fd"), { recursive: true });
  if (open !== undefined) symlinkSync(open, join(tree.root, `${pid}`, "fd", "17"));
}

for (const [what, cmdline, cwd, open, isAtWork] of [
  ["names the package, wherever it runs", title("npm i -g openclaw"), "/root", undefined, true],
  ["runs in the project that holds it", title("npm ci"), "/srv/gw", undefined, true],
  ["runs in the package itself", title("pnpm install"), "/srv/gw/node_modules/openclaw", undefined, true],
  ["has a file of its folder open", title("npm update -g"), "/root", "/srv/gw/node_modules/ws/a.js", true],
  ["updates everything", title("npm update -g"), "/root", undefined, true],
  ["runs in another project", title("npm ci"), "/srv/other", undefined, false],
  ["runs in a folder of a similar name", title("npm ci"), "/srv/gw-2", undefined, false],
  ["runs in a project below it", title("npm ci"), "/srv/gw/plugins", undefined, false],
  ["has a file of a similar folder open", title("npm ci"), "/x", "/srv/gw/node_modules-2/a.js", false],
] as const) {
  test(`a package manager that ${what} is ${isAtWork ? "" : "not "}at work on the installation`, async () => {
    using tree = procTree();
    worker(tree, 300, line("bash"), "/srv/gw");
    worker(tree, 301, cmdline, cwd, open);
    const found = await workerOn(tree.root, installation, never);
    assert.equal(found?.pid, isAtWork ? 301 : undefined);
  });
}

test("without a known installation only what names the gateway's package counts", async () => {
  using tree = procTree();
  worker(tree, 300, title("npm ci"), "/srv/gw");
  assert.equal(await workerOn(tree.root, undefined, never), undefined);
  worker(tree, 301, title("npm i -g openclaw"), "/root");
  assert.deepEqual(await workerOn(tree.root, undefined, never), { pid: 301, command: "npm i -g openclaw" });
});

test("an update in another container is not one of this gateway, though the path is the same", async () => {
  using tree = procTree();
  const modules = "srv/gw/node_modules";
  for (const pid of [4242, 301, 302]) tree.write(`${pid}/cmdline`, "");
  tree.write(`4242/root/${modules}/openclaw/package.json`, "{}");
  tree.write(`301/root/${modules}/openclaw/package.json`, "{}");
  tree.write("301/cmdline", title("npm i -g openclaw"));
  const ours = { folder: `/${modules}/openclaw`, root: join(tree.root, "4242", "root") };
  assert.equal(await workerOn(tree.root, ours, never), undefined);
  symlinkSync(join(tree.root, "4242", "root"), join(tree.root, "302", "root"));
  tree.write("302/cmdline", title("npm i -g openclaw"));
  assert.equal((await workerOn(tree.root, ours, never))?.pid, 302);
});

test("a process that ends while it is listed, or that may not be looked at, is passed over", async () => {
  using tree = procTree();
  mkdirSync(join(tree.root, "300"));
  mkdirSync(join(tree.root, "301", "cmdline"), { recursive: true });
  await assert.rejects(workerOn(tree.root, installation, never), /EISDIR/, "a bug is not passed over");
  using another = procTree();
  mkdirSync(join(another.root, "300"));
  assert.equal(await workerOn(another.root, installation, never), undefined);
});

test("a long list gives way to other work and ends with its signal", async () => {
  using tree = procTree();
  for (let pid = 1; pid <= 40; pid++) tree.write(`${pid}/cmdline`, line("sleep", "1"));
  const over = AbortSignal.abort(new Error("the guard is ending"));
  await assert.rejects(workerOn(tree.root, installation, over), /ending/);
});
