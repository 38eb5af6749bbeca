// What do the edges say to each other? Metric declarations, samples of them, and the shape of a collector.
import type { Instant, Millis } from "./time.ts";

/** One metric family as it is declared: docs, rules and the exposition are checked against these. */
export type MetricSpec = {
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  /** One sentence that says what is measured and where the number comes from. */
  readonly help: string;
  /** Label names beside `gateway`, which the exporter adds to every per-gateway family. */
  readonly labels?: readonly string[];
};

/** One reading of one series; an unknown value is an absent sample, never 0. */
export type Sample = {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
};

/** Takes readings of one kind: it reads only, runs no command, and ends when the signal says so. */
export type Collector<Reading> = {
  readonly name: string;
  readonly every: Millis;
  /** The reading is given up after this long; below `every`, so that readings never overlap. */
  readonly deadline: Millis;
  readonly metrics: readonly MetricSpec[];
  read(signal: AbortSignal): Promise<Reading>;
  samples(reading: Reading): readonly Sample[];
  /** Another life of the gateway serves now: what the one before it said must not be taken for its word. */
  renew?(): void;
};

/** A reading and the moment at which it was complete. */
export type Seen<Reading> = { readonly at: Instant; readonly reading: Reading };
