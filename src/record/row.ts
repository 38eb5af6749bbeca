// What does this column hold? A row of SQLite is untyped; one of another type than asked for means a damaged file.
import type { SQLOutputValue } from "node:sqlite";

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** The number in a column; throws a `TypeError` when the row is missing or the column holds something else. */
export function numberIn(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value !== "number") throw new TypeError(`journal column ${column}: not a number`);
  return value;
}

/** The text in a column; throws a `TypeError` when the row is missing or the column holds something else. */
export function textIn(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== "string") throw new TypeError(`journal column ${column}: not a text`);
  return value;
}
