// What does a person get for what is typed? Help, answers, and an exit code that a script can rely on.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";
import type { Entry } from "../../src/core/history.ts";
import { after, instant, ms } from "../../src/core/time.ts";
import { openJournal } from "../../src/record/journal.ts";
import { incarnation } from "../core/support.ts";
import { freePort, startStandIn } from "../support/gateway.ts";
import { type Home, home } from "./support.ts";

const exit = { ok: 0, failed: 1, usage: 2, unreachable: 3 };
const commands = ["serve", "up", "demo", "check-config", "schema", "status", "history", "pause", "resume"];

test("help names every command, and each command explains itself", async () => {
  await using at = home();
  const help = await at.run("--help");
  assert.equal(help.code, exit.ok);
  for (const name of commands) assert.match(help.out, new RegExp(`^  ${name}\\b`, "m"));
  for (const name of ["up", "pause"]) {
    const own = await at.run(name, "--help");
    assert.equal(own.code, exit.ok);
    assert.match(own.out, new RegExp(`Usage: openclaw-guard ${name}`));
  }
});

test("the version is that of the package", async () => {
  await using at = home();
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  assert.deepEqual(await at.run("--version"), { code: exit.ok, out: `${version}\n`, err: "" });
});

test("what cannot be understood is exit 2, with a way on", async () => {
  await using at = home();
  const wrong = [
    ["restart-everything"],
    ["status", "--colour"],
    ["pause", "--gateway", "main", "--reason", "why"],
    ["pause", "--gateway", "main", "--who", "ada", "--reason", "why", "--hours", "soon"],
    ["history", "--since", "yesterday"],
    ["demo", "--scenario", "meteor"],
    ["up", "--port", "http"],
    ["up", "--prometheus-port", "70000"],
  ];
  const runs = await Promise.all(wrong.map((args) => at.run(...args)));
  for (const [index, { code, out, err }] of runs.entries()) {
    const typed = wrong[index]?.join(" ");
    assert.deepEqual([typed, code, out], [typed, exit.usage, ""]);
    assert.match(err, /./);
  }
  const { err } = await at.run("demo", "--scenario", "meteor");
  assert.match(err, /hang.*leak.*stop.*crash.*fds/);
});

test("the schema is printed as it is shipped, for an editor to read", async () => {
  await using at = home();
  const { code, out, err } = await at.run("schema");
  assert.deepEqual([code, err], [exit.ok, ""]);
  const shipped = readFileSync(new URL("../../guard.schema.json", import.meta.url), "utf8");
  assert.equal(out, shipped);
});

test("a configuration that is right is exit 0 and says what it means", async () => {
  await using at = home();
  const file = at.write("guard.yml", `state_dir: ${join(at.dir, "s")}\ngateways:\n  - name: main\n`);
  const text = await at.run("check-config", "--config", file);
  assert.equal(text.code, exit.ok);
  assert.match(text.out, /guard\.yml: valid, mode enforce/);
  assert.match(text.out, /gateway main at http:\/\/127\.0\.0\.1:18789, supervisor none/);
  const { code, out } = await at.run("check-config", "--config", file, "--json");
  assert.equal(code, exit.ok);
  const said: { valid: boolean; gateways: readonly unknown[] } = JSON.parse(out);
  assert.equal(said.valid, true);
  assert.equal(said.gateways.length, 1);
});

test("a configuration that is wrong is exit 2 and lists every problem at once", async () => {
  await using at = home();
  const file = at.write("bad.yml", "mode: brutal\nhang: { confirm: soon }\nsurprise: 1\n");
  const { code, err } = await at.run("check-config", "--config", file);
  assert.equal(code, exit.usage);
  for (const word of ["mode", "hang.confirm", "surprise"]) assert.match(err, new RegExp(word));
  const json = await at.run("check-config", "--config", file, "--json");
  assert.equal(json.code, exit.usage);
  const said: { valid: boolean; problems: readonly string[] } = JSON.parse(json.out);
  assert.equal(said.valid, false);
  assert.equal(said.problems.length, 3);
  const serve = await at.run("serve", "--config", file);
  assert.equal(serve.code, exit.usage);
  const missing = await at.run("check-config", "--config", join(at.dir, "nowhere.yml"));
  assert.equal(missing.code, exit.usage);
  assert.match(missing.err, /nowhere\.yml.*ENOENT/s);
});

