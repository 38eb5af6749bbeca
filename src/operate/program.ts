// What does a command get from the program? The terminal, the wiring it may start, and nothing of the machine itself.
import type { Entry } from "../core/history.ts";
import type { Instant, Millis } from "../core/time.ts";

/** A guard that was started by a command. */
export type Serving = AsyncDisposable & {
  readonly metricsUrl: string;
  readonly controlUrl: string;
  /** Resolves with the reason when it can no longer watch. */
  readonly broken: Promise<string>;
  /** Reads its configuration again and takes it over; `false` when it is wrong, and then nothing has changed. */
  readonly reload: () => Promise<boolean>;
};

/** What can be read of a journal without a running guard. */
export type ReadableJournal = Disposable & {
  readonly entries: (query?: { readonly gateway?: string; readonly since?: Instant }) => readonly Entry[];
  readonly verify: () =>
    | { readonly ok: true; readonly entries: number }
    | { readonly ok: false; readonly seq: number; readonly problem: string };
};

/** Where a configuration comes from: a file, or settings that a command made up. */
export type ConfigSource = { readonly file: string | undefined } | { readonly settings: unknown };

/** The few facts of a checked configuration that commands need. */
export type Settings = {
  readonly file: string | undefined;
  readonly controlUrl: string;
  readonly metricsUrl: string;
  readonly alertmanagerUrl: string | undefined;
  readonly controlTokenFile: string;
  /** Reads the token that the control listener takes; undefined when there is none that this user may read. */
  readonly controlToken: () => string | undefined;
  readonly stateDir: string;
  readonly mode: string;
  readonly gateways: readonly { readonly name: string; readonly url: string; readonly supervisor: string }[];
};

export type Program = {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** The argv that runs this program again, e.g. Node and its main file. */
  readonly self: readonly string[];
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** From now on SIGHUP does this, instead of ending the program. */
  readonly onHangup: (then: () => void) => void;
  /** A file or folder that is shipped with the program, such as `prometheus`. */
  readonly shipped: (name: string) => string;
  /** A program that stands beside this one, such as `stand-in/gateway`, as argv. */
  readonly beside: (name: string) => readonly string[];
  /** Checks a configuration; throws an error whose message lists every problem. */
  readonly settings: (source: ConfigSource) => Settings;
  /** Starts a guard; log lines go to `logTo`, or to standard output. */
  readonly serve: (source: ConfigSource, logTo?: (line: string) => void) => Promise<Serving>;
  readonly journal: (stateDir: string) => ReadableJournal;
  /** Finds the gateway that serves a port of this host, and how it is supervised. */
  readonly detect: (port: number) => Promise<Detected | undefined>;
  readonly now: () => Instant;
  readonly sleep: (length: Millis, signal: AbortSignal) => Promise<void>;
};

/** A gateway that was found running. */
export type Detected = {
  readonly pid: number;
  readonly unit: string | undefined;
  readonly scope: "user" | "system";
  readonly version: string | undefined;
};

/** Exit codes of every command; the README's table is checked against them. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
} as const;
