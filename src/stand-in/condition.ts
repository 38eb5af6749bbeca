// How is the stand-in doing? The one record that probes and RPC answer from and that faults change.

/** One second of the event loop, in the words of a real gateway. */
export type LoopWindow = {
  readonly degraded: boolean;
  readonly degradedSinceMs: number | null;
  readonly reasons: readonly string[];
  readonly intervalMs: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly utilization: number;
  readonly cpuCoreRatio: number;
};

/** Everything about a stand-in that an outsider can see change. */
export type Condition = {
  phase: "starting" | "started" | "draining";
  /** Agent runs in flight. */
  runs: number;
  /** Accepts connections and never answers. */
  mute: boolean;
  /** Answers this late. */
  slowMs: number;
  /** The last window of about one second; absent until the first one ends. */
  loop: LoopWindow | undefined;
};

/** A stand-in at the start of its life. */
export const newborn = (): Condition => ({
  phase: "starting",
  runs: 0,
  mute: false,
  slowMs: 0,
  loop: undefined,
});

/** What `gateway.restart.preflight` counts and names; its categories overlap, as on a real gateway: 1 run is 4. */
export function workOf(condition: Condition): {
  readonly safe: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly blockers: readonly { readonly kind: string; readonly count: number; readonly message: string }[];
  readonly summary: string;
} {
  const { runs } = condition;
  const counts = {
    queueSize: 2 * runs,
    pendingReplies: 0,
    embeddedRuns: runs,
    cronRuns: 0,
    backgroundExecSessions: 0,
    rootRequests: runs,
    activeTasks: 0,
    totalActive: 4 * runs,
  };
  if (runs === 0) return { safe: true, counts, blockers: [], summary: "safe to restart now" };
  const blockers = [
    { kind: "queue", count: 2 * runs, message: `${2 * runs} queued or active operation(s)` },
    { kind: "embedded-run", count: runs, message: `${runs} active embedded run(s)` },
    { kind: "root-request", count: runs, message: `${runs} active gateway request(s)` },
  ];
  const summary = `restart deferred: ${blockers.map((one) => one.message).join(", ")}`;
  return { safe: false, counts, blockers, summary };
}