test("history without a guard ever having run says so", async () => {
  await using at = home();
  const file = guardFile(at);
  const { code, out } = await at.run("history", "--config", file);
  assert.equal(code, exit.ok);
  assert.match(out, /^no journal in .*state-of-guard yet: no guard has run/);
  assert.deepEqual(await at.run("history", "--config", file, "--json"), { code: exit.ok, out: "", err: "" });
});

test("history of a guard that never had to do anything says so", async () => {
  await using at = home();
  mkdirSync(join(at.dir, "state-of-guard"));
  openJournal(join(at.dir, "state-of-guard", "journal.db"))[Symbol.dispose]();
  const { code, out } = await at.run("history", "--config", guardFile(at));
  assert.deepEqual([code, out], [exit.ok, "no episodes yet: nothing has asked for a restart\n"]);
});

test("history tells an episode to people and to programs, and chooses by gateway and age", async () => {
  await using at = home();
  const file = guardFile(at);
  writeEpisode(at, "e1");
  const text = await at.run("history", "--config", file);
  assert.equal(text.code, exit.ok);
  assert.match(text.out, /main {2}hang {2}recovered/);
  assert.match(text.out, /detect 3\.0 s/);
  const json = await at.run("history", "--config", file, "--json");
  const lines = json.out.trim().split("\n");
  assert.equal(lines.length, 1);
  const episode: { episode: string; outcome: string } = JSON.parse(lines[0] ?? "");
  assert.deepEqual([episode.episode, episode.outcome], ["e1", "recovered"]);
  const other = await at.run("history", "--config", file, "--gateway", "other", "--json");
  assert.deepEqual([other.code, other.out], [exit.ok, ""]);
  const recent = await at.run("history", "--config", file, "--since", "0.01", "--json");
  assert.equal(recent.out.trim().split("\n").length, 1);
});

test("history --verify is exit 0 for an untouched record and 1 for a changed one, and names the entry", async () => {
  await using at = home();
  const file = guardFile(at);
  writeEpisode(at, "e1");
  const good = await at.run("history", "--config", file, "--verify");
  assert.deepEqual([good.code, good.out], [exit.ok, "4 entries, none changed\n"]);
  {
    using db = new DatabaseSync(join(at.dir, "state-of-guard", "journal.db"));
    db.exec("UPDATE entries SET body = replace(body, 'hang', 'down') WHERE seq = 2");
  }
  const bad = await at.run("history", "--config", file, "--verify");
  assert.equal(bad.code, exit.failed);
  assert.match(bad.out, /entry 2: changed after it was written/);
  const json = await at.run("history", "--config", file, "--verify", "--json");
  assert.equal(json.code, exit.failed);
  const said: { ok: boolean; seq: number } = JSON.parse(json.out);
  assert.deepEqual([said.ok, said.seq], [false, 2]);
});

test("where no guard answers, status and pause are exit 3 and say how to start one", async () => {
  await using at = home();
  const port = await freePort();
  const file = guardFile(at, {
    control: { listen: `127.0.0.1:${port}`, token_file: at.write("token", "t0ken-of-this-test") },
  });
  for (const args of [
    ["status", "--config", file],
    ["status", "--control", `http://127.0.0.1:${port}`],
    ["pause", "--config", file, "--gateway", "main", "--who", "ada", "--reason", "why"],
  ]) {
    const { code, out, err } = await at.run(...args);
    assert.deepEqual([code, out], [exit.unreachable, ""]);
    assert.match(err, /no guard answers at http:\/\/127\.0\.0\.1:\d+: start it with openclaw-guard serve/);
  }
});

