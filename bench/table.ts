// How do the results look in docs/bench.md? As tables between two marks, written from bench/results.json.
import type { Row } from "./scrape.ts";

export type Results = {
  readonly scrape: {
    readonly machine: {
      readonly cores: number;
      readonly kernel: string;
      readonly node: string;
      readonly date: string;
    };
    readonly rows: readonly Row[];
  };
};

const marks = (name: string) =>
  [`<!-- ${name}: written by npm run bench -->`, `<!-- ${name}: end -->`] as const;

/** The document with the tables of these results in place of those that it had. */
export function documentWith(document: string, results: Results): string {
  const [from, to] = marks("scrape");
  const [begin, end] = [document.indexOf(from), document.indexOf(to)];
  if (begin < 0 || end < begin) throw new Error(`docs/bench.md: the marks ${from} and ${to} are not there`);
  return `${document.slice(0, begin + from.length)}\n${table(results)}\n${document.slice(end)}`;
}

function table({ scrape: { machine, rows } }: Results): string {
  return [
    "",
    `Measured ${machine.date} with ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}:`,
    "",
    "| exporter | watches | p50 ms | p99 ms | scrapes/s | CPU ms a scrape | idle CPU % of a core | RSS MiB | after scrapes | KiB |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ...rows.map((row) =>
      [
        "",
        row.exporter,
        row.watches,
        row.p50Ms,
        row.p99Ms,
        row.perSecond,
        row.cpuMsPerScrape,
        row.idleCpuPercent ?? "",
        row.rssMiB,
        row.scrapes,
        Math.round(row.bytes / 1024),
        "",
      ]
        .join(" | ")
        .trim(),
    ),
    "",
  ].join("\n");
}
