// When is it, and how long is that? Two branded numbers, so that a point in time and a length of time cannot be swapped.

/** A point in time: milliseconds since the Unix epoch. */
export type Instant = number & { readonly __brand: "Instant" };

/** A length of time in milliseconds. */
export type Millis = number & { readonly __brand: "Millis" };

/** Marks a number of milliseconds since the epoch as a point in time. */
export const instant = (msSinceEpoch: number): Instant => msSinceEpoch as Instant;

/** Marks a number of milliseconds as a length of time. */
export const ms = (length: number): Millis => length as Millis;

export const seconds = (n: number): Millis => ms(n * 1000);
export const minutes = (n: number): Millis => ms(n * 60_000);
export const hours = (n: number): Millis => ms(n * 3_600_000);
export const days = (n: number): Millis => ms(n * 86_400_000);

/** The time from `from` to `to`, never negative: a clock stepped backwards must not lengthen or undo a wait. */
export const elapsed = (from: Instant, to: Instant): Millis => ms(Math.max(0, to - from));

/** The point `length` after `at`. */
export const after = (at: Instant, length: Millis): Instant => instant(at + length);

/** A length of time in seconds, as metrics and configuration speak of it. */
export const inSeconds = (length: Millis): number => length / 1000;
