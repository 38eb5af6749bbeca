// The only place that starts programs: argv arrays, a deadline, bounded output, no shell.
import { execFile } from "node:child_process";
import type { Millis } from "../core/time.ts";

const outputLimitBytes = 256 * 1024;

/** A program that could not be started, exited non-zero, was killed or overran its deadline. */
export class ExecError extends Error {
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly code: string | undefined;

  constructor(message: string, exitCode: number | undefined, stderr: string, code: string | undefined) {
    super(message);
    this.name = "ExecError";
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.code = code;
  }
}

/** Runs `argv` to its end within `deadline`; rejects with {@link ExecError} unless it exits 0. */
export function run(
  argv: readonly string[],
  options: { readonly deadline: Millis; readonly signal: AbortSignal },
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError("run: argv is empty");
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        encoding: "utf8",
        maxBuffer: outputLimitBytes,
        timeout: options.deadline,
        killSignal: "SIGKILL",
        signal: options.signal,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        const exitCode = typeof error.code === "number" ? error.code : undefined;
        const code = typeof error.code === "string" ? error.code : undefined;
        const how =
          exitCode !== undefined
            ? `exited ${exitCode}`
            : error.killed === true
              ? `was ended after ${options.deadline} ms`
              : `failed (${code ?? error.signal ?? "unknown"})`;
        const lastWords = stderr.trim().split("\n").at(-1) ?? "";
        reject(
          new ExecError(
            `${program}: ${how}${lastWords === "" ? "" : `: ${lastWords.slice(0, 200)}`}`,
            exitCode,
            stderr,
            code,
          ),
        );
      },
    );
  });
}
