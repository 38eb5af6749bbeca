// Is the gateway's configuration judged from its file alone, and never called wrong when it may be right?
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { configFileCollector } from "../../src/collect/config-file.ts";

const never = new AbortController().signal;

function folder(): Disposable & { readonly dir: string; readonly path: string; readonly good: string } {
  const dir = mkdtempSync(join(tmpdir(), "guard-config-file-"));
  const [path, good] = [join(dir, "openclaw.json"), join(dir, "good.json")];
  return { dir, path, good, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

async function shown(options: Parameters<typeof configFileCollector>[0]) {
  const collector = configFileCollector(options);
  const samples = collector.samples(await collector.read(never));
  return Object.fromEntries(
    samples.map(({ name, value }) => [name.replace("openclaw_gateway_config_", ""), value]),
  );
}

suite("the file", () => {
  for (const [says, text, valid] of [
    ["an object", '{"gateway":{"mode":"local"}}', 1],
    ["an object behind a byte order mark", '\uFEFF{"gateway":{}}', 1],
    ["an object without settings", "{}", 1],
    ["a list", "[]", 0],
    ["null", "null", 0],
    ["empty", "", 0],
    ["blank", " \n\t", 0],
    ["what a crash left of it", "\0\0\0\0", 0],
    ["JSON5 with a comment", '{ // mine\n "gateway": {} }', undefined],
    ["JSON5 with bare names and a last comma", "{ gateway: { mode: 'local', }, }", undefined],
    ["cut off, which only a reader of JSON5 can tell", '{"gateway":{"mode":', undefined],
  ] as const)
    test(`is ${valid === undefined ? "neither valid nor invalid" : valid === 1 ? "valid" : "invalid"} when it is ${says}`, async () => {
      using at = folder();
      writeFileSync(at.path, text);
      const { valid: seen, present } = await shown({ path: at.path });
      assert.deepEqual([present, seen], [1, valid]);
    });

  test("says when it was changed", async () => {
    using at = folder();
    writeFileSync(at.path, "{}");
    utimesSync(at.path, 5, 1234.5);
    assert.deepEqual(await shown({ path: at.path }), {
      present: 1,
      valid: 1,
      changed_timestamp_seconds: 1234.5,
    });
  });

  test("that is not there is not present, and nothing else is known", async () => {
    using at = folder();
    assert.deepEqual(await shown({ path: at.path, goodPath: at.good }), { present: 0 });
  });

  test("of which no path is known is unknown", async () =>
    assert.deepEqual(await shown({ path: undefined }), {}));

  test("that is a folder, a pipe or endless is a failure of the reading, not of the configuration", async () => {
    using at = folder();
    execFileSync("mkfifo", [at.path]);
    writeFileSync(at.good, Buffer.alloc(4 * 1024 * 1024 + 1, " "));
    for (const path of [at.dir, at.path, "/dev/zero", at.good])
      await assert.rejects(configFileCollector({ path }).read(never), /is no file|is longer than/);
  });
});

suite("a copy that is known to be good", () => {
  for (const [says, text, good, drifted] of [
    ["the same", '{"a":1}', '{"a":1}', 0],
    ["the same in another order and layout", '{"a":1,"b":[1,2]}', '{ "b": [1, 2],\n "a": 1 }', 0],
    ["the same but for the gateway's stamp", '{"a":1,"meta":{"lastTouchedAt":"2"}}', '{"a":1,"meta":{}}', 0],
    ["the same but unstamped", '{"a":1,"meta":{"lastTouchedVersion":"2"}}', '{"a":1}', 0],
    ["another value", '{"a":1}', '{"a":2}', 1],
    ["one setting less", '{"a":1,"b":2}', '{"a":1}', 1],
    ["another order of a list", '{"a":[1,2]}', '{"a":[2,1]}', 1],
    ["another text of JSON5", "{a:1}", "{a:2}", 1],
    ["the same text of JSON5", "{a:1}", "{a:1}", 0],
  ] as const)
    test(`that is ${says} tells ${drifted === 1 ? "drift" : "no drift"}`, async () => {
      using at = folder();
      writeFileSync(at.path, text);
      writeFileSync(at.good, good);
      assert.equal((await shown({ path: at.path, goodPath: at.good }))["drifted"], drifted);
    });

  test("that is not there tells nothing", async () => {
    using at = folder();
    writeFileSync(at.path, "{}");
    assert.equal((await shown({ path: at.path, goodPath: at.good }))["drifted"], undefined);
  });
});

suite("backups", () => {
  const about = async (path: string, backupPath: string) => {
    const { backups, backup_timestamp_seconds: newest } = await shown({ path, backupPath });
    return [backups, newest];
  };

  test("are one file, or all in a folder of which the newest counts", async () => {
    using at = folder();
    const backups = join(at.dir, "backups");
    mkdirSync(join(backups, "a.d"), { recursive: true });
    writeFileSync(join(backups, "b.tar"), "");
    utimesSync(join(backups, "a.d"), 1, 300);
    utimesSync(join(backups, "b.tar"), 1, 200);
    assert.deepEqual(await about(at.path, backups), [2, 300]);
    assert.deepEqual(await about(at.path, join(backups, "b.tar")), [1, 200]);
  });

  test("that are not there are none, which has no age", async () => {
    using at = folder();
    const empty = join(at.dir, "empty");
    mkdirSync(empty);
    assert.deepEqual(await about(at.path, empty), [0, undefined]);
    assert.deepEqual(await about(at.path, join(at.dir, "none")), [0, undefined]);
  });
});

test("every family is declared, once", async () => {
  using at = folder();
  for (const path of [at.path, at.good]) writeFileSync(path, "{}");
  const collector = configFileCollector({ path: at.path, goodPath: at.good, backupPath: at.good });
  const seen = collector.samples(await collector.read(never)).map(({ name }) => name);
  assert.deepEqual(seen.sort(), collector.metrics.map(({ name }) => name).sort());
});
