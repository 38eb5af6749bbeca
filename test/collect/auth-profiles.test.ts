// Are auth profiles without a credential counted, with the gateway's databases left as they were?
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test } from "node:test";
import { authProfilesCollector } from "../../src/collect/auth-profiles.ts";

const never = new AbortController().signal;
const config = {
  auth: {
    profiles: {
      "anthropic:default": { provider: "anthropic", mode: "api_key" },
      "openai:personal": { provider: "openai", mode: "oauth" },
      "bedrock:eu": { provider: "amazon-bedrock", mode: "aws-sdk" },
    },
    order: { anthropic: ["anthropic:work", "anthropic:default"], "amazon-bedrock": ["bedrock:eu"] },
  },
};
const profiles = (...ids: readonly string[]) =>
  JSON.stringify({ version: 1, profiles: Object.fromEntries(ids.map((id) => [id, { key: "s3cr3t" }])) });

/** A state directory with this configuration. */
function state(written: unknown = config) {
  const dir = mkdtempSync(join(tmpdir(), "guard-auth-"));
  const configPath = join(dir, "openclaw.json");
  writeFileSync(configPath, typeof written === "string" ? written : JSON.stringify(written));
  return {
    dir,
    shared: (json: string, table = "config_machine_state") =>
      database(join(dir, "state"), "openclaw.sqlite", [
        `CREATE TABLE ${table} (state_key TEXT PRIMARY KEY, value_json TEXT) STRICT`,
        `INSERT INTO ${table} VALUES ('other', '{}'), ('authProfiles.store', '${json}')`,
      ]),
    agent: (id: string, json: string) =>
      database(join(dir, "agents", id, "agent"), "openclaw-agent.sqlite", [
        "CREATE TABLE auth_profile_store (store_key TEXT PRIMARY KEY, store_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT",
        `INSERT INTO auth_profile_store VALUES ('primary', '${json}', 1)`,
      ]),
    async read() {
      const collector = authProfilesCollector({ stateDir: dir, configPath });
      const samples = collector.samples(await collector.read(never));
      return samples.map(
        ({ name, value }) => `${name.replace("openclaw_gateway_auth_profiles_", "")} ${value}`,
      );
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A database as the gateway has it open: with a write-ahead log. */
function database(folder: string, name: string, statements: readonly string[]): DatabaseSync {
  mkdirSync(folder, { recursive: true });
  const opened = new DatabaseSync(join(folder, name));
  opened.exec("PRAGMA journal_mode = WAL");
  for (const statement of statements) opened.exec(statement);
  return opened;
}

/** Every file below a folder with its bytes. */
const bytesBelow = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith("-shm"))
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), "base64")]);

suite("auth profiles", () => {
  test("are stored for all agents or for one, while the gateway has the databases open", async () => {
    using at = state();
    using _shared = at.shared(profiles("anthropic:default"));
    using _agent = at.agent("main", profiles("openai:personal", "not:named"));
    assert.deepEqual(await at.read(), ["named 3", "missing 1"]);
  });

  test("are found when the gateway has ended cleanly, and nothing is written beside its databases", async () => {
    using at = state();
    at.shared(profiles("anthropic:default", "anthropic:work")).close();
    at.agent("main", profiles("openai:personal")).close();
    const before = bytesBelow(at.dir);
    assert.deepEqual(await at.read(), ["named 3", "missing 0"]);
    assert.deepEqual(bytesBelow(at.dir), before);
    assert.deepEqual(
      readdirSync(at.dir, { recursive: true }).filter((name) => /-(wal|shm)$/.test(String(name))),
      [],
    );
  });

  test("do not change a database that is in use", async () => {
    using at = state();
    using _open = at.shared(profiles());
    const before = bytesBelow(at.dir);
    assert.deepEqual(await at.read(), ["named 3", "missing 3"]);
    assert.deepEqual(bytesBelow(at.dir), before);
  });

  test("are unknown after a crash of the gateway: its log cannot be read without writing", async () => {
    using at = state();
    using open = at.shared(profiles());
    const crashed = join(at.dir, "crashed");
    cpSync(join(at.dir, "state"), join(crashed, "state"), { recursive: true });
    open.close();
    rmSync(join(crashed, "state", "openclaw.sqlite-shm"));
    const collector = authProfilesCollector({ stateDir: crashed, configPath: join(at.dir, "openclaw.json") });
    await assert.rejects(collector.read(never), /write-ahead log/);
  });

  test("are unknown where no store is, so that a wrong path is not taken for a loss", async () => {
    using at = state();
    assert.deepEqual(await at.read(), ["named 3"]);
  });

  test("are unknown where a store is not understood", async () => {
    for (const json of ["not JSON", '"text"', '{"version":9}', '{"profiles":[]}']) {
      using at = state();
      using _open = at.shared(json);
      await assert.rejects(at.read(), /JSON|not understood/, json);
    }
    using other = state();
    mkdirSync(join(other.dir, "state"));
    writeFileSync(join(other.dir, "state", "openclaw.sqlite"), "this is no database at all, is it?");
    await assert.rejects(other.read(), /not a database/);
  });

  test("of a gateway before databases are in a file of each agent", async () => {
    using at = state();
    const folder = join(at.dir, "agents", "main", "agent");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "auth-profiles.json"), profiles("openai:personal"));
    assert.deepEqual(await at.read(), ["named 3", "missing 2"]);
    // A gateway that has databases does not read the file any more.
    using _open = at.shared(profiles());
    assert.deepEqual(await at.read(), ["named 3", "missing 3"]);
  });

  for (const [says, written, expected] of [
    ["names none", { gateway: {} }, ["named 0", "missing 0"]],
    ["is JSON5 that is no plain JSON", "{ auth: {} }", []],
    ["has another shape", { auth: { profiles: ["a"] } }, []],
  ] as const)
    test(`are ${expected.length === 0 ? "unknown" : "none"} when the configuration ${says}`, async () => {
      using at = state(written);
      assert.deepEqual(await at.read(), expected);
    });

  test("are unknown without a configuration or a state directory", async () => {
    const unknown = { named: undefined, missing: undefined };
    for (const options of [
      { stateDir: undefined, configPath: undefined },
      { stateDir: "/none", configPath: "/none/openclaw.json" },
    ])
      assert.deepEqual(await authProfilesCollector(options).read(never), unknown);
  });

  test("never show a secret, nor the name of a profile", async () => {
    using at = state();
    using _open = at.shared(profiles("anthropic:default"));
    const collector = authProfilesCollector({ stateDir: at.dir, configPath: join(at.dir, "openclaw.json") });
    assert.doesNotMatch(JSON.stringify(await collector.read(never)), /s3cr3t|anthropic/);
  });
});
