// What of the machine does the program touch? The seams: real ones in production, the same with a twist in tests.
import { randomUUID } from "node:crypto";
import type { Instant, Millis } from "./core/time.ts";
import { now, sleep } from "./platform/clock.ts";
import { run } from "./platform/exec.ts";
import { type Journal, openJournal } from "./record/journal.ts";
import type { Run } from "./remedy/action.ts";

export type Seams = {
  readonly now: () => Instant;
  readonly sleep: (length: Millis, signal: AbortSignal) => Promise<void>;
  /** `/proc`, or a recorded tree. */
  readonly procRoot: string;
  /** `/sys`, or a recorded tree. */
  readonly sysRoot: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly run: Run;
  readonly newId: () => string;
  readonly openJournal: (path: string) => Journal & Disposable;
  /** Where log lines go, one JSON object each. */
  readonly logTo: { readonly write: (line: string) => void };
};

/** The machine as it is. */
export function realSeams(env: Seams["env"], logTo: Seams["logTo"]): Seams {
  return {
    now,
    sleep,
    procRoot: "/proc",
    sysRoot: "/sys",
    env,
    run,
    newId: randomUUID,
    openJournal: (path) => openJournal(path),
    logTo,
  };
}
