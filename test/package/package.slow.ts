// Does what npm would publish run where it is installed? Packed, installed in an empty folder, and put through the loop:
// Node strips no types below node_modules, so there only the built files can work.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, suite, test } from "node:test";
import { promisify } from "node:util";

const root = dirname(dirname(import.meta.dirname));
const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
// The carried Node first: the one of the machine may be too old, and the program's first line asks PATH for it.
const env = {
  ...process.env,
  PATH: [join(root, "node_modules", ".bin"), process.env["PATH"]].join(delimiter),
};

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end, whatever its exit code. */
async function run(argv: readonly string[], cwd: string): Promise<Ended> {
  const [program = "", ...args] = argv;
  const options = { cwd, env, timeout: 4 * 60_000, maxBuffer: 16 * 1024 * 1024 };
  try {
    return { code: 0, ...(await promisify(execFile)(program, args, options)) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && typeof error.code === "number")) throw error;
    const text = (name: string) => String(Object.entries(error).find(([key]) => key === name)?.[1]);
    return { code: error.code, stdout: text("stdout"), stderr: text("stderr") };
  }
}

suite("the package", () => {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-guard-package-"));
  const installed = join(folder, "node_modules", "openclaw-guard");
  const guard = (...args: string[]) =>
    run([join(folder, "node_modules", ".bin", "openclaw-guard"), ...args], folder);
  let packed: readonly string[] = [];

  before(async () => {
    const pack = await run(["npm", "pack", "--json", "--pack-destination", folder], root);
    assert.equal(pack.code, 0, pack.stderr);
    // What the scripts around packing print stands before the JSON.
    const [made] = JSON.parse(pack.stdout.slice(pack.stdout.search(/^\[/m))) as {
      readonly filename: string;
      readonly files: readonly { readonly path: string }[];
    }[];
    assert.ok(made !== undefined);
    packed = made.files.map(({ path }) => path);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
    const install = await run(
      ["npm", "install", "--no-audit", "--no-fund", join(folder, made.filename)],
      folder,
    );
    assert.equal(install.code, 0, install.stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

  test("has what a user needs, and neither sources nor tests", () => {
    for (const file of [
      "README.md",
      "LICENSE",
      "guard.example.yml",
      "dist/main.js",
      "dist/stand-in/gateway.js",
      "prometheus/rules/gateway.yml",
      "alertmanager/alertmanager.yml",
      "units/openclaw-guard.service",
    ])
      assert.ok(packed.includes(file), `${file} is not in it`);
    assert.deepEqual(
      packed.filter((file) => /^(src|test|scripts|\.ci)\/|(?<!\.d)\.ts$|token$/.test(file)),
      [],
    );
  });

  test("brings its runtime dependencies and no development ones", () => {
    const list = JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, unknown>>;
    };
    const names = Object.keys(list.packages).map((path) => path.replace("node_modules/", ""));
    for (const name of Object.keys(own.dependencies)) assert.ok(names.includes(name), name);
    for (const name of ["typescript", "oxlint", "node", "@biomejs/biome"])
      assert.ok(!names.includes(name), name);
  });

  test("says its version", async () =>
    assert.deepEqual(await guard("--version"), { code: 0, stdout: `${own.version}\n`, stderr: "" }));

  test("checks the example that comes with it", async () => {
    const checked = await guard("check-config", "--config", join(installed, "guard.example.yml"));
    assert.equal(checked.code, 0, checked.stderr);
    assert.match(checked.stdout, /guard\.example\.yml: valid, mode enforce/);
  });

  test("refuses a wrong configuration with exit code 2 and every problem", async () => {
    writeFileSync(join(folder, "guard.yml"), "mode: enforced\nhang: { confirm: 90 }\n");
    const checked = await guard("check-config", "--config", "guard.yml");
    assert.deepEqual(checked, {
      code: 2,
      stdout: "",
      stderr: [
        "mode: write enforce or observe\n",
        "hang.confirm: is a number: write a duration such as 90s, 30m or 1h30m\n",
      ].join(""),
    });
  });

  test("plays the whole loop, from a crash to a verified recovery", async () => {
    const played = await guard("demo", "--scenario", "crash", "--json");
    assert.equal(played.code, 0, played.stdout + played.stderr);
    const last: unknown = JSON.parse(played.stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.ok(typeof last === "object" && last !== null && "outcome" in last);
    assert.equal(last.outcome, "recovered");
  });
});
