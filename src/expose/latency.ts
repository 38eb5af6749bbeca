// How long do the guard's own probes take? A histogram that outlives every scrape: the witness of a slow gateway that
// works also when the gateway itself cannot report.
import { type ProbeKind, probes } from "../core/readings.ts";
import type { MetricSpec } from "../core/sample.ts";

/** From a gateway that is well (0.4 to 4 ms were measured) over the warning limits of lag and probes to the probe's timeout. */
const bounds = [0.005, 0.02, 0.05, 0.1, 0.5, 1, 2, 5];

export const latencyMetrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_probe_latency_seconds",
    type: "histogram",
    help: "Time until the guard's probes were answered; one that never was counts above every bound, with the time it waited.",
    labels: ["probe"],
  },
];

type Series = { readonly counts: number[]; sum: number; count: number };

/** The histogram of every gateway and kind of probe. */
export type Latencies = {
  /** Counts one probe: answered after `seconds`, or given up then. */
  readonly observe: (gateway: string, probe: ProbeKind, seconds: number, answered: boolean) => void;
  /** Begins the HTTP probes of a gateway at zero, so that a rate sees the first one; counts that are there stay. */
  readonly begin: (gateway: string) => void;
  readonly forget: (gateway: string) => void;
  /** The family in the text format of Prometheus; empty without a series. */
  readonly render: () => string;
};

/** Begins without a series. */
export function probeLatencies(): Latencies {
  const gateways = new Map<string, Map<ProbeKind, Series>>();
  const seriesOf = (gateway: string, probe: ProbeKind): Series => {
    const series = gateways.get(gateway)?.get(probe) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 };
    gateways.set(gateway, (gateways.get(gateway) ?? new Map()).set(probe, series));
    return series;
  };
  return {
    observe(gateway, probe, seconds, answered) {
      const series = seriesOf(gateway, probe);
      series.count++;
      series.sum += seconds;
      if (!answered) return;
      bounds.forEach((bound, i) => {
        if (seconds <= bound) series.counts[i] = (series.counts[i] ?? 0) + 1;
      });
    },
    begin(gateway) {
      for (const probe of probes) seriesOf(gateway, probe);
    },
    forget: (gateway) => void gateways.delete(gateway),
    render() {
      const [family] = latencyMetrics;
      if (family === undefined || gateways.size === 0) return "";
      const lines = [`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} histogram`];
      for (const [gateway, byProbe] of gateways)
        for (const [probe, { counts, sum, count }] of byProbe) {
          const labels = `gateway="${escaped(gateway)}",probe="${probe}"`;
          counts.forEach((n, i) => lines.push(`${family.name}_bucket{${labels},le="${bounds[i]}"} ${n}`));
          lines.push(`${family.name}_bucket{${labels},le="+Inf"} ${count}`);
          lines.push(`${family.name}_sum{${labels}} ${sum}`, `${family.name}_count{${labels}} ${count}`);
        }
      return `${lines.join("\n")}\n`;
    },
  };
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
