// How is a program started that must outlive us? In a session of its own, holding none of our descriptors.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Millis } from "../core/time.ts";
import { ExecError } from "./exec.ts";

export type Detached = {
  /** Where its output is appended; thrown away when absent, since a pipe to us would break when we die. */
  readonly logPath?: string | undefined;
  /** Its whole environment; ours when absent. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
};

/** How a detached program ended, or that it had not yet. */
export type Ending =
  | { readonly exitCode: number | undefined; readonly signal: string | undefined }
  | "still_running";

/** Starts `argv` so that it goes on when we die; resolves once it runs, rejects with {@link ExecError} when it cannot. */
export async function startDetached(argv: readonly string[], options: Detached = {}): Promise<void> {
  const child = await launch(argv, options);
  // Our own end must not wait for it.
  child.unref();
}

/**
 * Starts `argv` in the same way and watches it for at most `deadline`. Neither the deadline nor the signal ends the
 * program: the one resolves with `still_running`, the other rejects with the signal's reason.
 */
export async function watchDetached(
  argv: readonly string[],
  options: Detached & { readonly deadline: Millis; readonly signal: AbortSignal },
): Promise<Ending> {
  options.signal.throwIfAborted();
  const child = await launch(argv, options);
  const exited = new Promise<Ending>((resolve) => {
    const ended = () =>
      resolve({ exitCode: child.exitCode ?? undefined, signal: child.signalCode ?? undefined });
    // It may have ended while we waited for its start to be known.
    if (child.exitCode !== null || child.signalCode !== null) ended();
    else child.once("exit", ended);
  });
  const late = AbortSignal.timeout(options.deadline);
  const stop = AbortSignal.any([options.signal, late]);
  const stopped = new Promise<"still_running">((resolve, reject) => {
    const end = () =>
      options.signal.aborted ? reject(asError(options.signal.reason)) : resolve("still_running");
    if (stop.aborted) end();
    else stop.addEventListener("abort", end, { once: true });
  });
  try {
    return await Promise.race([exited, stopped]);
  } finally {
    child.unref();
  }
}

async function launch(argv: readonly string[], options: Detached): Promise<ChildProcess> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError("start detached: argv is empty");
  const log = options.logPath === undefined ? undefined : await open(options.logPath, "a", 0o600);
  try {
    const output = log?.fd ?? "ignore";
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", output, output],
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    try {
      await once(child, "spawn");
    } catch (error) {
      const code =
        error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
      throw new ExecError(`${program}: could not be started (${code ?? "unknown"})`, undefined, "", code);
    }
    return child;
  } finally {
    await log?.close();
  }
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
