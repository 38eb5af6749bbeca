// What can an episode do to the world, and what can it see of it? Each function is as narrow as its one use.
import type { OpenAlert } from "../core/alert.ts";
import type { BudgetPolicy } from "../core/budget.ts";
import type { DecidePolicy } from "../core/decide.ts";
import type { Standing } from "../core/episode.ts";
import type { Evidence } from "../core/evidence.ts";
import type { Entry } from "../core/history.ts";
import type { Incarnation, ProcessIdentity } from "../core/identity.ts";
import type { LadderPolicy } from "../core/ladder.ts";
import type { Mode } from "../core/mode.ts";
import type { Instant, Millis } from "../core/time.ts";
import type { VerdictPolicy } from "../core/verdict.ts";
import type { Action } from "./action.ts";
import type { Held } from "./still-active.ts";

export type Policy = DecidePolicy &
  LadderPolicy &
  VerdictPolicy & {
    readonly budget: BudgetPolicy;
    /** Open alerts are decided again at least this often. */
    readonly decideEvery: Millis;
    /** Waits before the first, second and third attempt to start a gateway that is gone. */
    readonly startBackoff: readonly Millis[];
    /** How often a restarted gateway is looked at. */
    readonly verifyEvery: Millis;
    /** A cancelled episode is rejoined by the same need within this time. */
    readonly rejoinWithin: Millis;
  };

/** The journal as an episode uses it; `append` returns once the entry is on disk, and throws when it cannot be. */
export type Book = {
  readonly append: (entry: Entry) => void;
  /** The entries of this gateway that budget and standing depend on, oldest first. */
  readonly entries: () => readonly Entry[];
  /** Where the episodes stand after all entries. */
  readonly standing: () => Standing;
  readonly openAlerts: () => readonly OpenAlert[];
  readonly closeAlerts: (keys: readonly string[], why: "cured" | "ended") => void;
  readonly writable: () => boolean;
};

/** One gateway, as its episodes meet it. */
export type World = {
  readonly gateway: string;
  readonly action: Action;
  /** The systemd unit that must hold the serving process, where the supervisor has units. */
  readonly unit: string | undefined;
  readonly book: Book;
  readonly now: () => Instant;
  readonly sleep: (length: Millis, signal: AbortSignal) => Promise<void>;
  /** A fresh look through the same collectors that feed the metrics. */
  readonly look: (signal: AbortSignal) => Promise<Evidence>;
  readonly mode: () => Mode;
  /** The newest evidence without a look of its own: for noticing, never for acting. */
  readonly latest: () => Evidence;
  /** The last incarnation that was seen alive, kept over restarts of the guard. */
  readonly lastSeen: () => Incarnation | undefined;
  readonly rememberSeen: (incarnation: Incarnation) => void;
  /** Whether the gateway's RPC can be asked. */
  readonly rpc: boolean;
  /** The alerts that Alertmanager holds, and which of them are silenced; undefined when it was not asked or did not answer. */
  readonly stillActive: (alerts: readonly OpenAlert[], signal: AbortSignal) => Promise<Held | undefined>;
  readonly identify: (pid: number) => ProcessIdentity | undefined;
  readonly bootId: () => string;
  readonly kill: (one: ProcessIdentity, signal: "SIGKILL") => "sent" | "gone" | "another";
  readonly keepEvidence: (
    evidence: Evidence,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<string, string>>>;
  readonly newId: () => string;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
};
