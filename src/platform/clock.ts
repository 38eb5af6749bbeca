// The only place that reads a clock or waits.
import { setTimeout as wait } from "node:timers/promises";
import { type Instant, instant, type Millis } from "../core/time.ts";

/** The wall clock. */
export const now = (): Instant => instant(Date.now());

/** A clock that no one can set: milliseconds since an arbitrary moment, for measuring lengths of time. */
export const monotonic = (): number => performance.now();

/** Waits for `length`; rejects with the signal's reason when it is aborted first. */
export async function sleep(length: Millis, signal: AbortSignal): Promise<void> {
  await wait(length, undefined, { signal });
}
