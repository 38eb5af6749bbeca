// How is a program kept running beside us? With its output in a file, an end that can be awaited, and a stop that ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { type Millis, ms } from "../core/time.ts";
import { sleep } from "./clock.ts";

export type Child = AsyncDisposable & {
  readonly pid: number;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
};

/** After SIGTERM it has this long; Prometheus takes some 20 ms. */
const stopWithinDefault = ms(10_000);

/** Where util-linux keeps the program that asks the kernel to end a child with its parent. */
const setpriv = "/usr/bin/setpriv";

/**
 * Starts `argv` in our process group, so that one Ctrl-C ends all of us, and, where the machine has `setpriv`, so that it
 * ends even when we are killed; rejects when it cannot be started.
 */
export async function startChild(
  argv: readonly string[],
  options: { readonly logPath: string; readonly cwd?: string; readonly stopWithin?: Millis },
): Promise<Child> {
  if (argv.length === 0) throw new TypeError("start child: argv is empty");
  const tied = existsSync(setpriv) && existsSync(argv[0] ?? "");
  const [program = "", ...args] = tied ? [setpriv, "--pdeathsig", "TERM", "--", ...argv] : argv;
  const log = openSync(options.logPath, "a", 0o600);
  const child = spawn(program, args, {
    stdio: ["ignore", log, log],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(log);
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new Error(`start ${program}: could not be started`, { cause: error });
  }
  const ended = once(child, "exit").then(() =>
    child.signalCode === null ? `exited ${child.exitCode ?? "?"}` : `ended by ${child.signalCode}`,
  );
  return {
    pid: child.pid ?? 0,
    ended,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const waiting = new AbortController();
      const late = sleep(options.stopWithin ?? stopWithinDefault, waiting.signal).then(
        () => child.kill("SIGKILL"),
        () => false,
      );
      await ended;
      waiting.abort();
      await late;
    },
  };
}
