// What does Prometheus get? The latest samples, rendered into a registry made for this one scrape: nothing survives it,
// nothing waits on a gateway, and two scrapes cannot mix.
import { Counter, Gauge, Registry } from "prom-client";
import type { MetricSpec, Sample } from "../core/sample.ts";

/** Samples of one source with the labels that all of them carry. */
export type Source = {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
};

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Series beyond this per gateway are dropped and counted, so that one sick gateway cannot flood Prometheus. */
export const seriesLimit = 400;

/** Renders sources against the catalogue; returns the text and how many series were dropped. */
export async function render(
  catalogue: readonly MetricSpec[],
  sources: readonly Source[],
): Promise<{ readonly text: string; readonly dropped: number }> {
  const registry = new Registry();
  const families = new Map<
    string,
    { readonly set: (labels: Record<string, string>, value: number) => void }
  >();
  const specs = new Map(catalogue.map((spec) => [spec.name, spec]));
  let dropped = 0;
  for (const { labels, samples } of sources) {
    dropped += Math.max(0, samples.length - seriesLimit);
    for (const sample of samples.slice(0, seriesLimit)) {
      const spec = specs.get(sample.name);
      if (spec === undefined) throw new TypeError(`render ${sample.name}: not in the catalogue`);
      if (!isPossible(spec, sample.value)) {
        dropped++;
        continue;
      }
      let family = families.get(spec.name);
      if (family === undefined) {
        family = create(spec, registry);
        families.set(spec.name, family);
      }
      family.set({ ...labels, ...sample.labels }, sample.value);
    }
  }
  return { text: await registry.metrics(), dropped };
}

/** One bad number must not hide all others: the registry refuses it by throwing. */
function isPossible(spec: MetricSpec, value: number): boolean {
  return Number.isFinite(value) && (spec.type !== "counter" || value >= 0);
}

function create(spec: MetricSpec, registry: Registry) {
  // Families that describe gateways and the host alike, such as those of collectors, have it only where it applies.
  const labelNames = ["gateway", ...(spec.labels ?? [])];
  const options = { name: spec.name, help: spec.help, labelNames, registers: [registry] };
  if (spec.type === "counter") {
    const counter = new Counter(options);
    return { set: (labels: Record<string, string>, value: number) => counter.inc(labels, value) };
  }
  const gauge = new Gauge(options);
  return { set: (labels: Record<string, string>, value: number) => gauge.set(labels, value) };
}
