// Does a wrong configuration say what is wrong and how to put it right, everything at once, and quote no secret?
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { suite, test } from "node:test";
import { addressOf, ConfigError, parseConfig, readConfig, stateDirFor } from "../../src/config.ts";

const folder = join(import.meta.dirname, "../fixtures/config");
const names = (ending: string) =>
  globSync(`*${ending}`, { cwd: folder })
    .map((file) => basename(file, ending))
    .sort();

/** The problems of a configuration that must not be valid. */
function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new assert.AssertionError({ message: "it is valid" });
}

suite("a wrong configuration", () => {
  test("is kept here in each way of being wrong, with its whole text", () => {
    const invalid = names(".yml").filter((name) => name.startsWith("invalid-"));
    assert.ok(invalid.length >= 15, `${invalid.length} fixtures`);
    assert.deepEqual(names(".txt"), invalid);
  });

  for (const name of names(".txt"))
    test(`says all of what is wrong: ${name}`, () => {
      const file = join(folder, `${name}.yml`);
      assert.throws(
        () => readConfig(file),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(
            `${error.message.replaceAll(file, `${name}.yml`)}\n`,
            readFileSync(join(folder, `${name}.txt`), "utf8"),
          );
          return true;
        },
      );
    });

  test("is told in words of the operator, not of the library that reads it", () => {
    for (const name of names(".txt"))
      assert.doesNotMatch(
        readFileSync(join(folder, `${name}.txt`), "utf8").replaceAll(`${name}.yml`, "the file"),
        /invalid|expected|received|undefined|null|NaN/i,
        name,
      );
  });

  test("quotes no value, since a secret may stand in the wrong place", () => {
    const secret = "s3cr3t-s3cr3t";
    const raw = {
      mode: secret,
      state_dir: [secret],
      control: { token: secret, listen: secret, token_env: `-${secret}` },
      alertmanager: { url: secret },
      gateways: [{ url: `http://me:${secret}@127.0.0.1`, token_file: { file: secret }, supervisor: secret }],
      window: { zone: secret },
    };
    const problems = problemsOf(() => parseConfig(raw));
    assert.equal(problems.length, 10, problems.join());
    assert.ok(!problems.join("\n").includes(secret), problems.join("\n"));
  });

  test("that is not there says what to write", () =>
    assert.deepEqual(
      problemsOf(() => readConfig(join(folder, "none.yml"))),
      [
        `${join(folder, "none.yml")}: cannot be read (ENOENT): write one with the settings of guard.example.yml`,
      ],
    ));
});

suite("a configuration without settings", () => {
  for (const name of ["valid-empty", "valid-empty-sections"])
    test(`is the defaults: ${name}`, () =>
      assert.deepEqual(readConfig(join(folder, `${name}.yml`)), parseConfig({})));

  test("has numbers in the units of the program", () => {
    const config = parseConfig({});
    assert.equal(config.hang.confirm, 90_000);
    assert.equal(config.drain.limit, 330_000);
    assert.equal(config.history.keep, 90 * 86_400_000);
    assert.deepEqual(config.window.spans, [
      { from: 22 * 60, to: 6 * 60, days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] },
    ]);
  });

  test("keeps its state where the machine says, unless a setting does", () => {
    assert.equal(parseConfig({}).state_dir, "/var/lib/openclaw-guard");
    assert.equal(parseConfig({}, { stateDir: "/srv/guard" }).state_dir, "/srv/guard");
    assert.equal(parseConfig({ state_dir: "/data" }, { stateDir: "/srv/guard" }).state_dir, "/data");
  });
});

suite("settings", () => {
  for (const [written, milliseconds] of [
    ["1ms", 1],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
  ] as const)
    test(`a duration of ${written} is read`, () =>
      assert.equal(parseConfig({ just_woke: written }).just_woke, milliseconds));

  for (const wrong of ["", "90", "1.5h", "-5s", "5 s", "5S", "7d1ms", 90])
    test(`a duration is not ${JSON.stringify(wrong)}`, () =>
      assert.equal(problemsOf(() => parseConfig({ just_woke: wrong })).length, 1));

  for (const [written, bytes] of [
    ["512MiB", 536_870_912],
    ["1.5GiB", 1_610_612_736],
    ["2GB", 2_000_000_000],
    ["100B", 100],
  ] as const)
    test(`a size of ${written} is read`, () =>
      assert.equal(parseConfig({ gateways: [{ memory_limit: written }] }).gateways[0]?.memory_limit, bytes));

  for (const [written, host, port] of [
    ["127.0.0.1:9477", "127.0.0.1", 9477],
    ["[::1]:0", "::1", 0],
    ["localhost:65535", "localhost", 65_535],
  ] as const)
    test(`an address of ${written} is read`, () => {
      const { metrics } = parseConfig({ metrics: { listen: written } });
      assert.deepEqual(addressOf(metrics.listen), { host, port });
    });

  test("both listeners may take a free port", () => {
    const free = "127.0.0.1:0";
    const config = parseConfig({ metrics: { listen: free }, control: { listen: free } });
    assert.equal(config.metrics.listen, config.control.listen);
  });

  test("a window of no span is at any time", () =>
    assert.deepEqual(parseConfig({ window: { spans: [] } }).window.spans, []));
});

suite("the folder for the guard's state", () => {
  const user = { isRoot: false, home: "/home/me" };
  const root = { isRoot: true, home: "/root" };
  const cases: readonly (readonly [string, Record<string, string>, typeof user, string])[] = [
    ["what the unit names", { STATE_DIRECTORY: "/var/lib/a" }, user, "/var/lib/a"],
    ["the first of several", { STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }, root, "/var/lib/a"],
    ["the system's for root", { XDG_STATE_HOME: "/x" }, root, "/var/lib/openclaw-guard"],
    ["in the home of a user", {}, user, "/home/me/.local/state/openclaw-guard"],
    ["where the user keeps state", { XDG_STATE_HOME: "/x" }, user, "/x/openclaw-guard"],
    ["not a relative one", { XDG_STATE_HOME: "x" }, user, "/home/me/.local/state/openclaw-guard"],
    ["not an empty one", { STATE_DIRECTORY: "" }, user, "/home/me/.local/state/openclaw-guard"],
  ];
  for (const [says, env, who, expected] of cases)
    test(`is ${says}`, () => assert.equal(stateDirFor(env, who), expected));

  for (const unit of ["units/openclaw-guard.service", "units/user/openclaw-guard.service"])
    test(`is made by systemd for ${unit}, as the guard looks for it`, () => {
      const [, named] =
        /^StateDirectory=(.+)$/m.exec(readFileSync(join(folder, "../../..", unit), "utf8")) ?? [];
      assert.equal(stateDirFor({}, root), `/var/lib/${named}`);
      assert.equal(stateDirFor({}, user), `/home/me/.local/state/${named}`);
    });
});
