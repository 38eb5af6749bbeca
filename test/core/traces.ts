// What did users report? Reads the recorded traces and makes one reading per minute of each life in them.
import { readdirSync, readFileSync } from "node:fs";
import { mib } from "./support.ts";

const folder = new URL("../fixtures/traces/", import.meta.url);

export type Point = { readonly minute: number; readonly bytes: number };

/** One fixture: its verdict, and the reported points of each life that is a series in time. */
export type Trace = {
  readonly id: string;
  readonly verdict: string;
  readonly lives: ReadonlyMap<string, readonly Point[]>;
  /** One reading per minute: on the line between two reported points, or on the level of the last one. */
  readonly readings: (life: string) => readonly number[];
};

/** All fixtures, by their id. */
export function traces(): readonly Trace[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".csv"))
    .map((name) => parse(readFileSync(new URL(name, folder), "utf8")));
}

function parse(text: string): Trace {
  const lines = text.trimEnd().split("\n");
  const header = lines.map((line) => /^# (\w+): (.*)$/.exec(line));
  const valueOf = (key: string) => header.find((match) => match?.[1] === key)?.[2] ?? "";
  const [names, ...rows] = lines.filter((line) => !line.startsWith("#")).map((line) => line.split(","));
  const unit = valueOf("unit") === "MiB" ? mib : 1_000_000;
  const lives = new Map<string, Point[]>();
  for (const row of rows) {
    const cell = (name: string) => row[names?.indexOf(name) ?? -1] ?? "";
    if (cell("t_s") === "" || cell("rss_mb") === "") continue;
    const point = { minute: Number(cell("t_s")) / 60, bytes: Number(cell("rss_mb")) * unit };
    lives.set(cell("series"), [...(lives.get(cell("series")) ?? []), point]);
  }
  const stepwise = valueOf("interp") === "step";
  return {
    id: valueOf("id"),
    verdict: valueOf("verdict"),
    lives,
    readings: (life) => everyMinute(lives.get(life) ?? [], stepwise),
  };
}

function everyMinute(points: readonly Point[], stepwise: boolean): readonly number[] {
  const readings: number[] = [];
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return readings;
  for (let minute = first.minute; minute <= last.minute; minute++) {
    const next = points.findIndex((point) => point.minute > minute);
    const [a, b] = next < 0 ? [last, last] : [points[next - 1] ?? first, points[next] ?? last];
    const share = stepwise || a === b ? 0 : (minute - a.minute) / (b.minute - a.minute);
    readings.push(a.bytes + share * (b.bytes - a.bytes));
  }
  return readings;
}
