// In which states are the gateway's TCP sockets? From /proc/<pid>/net/tcp and tcp6, its own by inode.
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Incarnation } from "../core/identity.ts";
import { sameIncarnation } from "../core/identity.ts";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, ms } from "../core/time.ts";
import { socketsOf } from "./holders.ts";
import { countFds, isGone, unlessLost } from "./proc.ts";
import type { Sight } from "./process.ts";

/** In the order of the kernel's tcp_states.h, from 1 on. */
export const socketStates = [
  "established",
  "syn_sent",
  "syn_recv",
  "fin_wait1",
  "fin_wait2",
  "time_wait",
  "close",
  "close_wait",
  "last_ack",
  "listen",
  "closing",
] as const;
export type SocketState = (typeof socketStates)[number];

/** Above this, asking for the socket behind each descriptor costs more than it tells (25 microseconds each). */
const affordableFds = 2048;
/** The kernel hands out a page at a time; the loop breathes after so many. */
const chunkBytes = 4096;
const chunksPerTurn = 32;
/** Fifty thousand sockets; a longer table is a failure of this collector, not of the gateway. */
const tableLimitBytes = 8 * 1024 * 1024;

export type SocketCounts = Readonly<Record<SocketState, number>>;
export type SocketReading = {
  readonly incarnation: Incarnation;
  /** Whose sockets were counted. */
  readonly scope: "process" | "namespace";
  readonly counts: SocketCounts;
};

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_sockets",
    type: "gauge",
    help: "TCP sockets by state: the serving process's own (scope process; those it has closed only at the gateway's port), or, with more than 2048 descriptors or without the right to list them, all of its network namespace (scope namespace).",
    labels: ["state", "scope"],
  },
];

/** Counts the sockets of the process that `sight` last saw serving. */
export function socketCollector(options: {
  readonly port: number;
  readonly procRoot: string;
  readonly sight: () => Sight | undefined;
  readonly every?: Millis;
}): Collector<SocketReading | undefined> {
  const { port, procRoot, sight } = options;
  const every = options.every ?? ms(60_000);
  return {
    name: "sockets",
    every,
    deadline: ms(every * 0.8),
    metrics,
    async read(signal) {
      const seen = sight();
      if (seen === undefined) return undefined;
      const { incarnation } = seen;
      const own = unlessLost(() =>
        countFds(procRoot, incarnation.pid) > affordableFds
          ? undefined
          : socketsOf(procRoot, incarnation.pid),
      );
      const counts = emptyCounts();
      const folder = join(procRoot, `${incarnation.pid}`, "net");
      let tables = 0;
      try {
        for (const table of ["tcp", "tcp6"])
          tables += await count(join(folder, table), own, port, counts, signal);
      } catch (error) {
        if (isGone(error)) return undefined;
        throw error;
      }
      if (tables === 0) return undefined;
      return { incarnation, scope: own === undefined ? "namespace" : "process", counts };
    },
    samples(reading) {
      // What was counted of a life that is over says nothing about the present one.
      if (reading === undefined || !sameIncarnation(reading.incarnation, sight()?.incarnation)) return [];
      const { scope, counts } = reading;
      return socketStates.map((state) => ({
        name: "openclaw_gateway_sockets",
        labels: { state, scope },
        value: counts[state],
      }));
    },
  };
}

/** Adds the rows of a table to `counts`; `own` undefined counts all of them. Rows that cannot be read are left out. */
export function countRows(
  rows: readonly string[],
  own: ReadonlySet<number> | undefined,
  port: number,
  counts: Record<SocketState, number>,
): void {
  const atPort = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const row of rows) {
    const [, local, , code = "", , , , , , inodeText] = row.trim().split(/\s+/, 10);
    const state = /^[0-9A-F]{2}$/.test(code) ? socketStates[Number.parseInt(code, 16) - 1] : undefined;
    const inode = Number(inodeText);
    if (state === undefined || !Number.isSafeInteger(inode)) continue;
    // A socket that its process has closed, or not yet accepted, is nobody's: only its port tells whose it was.
    const isOwn = inode === 0 ? local?.endsWith(atPort) === true : own?.has(inode);
    if (own === undefined || isOwn === true) counts[state]++;
  }
}

export function emptyCounts(): Record<SocketState, number> {
  return {
    established: 0,
    syn_sent: 0,
    syn_recv: 0,
    fin_wait1: 0,
    fin_wait2: 0,
    time_wait: 0,
    close: 0,
    close_wait: 0,
    last_ack: 0,
    listen: 0,
    closing: 0,
  };
}

/** Resolves with 1 when there is such a table: a kernel without IPv6 has no tcp6. */
async function count(
  path: string,
  own: ReadonlySet<number> | undefined,
  port: number,
  counts: Record<SocketState, number>,
  signal: AbortSignal,
): Promise<0 | 1> {
  const file = unlessLost(() => openSync(path, "r"));
  if (file === undefined) return 0;
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let rest = "";
    let length = 0;
    for (let chunks = 1; ; chunks++) {
      const got = readSync(file, chunk, 0, chunk.length, null);
      if (got === 0) break;
      length += got;
      if (length > tableLimitBytes)
        throw new Error(`count sockets: more than ${tableLimitBytes} bytes of them`);
      const rows = (rest + chunk.toString("latin1", 0, got)).split("\n");
      rest = rows.pop() ?? "";
      countRows(rows, own, port, counts);
      if (chunks % chunksPerTurn === 0) {
        await turn();
        signal.throwIfAborted();
      }
    }
    countRows([rest], own, port, counts);
    return 1;
  } finally {
    closeSync(file);
  }
}
