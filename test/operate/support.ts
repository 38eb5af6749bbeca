// How do the tests run the program as a person does? As a child with an environment and a home of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../support/gateway.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

export type Home = AsyncDisposable & {
  readonly dir: string;
  /** Where the program makes its temporary folders. */
  readonly temp: string;
  /** Writes a file and returns its path. */
  readonly write: (name: string, text: string | object) => string;
  /** Runs the program to its end. */
  readonly run: (...args: readonly string[]) => Promise<Ran>;
  /** Starts the program; it ends with the home at the latest. */
  readonly start: (...args: readonly string[]) => Running;
};

export type Running = {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** Resolves when the output contains `text`; rejects with all of it when the program ends before that. */
  readonly says: (text: string | RegExp, withinMs?: number) => Promise<void>;
  readonly ended: Promise<number | null>;
};

/** A home folder without any configuration, whose programs are ended with it. */
export function home(): Home {
  const dir = mkdtempSync(join(tmpdir(), "guard-home-"));
  const temp = join(dir, "tmp");
  mkdirSync(temp);
  // Nothing of the machine's own configuration may leak in; the components' cache may.
  const env = {
    PATH: process.env["PATH"],
    HOME: dir,
    TMPDIR: temp,
    XDG_CONFIG_HOME: join(dir, "config"),
    XDG_STATE_HOME: join(dir, "state"),
    XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(process.env["HOME"] ?? "", ".cache"),
  };
  const running: Running[] = [];
  const start = (...args: readonly string[]): Running => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: dir,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    const one: Running = {
      child,
      out: () => out,
      err: () => err,
      ended: once(child, "close").then(() => child.exitCode),
      async says(text, withinMs = 30_000) {
        const said = () => (typeof text === "string" ? out.includes(text) : text.test(out));
        await until(`it says ${text}`, () => said() || child.exitCode !== null, withinMs).catch(
          (error: unknown) => {
            throw new Error(`${error instanceof Error ? error.message : ""}\n${out}${err}`);
          },
        );
        if (!said()) throw new Error(`it exited ${child.exitCode} without saying ${text}:\n${out}${err}`);
      },
    };
    running.push(one);
    return one;
  };
  return {
    dir,
    temp,
    write(name, text) {
      const path = join(dir, name);
      writeFileSync(path, typeof text === "string" ? text : JSON.stringify(text), { mode: 0o600 });
      return path;
    },
    async run(...args) {
      const one = start(...args);
      const code = await one.ended;
      return { code, out: one.out(), err: one.err() };
    },
    start,
    async [Symbol.asyncDispose]() {
      for (const { child, ended } of running) {
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
        await ended;
      }
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
