// Are the commands, exit codes and settings that the README tells of those of the program?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Command } from "commander";
import { commands as registered } from "../../src/operate/index.ts";
import { exitCodes, type Program } from "../../src/operate/program.ts";
import { scenarioNames } from "../../src/operate/scenarios.ts";
import { text } from "./documents.ts";

const readme = text("README.md");

/** The rows below a table's header, cell by cell. */
function table(header: string): readonly (readonly string[])[] {
  const from = readme.indexOf(header);
  assert.notEqual(from, -1, header);
  const [, , ...rows] = readme.slice(from).split("\n");
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows.slice(0, end).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const never = (): never => {
  throw new Error("registering a command must not run anything");
};
/** What the commands are registered with; none of it is used before one of them runs. */
const program: Program = {
  version: "0.0.0",
  env: {},
  pid: 0,
  self: [],
  out: never,
  err: never,
  signal: new AbortController().signal,
  onHangup: never,
  shipped: never,
  beside: never,
  settings: never,
  serve: never,
  journal: never,
  detect: never,
  now: never,
  sleep: never,
};
const cli = new Command("openclaw-guard");
for (const add of registered) add(cli, program, never);

const commands = table("| command |");
const names = commands.map(([name = ""]) => name.replaceAll("`", ""));

suite("the README", () => {
  test("has every command, in the order of the help", () => {
    assert.ok(cli.commands.length >= 8, `${cli.commands.length} commands`);
    assert.deepEqual(
      names,
      cli.commands.map((command) => command.name()),
    );
  });

  test("has every exit code by its name", () =>
    assert.deepEqual(
      table("| exit code |").map(([code, name]) => [name, code]),
      Object.entries(exitCodes).map(([name, code]) => [`\`${name}\``, `${code}`]),
    ));

  test("gives each command exit codes that there are", () => {
    const known = Object.values(exitCodes).map(String);
    for (const [name, , codes = ""] of commands) {
      const told = codes.split(", ");
      assert.deepEqual(
        told.filter((code) => !known.includes(code)),
        [],
        name,
      );
      assert.ok(told.includes("0") && told.includes("2"), name);
    }
  });

  for (const [index, command] of names.entries()) {
    const codes = commands[index]?.[2] ?? "";
    test(`is right about --json of ${command}`, () => {
      const options = cli.commands.find((each) => each.name() === command)?.options.map(({ long }) => long);
      assert.equal(options?.includes("--json"), !["serve", "schema"].includes(command));
    });

    if (codes.endsWith("3"))
      test(`is right that ${command} may find nobody`, () =>
        assert.match(text(`src/operate/${command === "resume" ? "pause" : command}.ts`), /unreachable/));
  }

  test("names every scenario of the demo", () => {
    const first = readme.slice(
      readme.indexOf("## What the demo shows"),
      readme.indexOf("## On your gateway"),
    );
    for (const name of scenarioNames) assert.match(first, new RegExp(`\\b${name}\\b`));
  });

  test("begins with what it is, what it will never do, two commands and a picture", () => {
    const screen = readme.slice(0, readme.indexOf("\n## "));
    const places = ["Watches an", "It will never", "npm run demo", "npm start", "docs/flow.svg"].map((each) =>
      screen.indexOf(each),
    );
    assert.ok(!places.includes(-1), places.join());
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.ok(screen.split("\n").length <= 55, "fits on a screen");
  });
});
