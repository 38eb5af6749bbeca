// What does Prometheus get? The latest samples, written as text for this one scrape: nothing survives it, nothing waits on
// a gateway, and two scrapes cannot mix.
import type { MetricSpec, Sample } from "../core/sample.ts";

/** Samples of one source with the labels that all of them carry. */
export type Source = {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
};

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Series beyond this per gateway are dropped and counted, so that one sick gateway cannot flood Prometheus. */
export const seriesLimit = 400;

/** A family as it is declared, with the text that comes before its series. */
type Family = { readonly spec: MetricSpec; readonly head: string; readonly labels: ReadonlySet<string> };

const declared = new WeakMap<readonly MetricSpec[], ReadonlyMap<string, Family>>();

/**
 * Writes sources as text by the catalogue; returns it and how many series were dropped. A registry would do the same for
 * four times the garbage (docs/adr/0017-scrapes-are-written-as-text.md).
 */
export function render(
  catalogue: readonly MetricSpec[],
  sources: readonly Source[],
): { readonly text: string; readonly dropped: number } {
  const families = familiesOf(catalogue);
  const found = new Map<Family, Map<string, number>>();
  let dropped = 0;
  for (const { labels, samples } of sources) {
    dropped += Math.max(0, samples.length - seriesLimit);
    for (const sample of samples.slice(0, seriesLimit)) {
      const family = families.get(sample.name);
      if (family === undefined) throw new TypeError(`render ${sample.name}: not in the catalogue`);
      if (!isPossible(family.spec, sample.value)) {
        dropped++;
        continue;
      }
      let series = found.get(family);
      if (series === undefined) {
        series = new Map();
        found.set(family, series);
      }
      // The same series twice would make Prometheus refuse the whole scrape: the last value holds.
      series.set(seriesOf(family, labels, sample.labels), sample.value);
    }
  }
  let text = "";
  for (const [{ head }, series] of found) {
    text += head;
    for (const [name, value] of series) text += `${name} ${value}\n`;
  }
  return { text, dropped };
}

function familiesOf(catalogue: readonly MetricSpec[]): ReadonlyMap<string, Family> {
  let families = declared.get(catalogue);
  if (families === undefined) {
    families = new Map(catalogue.map((spec) => [spec.name, familyOf(spec)]));
    declared.set(catalogue, families);
  }
  return families;
}

function familyOf(spec: MetricSpec): Family {
  const help = spec.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const head = `# HELP ${spec.name} ${help}\n# TYPE ${spec.name} ${spec.type}\n`;
  // Families that describe gateways and the host alike, such as those of collectors, have it only where it applies.
  return { spec, head, labels: new Set(["gateway", ...(spec.labels ?? [])]) };
}

/** The name with its labels in the order in which they are declared. */
function seriesOf({ spec, labels }: Family, common: Source["labels"], own: Sample["labels"]): string {
  for (const each of [common, own])
    for (const label in each)
      if (!labels.has(label)) throw new TypeError(`render ${spec.name}: the label ${label} is not declared`);
  let written = "";
  for (const label of labels) {
    const value = own?.[label] ?? common[label];
    if (value === undefined) continue;
    written += `${written === "" ? "" : ","}${label}="${escaped(value)}"`;
  }
  return written === "" ? spec.name : `${spec.name}{${written}}`;
}

const special = /[\\"\n]/;

function escaped(value: string): string {
  if (!special.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** One bad number must not hide all others: a series cannot have it. */
function isPossible(spec: MetricSpec, value: number): boolean {
  return Number.isFinite(value) && (spec.type !== "counter" || value >= 0);
}
