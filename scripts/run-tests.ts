// Did every test run, and did it pass? Runs the named suites and fails on what `node --test` lets through:
// a pattern that matches no file, a test that was skipped or cancelled, and fewer tests than there should be.
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

type Suite = {
  readonly patterns: readonly string[];
  /** The number of tests that must run at least; raise it with the tests, so that lost ones are noticed. */
  readonly atLeast: number;
  /** Files at the same time: one where they share a machine's resources or measure time. */
  readonly concurrency: number;
  readonly deadlineMinutes: number;
  /** What this user or machine lacks, in words; undefined when the suite can run. */
  readonly lacks?: () => string | undefined;
  /** What can be installed: lacking it is a failure, never a skip. */
  readonly missing?: () => string | undefined;
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));

// `true` would leave one core out, and so run file after file on a small machine.
const everyCore = Math.max(2, availableParallelism());

const unitFolders = [
  "core",
  "collect",
  "sample",
  "expose",
  "receive",
  "remedy",
  "record",
  "platform",
  "config",
  "docs",
];

const suites: Readonly<Record<string, Suite>> = {
  unit: {
    patterns: ["test/architecture.test.ts", ...unitFolders.map((folder) => `test/${folder}/**/*.test.ts`)],
    atLeast: 1500,
    concurrency: everyCore,
    deadlineMinutes: 2,
  },
  // These start the real program or the stand-in for every story, so `npm run check` does without them.
  program: {
    patterns: ["test/app/**/*.test.ts", "test/operate/**/*.test.ts", "test/stand-in/**/*.test.ts"],
    atLeast: 115,
    concurrency: everyCore,
    deadlineMinutes: 3,
  },
  bundle: {
    patterns: ["test/bundle/**/*.test.ts"],
    atLeast: 140,
    concurrency: everyCore,
    deadlineMinutes: 3,
  },
  acceptance: { patterns: ["test/acceptance/**/*.test.ts"], atLeast: 30, concurrency: 1, deadlineMinutes: 5 },
  systemd: {
    patterns: ["test/systemd/**/*.slow.ts"],
    atLeast: 41,
    concurrency: 1,
    deadlineMinutes: 5,
    lacks: lacksNamespaces,
    missing: () => missingFile("/lib/systemd/systemd", "systemd"),
  },
  compose: { patterns: ["test/compose/**/*.slow.ts"], atLeast: 3, concurrency: 1, deadlineMinutes: 5 },
  gateway: { patterns: ["test/real-gateway/**/*.slow.ts"], atLeast: 3, concurrency: 1, deadlineMinutes: 10 },
  // Whether it runs and its numbers can be; it takes the machine for itself, so that they are not wild.
  bench: { patterns: ["test/bench/**/*.test.ts"], atLeast: 5, concurrency: 1, deadlineMinutes: 3 },
  package: { patterns: ["test/package/**/*.slow.ts"], atLeast: 6, concurrency: 1, deadlineMinutes: 5 },
};

const total = { passed: 0, failed: 0, skipped: 0 };
const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in suites));
if (names.length === 0 || unknown.length > 0) {
  process.stderr.write(
    `run-tests: ${unknown.length > 0 ? `no suite ${unknown.join(", ")}` : "name a suite"}: one of ${Object.keys(suites).join(", ")}\n`,
  );
  process.exit(2);
}
for (const name of names) {
  const suite = suites[name];
  if (suite !== undefined) await runSuite(name, suite);
}
say(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runSuite(name: string, suite: Suite): Promise<void> {
  const lack = suite.lacks?.();
  if (lack !== undefined) {
    say(`SKIPPED ${name}: needs ${lack}`);
    total.skipped++;
    // A machine that is there to run everything has no excuse.
    if (process.env["CI"] === "true") fail(name, "nothing may be skipped where CI=true");
    return;
  }
  const missing = suite.missing?.();
  if (missing !== undefined) return fail(name, missing);
  const files: string[] = [];
  for (const pattern of suite.patterns) {
    const matched = globSync(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") });
    if (matched.length === 0) fail(name, `${pattern} matches no file`);
    files.push(...matched.map((file) => join(root, file)));
  }
  if (files.length === 0) return;
  say(`--- ${name}: ${files.length} files`);

  const counts = { passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0, tests: 0 };
  const stream = run({
    files: files.sort(),
    cwd: root,
    concurrency: suite.concurrency,
    timeout: suite.deadlineMinutes * 60_000,
  });
  stream.on("test:summary", (summary) => {
    // One comes per file, too; only the last is of the whole run.
    if (summary.file === undefined) Object.assign(counts, summary.counts);
  });
  for (const event of ["test:pass", "test:fail"] as const)
    stream.on(event, (data: { name: string; skip?: unknown; todo?: unknown }) => {
      if (data.skip !== undefined || data.todo !== undefined) say(`SKIPPED ${name}: ${data.name}`);
    });
  const report = stream.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report);

  total.passed += counts.passed;
  total.failed += counts.failed + counts.cancelled;
  total.skipped += counts.skipped + counts.todo;
  if (counts.cancelled > 0) say(`FAILED ${name}: ${counts.cancelled} tests were cancelled`);
  if (counts.skipped + counts.todo > 0) fail(name, "no test may be skipped or left to do");
  if (counts.passed < suite.atLeast)
    fail(name, `${counts.passed} tests passed, at least ${suite.atLeast} must`);
}

function fail(name: string, why: string): void {
  say(`FAILED ${name}: ${why}`);
  total.failed++;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function lacksNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return "root";
  const wrapped = spawnSync(join(root, "test/support/cgwrap"), ["unshare", "-m", "-C", "-p", "-f", "true"], {
    encoding: "utf8",
  });
  if (wrapped.status === 0) return undefined;
  return `a cgroup and namespaces of its own (${wrapped.stderr?.trim() ?? wrapped.error?.message})`;
}

function missingFile(file: string, packages: string): string | undefined {
  return existsSync(file)
    ? undefined
    : `${file} is missing: sudo apt-get install -y --no-install-recommends ${packages}`;
}
