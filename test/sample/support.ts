// How do the tests of sampling pass time? A clock that is turned by hand, and collectors that read what they are given.
import type { Collector } from "../../src/core/sample.ts";
import { after, type Instant, type Millis, ms } from "../../src/core/time.ts";
import type { Seams } from "../../src/sample/sampler.ts";
import { noon } from "../core/support.ts";

export type HandClock = Seams & {
  /** Lets `length` pass; whoever sleeps wakes at its own moment, in order, and does what it has to do. */
  readonly pass: (length: Millis) => Promise<void>;
  /** The host sleeps: time passes and nobody wakes until it is over. */
  readonly suspend: (length: Millis) => Promise<void>;
};

/** A clock that stands at noon until it is turned. */
export function handClock(): HandClock {
  let at = noon;
  let sleepers: { readonly until: Instant; readonly wake: () => void }[] = [];
  const due = () => sleepers.filter(({ until }) => until <= at);
  return {
    now: () => at,
    sleep: (length, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const sleeper = { until: after(at, length), wake: resolve };
        sleepers.push(sleeper);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    async pass(length) {
      const end = after(at, length);
      await settled();
      for (;;) {
        const next = Math.min(...sleepers.map(({ until }) => until));
        if (next > end) break;
        at = Math.max(at, next) as Instant;
        await wakeDue();
      }
      at = end;
    },
    async suspend(length) {
      at = after(at, length);
      await wakeDue();
    },
  };

  async function wakeDue(): Promise<void> {
    const waking = due();
    sleepers = sleepers.filter((each) => !waking.includes(each));
    for (const { wake } of waking) wake();
    await settled();
  }
}

/** Lets everything that is ready to go on do so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A collector that reads what `read` returns, every 5 s unless said otherwise. */
export function collectorOf<Reading>(
  read: (signal: AbortSignal) => Reading | Promise<Reading>,
  partial: Partial<Collector<Reading>> = {},
): Collector<Reading> {
  return {
    name: "test",
    every: ms(5000),
    deadline: ms(4000),
    metrics: [],
    read: async (signal) => read(signal),
    samples: () => [],
    ...partial,
  };
}