test("a guard serves until it is told to end; status, pause and resume speak with it", async () => {
  await using at = home();
  await using gateway = await startStandIn();
  const [metrics, control] = [await freePort(), await freePort()];
  const file = guardFile(at, {
    metrics: { listen: `127.0.0.1:${metrics}` },
    control: { listen: `127.0.0.1:${control}` },
    gateways: [{ name: "main", url: gateway.url }],
  });
  const guard = at.start("serve", "--config", file);
  await guard.says('"event":"mode"');
  const text = await at.run("status", "--config", file);
  assert.equal(text.code, exit.ok);
  assert.match(text.out, /^main: alive, pid \d+, version 2026\.9\.6, work unknown$/m);
  assert.match(text.out, /mode +observe/);
  assert.match(text.out, /no_supervisor: .+: .+/);
  const json = await at.run("status", "--config", file, "--json");
  const said: { gateways: readonly { pid: number }[] } = JSON.parse(json.out);
  assert.equal(said.gateways[0]?.pid, gateway.pid);

  const person = ["--config", file, "--gateway", "main", "--who", "ada", "--reason", "an upgrade"];
  const paused = await at.run("pause", ...person, "--hours", "2");
  assert.deepEqual([paused.code, paused.out], [exit.ok, "main: paused for 2 h\n"]);
  assert.match((await at.run("status", "--config", file)).out, /paused +until .* by ada: an upgrade/);
  const resumed = await at.run("resume", ...person);
  assert.deepEqual([resumed.code, resumed.out], [exit.ok, "main: resumed\n"]);

  const unknown = await at.run("pause", ...person, "--gateway", "elsewhere");
  assert.equal(unknown.code, exit.failed);
  assert.match(unknown.err, /gateway: name one of main/);
  const stranger = guardFile(at, {
    control: {
      listen: `127.0.0.1:${control}`,
      token_file: at.write("wrong.token", "not-the-token-of-this-guard"),
    },
  });
  const wrong = await at.run("pause", ...person.with(1, stranger));
  assert.equal(wrong.code, exit.failed);
  assert.match(wrong.err, /unauthorized/);

  guard.child.kill("SIGTERM");
  assert.equal(await guard.ended, exit.ok);
  for (const line of guard.out().trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line), line);
});

/** Writes the configuration of a guard whose state is in this home. */
function guardFile(at: Home, more: object = {}): string {
  return at.write(`guard-${Math.abs(JSON.stringify(more).length)}.yml`, {
    state_dir: join(at.dir, "state-of-guard"),
    ...more,
  });
}

/** A journal with one episode that ended well a minute ago. */
function writeEpisode(at: Home, episode: string): void {
  const dir = join(at.dir, "state-of-guard");
  mkdirSync(dir, { recursive: true });
  using journal = openJournal(join(dir, "journal.db"));
  const begin = instant(Date.now() - 60_000);
  const about = { episode, gateway: "main" } as const;
  const entries: readonly Entry[] = [
    {
      ...about,
      kind: "opened",
      at: begin,
      cause: "hang",
      urgency: "now",
      incarnation: incarnation(),
      alerts: ["f00d@1"],
      firstSeenAt: after(begin, ms(-3000)),
    },
    {
      ...about,
      kind: "decided",
      at: after(begin, ms(10)),
      decision: "restart",
      cause: "hang",
      saw: {},
      wouldHave: undefined,
    },
    {
      ...about,
      kind: "verified",
      at: after(begin, ms(900)),
      attempt: 1,
      cause: "hang",
      action: "command",
      verdict: "recovered",
      saw: {},
    },
    { ...about, kind: "ended", at: after(begin, ms(1000)), outcome: "recovered", why: "attempt 1" },
  ];
  for (const entry of entries) journal.append(entry);
}
