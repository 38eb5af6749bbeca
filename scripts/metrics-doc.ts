// Which metrics are there, in words? Writes docs/metrics.md from the catalogue; with --check it only says whether the file
// is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue, gatewayMetrics, hostMetrics } from "../src/catalogue.ts";
import type { MetricSpec } from "../src/core/sample.ts";

const file = join(import.meta.dirname, "..", "docs", "metrics.md");

/** The whole text of docs/metrics.md. */
export function metricsDoc(): string {
  const about = (prefix: string) => gatewayMetrics.filter(({ name }) => name.startsWith(prefix));
  const endpoints = catalogue.filter(({ name }) => name.startsWith("openclaw_endpoint_"));
  const rest = catalogue.filter((spec) => ![...gatewayMetrics, ...hostMetrics, ...endpoints].includes(spec));
  const ofTheGuard = rest.filter(({ name }) => name.startsWith("openclaw_guard_"));
  const collectors = about("openclaw_guard_collector_");
  return [
    "<!-- Written by scripts/metrics-doc.ts from src/catalogue.ts: change the declarations, then `npm run docs`. -->",
    "",
    "# Metrics",
    "",
    `${catalogue.length} families, served on \`http://127.0.0.1:9477/metrics\` in the text format of Prometheus. What is unknown is an`,
    "absent series, never 0; what can be counted exists at 0 from the start. Scraping never waits for the gateway: it renders",
    "the latest readings, and a reading older than three of its intervals is left out. State sets (`class`, `trend`, `mode`, …)",
    "carry every value of their label, 1 for the one that holds.",
    "",
    "Names, labels and units are a public interface: a change of one is told in the changelog.",
    "",
    ...section("The gateway", "Each carries the label `gateway`.", about("openclaw_gateway_")),
    ...section("The host", "Without the label `gateway`.", hostMetrics),
    ...section(
      "Endpoints",
      "Without the label `gateway`, unless the configuration says which one the endpoint belongs to.",
      endpoints,
    ),
    ...section(
      "The guard, about one gateway",
      "Each carries the label `gateway`.",
      about("openclaw_guard_").filter((spec) => !collectors.includes(spec)),
    ),
    ...section(
      "The guard's collectors",
      "They carry the label `gateway`, but for the collectors `host`, `volume` of the guard and `endpoints`.",
      collectors,
    ),
    ...section(
      "The guard itself",
      "`decisions`, `episodes`, `restarts` and `foreign_restarts` carry the label `gateway`.",
      ofTheGuard,
    ),
    ...section(
      "The guard's own process",
      "Names that the field uses for every program.",
      rest.filter((spec) => !ofTheGuard.includes(spec)),
    ),
  ].join("\n");
}

function section(title: string, says: string, specs: readonly MetricSpec[]): readonly string[] {
  const rows = specs.map(({ name, type, labels, help }) => {
    const of = labels === undefined ? "" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${of} | ${help.replaceAll("|", "\\|")} |`;
  });
  return [
    `## ${title}`,
    "",
    says,
    "",
    "| name | type | labels | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  const wanted = metricsDoc();
  if (!check) writeFileSync(file, wanted);
  else if (readFileSync(file, "utf8") !== wanted) {
    process.stderr.write("docs/metrics.md: out of date: npm run docs\n");
    process.exitCode = 1;
  }
}
