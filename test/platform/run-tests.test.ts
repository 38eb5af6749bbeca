// Does the test runner notice what `node --test` lets through? Each case is a small project of its own with one flaw.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const passing =
  'import { test } from "node:test";\nfor (let i = 0; i < 1000; i++) test(`case ${i}`, () => {});\n';

test("enough passing tests are a success, and the last line has the numbers", async () => {
  const { status, last } = await runner("bundle", { "test/bundle/a.test.ts": passing });
  assert.equal(last, "1000 passed, 0 failed, 0 skipped");
  assert.equal(status, 0);
});

test("a pattern that matches no file is a failure", async () => {
  const { status, output, last } = await runner("bundle", { "test/bundle/a.spec.ts": passing });
  assert.match(output, /FAILED bundle: test\/bundle\/\*\*\/\*\.test\.ts matches no file/);
  assert.equal(last, "0 passed, 1 failed, 0 skipped");
  assert.equal(status, 1);
});

test("fewer tests than there should be are a failure", async () => {
  const one = 'import { test } from "node:test";\ntest("alone", () => {});\n';
  const { status, output, last } = await runner("bundle", { "test/bundle/a.test.ts": one });
  assert.match(output, /FAILED bundle: 1 tests passed, at least \d+ must/);
  assert.equal(last, "1 passed, 1 failed, 0 skipped");
  assert.equal(status, 1);
});

test("a test that is skipped or left to do is named and is a failure", async () => {
  const { status, output, last } = await runner("bundle", {
    "test/bundle/a.test.ts": `${passing}test("no time", { skip: true }, () => {});\ntest("later", { todo: true }, () => {});\n`,
  });
  assert.match(output, /SKIPPED bundle: no time/);
  assert.match(output, /SKIPPED bundle: later/);
  assert.equal(last, "1000 passed, 1 failed, 2 skipped");
  assert.equal(status, 1);
});

test("a test that fails, one that never ends and a file that does not load each count", async () => {
  const { status, output, last } = await runner("bundle", {
    "test/bundle/a.test.ts": `${passing}test("wrong", () => { throw new Error("no"); });\ntest("endless", { timeout: 50 }, () => new Promise(() => {}));\n`,
    "test/bundle/b.test.ts": 'import "./nowhere.ts";\n',
  });
  assert.match(output, /FAILED bundle: 1 tests were cancelled/);
  assert.equal(last, "1000 passed, 3 failed, 0 skipped");
  assert.equal(status, 1);
});

test("the numbers of several suites are added up, and a failure in the first does not hide the second", async () => {
  const { status, last } = await runner("acceptance bundle", { "test/bundle/a.test.ts": passing });
  assert.equal(last, "1000 passed, 1 failed, 0 skipped");
  assert.equal(status, 1);
});

test("a suite that is not there is refused by name before anything runs", async () => {
  const { status, output } = await runner("bundle bundel", { "test/bundle/a.test.ts": passing });
  assert.match(output, /no suite bundel: one of unit, program, bundle/);
  assert.equal(status, 2);
});

test("what this machine lacks is a skip by name, and a failure where CI=true", async () => {
  // The check for namespaces is replaced by one that always refuses, as on a machine without them.
  const files = { "test/support/cgwrap": "#!/bin/sh\necho 'no right to' >&2\nexit 90\n" };
  const here = await runner("systemd", files, { CI: "" });
  assert.match(
    here.output,
    /^SKIPPED systemd: needs (root|a cgroup and namespaces of its own \(no right to\))$/m,
  );
  assert.equal(here.last, "0 passed, 0 failed, 1 skipped");
  assert.equal(here.status, 0);
  const ci = await runner("systemd", files, { CI: "true" });
  assert.equal(ci.last, "0 passed, 1 failed, 1 skipped");
  assert.equal(ci.status, 1);
});

/** Runs these suites of a project that consists of these files. */
async function runner(
  suites: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
) {
  const root = await mkdtemp(join(tmpdir(), "guard-runner-"));
  try {
    const script = join(root, "scripts/run-tests.ts");
    await mkdir(dirname(script));
    await copyFile(fileURLToPath(new URL("../../scripts/run-tests.ts", import.meta.url)), script);
    await writeFile(join(root, "package.json"), '{"type":"module"}');
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), text, { mode: 0o755 });
    }
    const { NODE_TEST_CONTEXT: _, ...ours } = process.env;
    const child = spawn(process.execPath, [script, ...suites.split(" ")], {
      env: { ...ours, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    await once(child, "close");
    return { status: child.exitCode, output, last: output.trimEnd().split("\n").at(-1) };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
