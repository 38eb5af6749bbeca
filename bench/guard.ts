// How is a guard started to be measured? As it is shipped: built, and with the options of its first line.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { minutes } from "../src/core/time.ts";
import { type Child, startChild } from "../src/platform/child.ts";
import { run } from "../src/platform/exec.ts";
import { scrape } from "./measure.ts";

const root = join(import.meta.dirname, "..");
/** Below node_modules, so that the packages are found; ignored by git like everything there. */
const built = join(root, "node_modules", ".cache", "openclaw-guard-bench");

/** Builds the program as `npm pack` does, and returns its main file. */
export async function build(): Promise<string> {
  mkdirSync(built, { recursive: true });
  copyFileSync(join(root, "package.json"), join(built, "package.json"));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const argv = [
    process.execPath,
    tsc,
    "-p",
    join(root, "tsconfig.build.json"),
    "--outDir",
    join(built, "dist"),
  ];
  await run(argv, { deadline: minutes(2), signal: new AbortController().signal });
  return join(built, "dist", "main.js");
}

/** The options of Node with which the program starts itself: those of its first line. */
export function shippedOptions(): readonly string[] {
  const [first = ""] = readFileSync(join(root, "src", "main.ts"), "utf8").split("\n");
  return (/^#!\/usr\/bin\/env -S node (.+)$/.exec(first)?.[1] ?? "").split(" ").filter((each) => each !== "");
}

export type Measured = AsyncDisposable & { readonly pid: number; readonly url: string };

/** Starts a guard of these gateways and resolves once it has looked at each of them. */
export async function startGuard(
  main: string,
  gateways: readonly string[],
  nodeOptions: readonly string[],
): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), "guard-bench-"));
  const log = join(dir, "log");
  const settings = {
    state_dir: join(dir, "state"),
    metrics: { listen: "127.0.0.1:0" },
    control: { listen: "127.0.0.1:0" },
    gateways: gateways.map((url, i) => ({ name: `gateway-${i}`, url })),
  };
  const file = join(dir, "guard.yml");
  writeFileSync(file, JSON.stringify(settings));
  let child: Child | undefined;
  const end = async () => {
    await child?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const argv = [process.execPath, ...nodeOptions, main, "serve", "--config", file];
    child = await startChild(argv, { logPath: log });
    const url = `${await addressIn(log)}/metrics`;
    await until(async () => {
      const text = await (await fetch(url)).text();
      return (
        text.split("\n").filter((line) => line.startsWith("openclaw_gateway_up{")).length === gateways.length
      );
    });
    return { pid: child.pid, url, [Symbol.asyncDispose]: end };
  } catch (error) {
    const said = readFileSync(log, "utf8").slice(-500);
    await end();
    throw new Error(`bench: the guard did not start: ${said}`, { cause: error });
  }
}

/** Starts another exporter and resolves once it answers. */
export async function startPeer(argv: readonly string[], url: string): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), "guard-bench-"));
  const child = await startChild(argv, { logPath: join(dir, "log") });
  const end = async () => {
    await child[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until(async () => (await scrape(url).catch(() => 0)) > 0);
  } catch (error) {
    await end();
    throw error;
  }
  return { pid: child.pid, url, [Symbol.asyncDispose]: end };
}

async function addressIn(log: string): Promise<string> {
  let address: string | undefined;
  await until(async () => {
    address = /"event":"serving","metrics":"([^"]+)"/.exec(readFileSync(log, "utf8"))?.[1];
    return address !== undefined;
  });
  return address ?? "";
}

async function until(fact: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error("bench: not within a minute");
    await pause(50);
  }
}
