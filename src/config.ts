// What did the operator set? One YAML file, read once at the door: every problem is reported at once, unknown settings
// are refused, and past this line there is nothing left to check.
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parse as parseYaml, YAMLParseError } from "yaml";
import { z } from "zod";
import { thresholdsFor } from "./core/threshold.ts";
import { endpointProblems } from "./endpoint-setting.ts";
import { schema, sections } from "./sections.ts";
import { fixOf, problemsOf } from "./setting.ts";

/** Everything wrong with a configuration, one line per problem. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `configuration: ${problems.length} problem${problems.length === 1 ? "" : "s"}\n${problems.map((p) => `  ${p}`).join("\n")}`,
    );
    this.name = "ConfigError";
    this.problems = problems;
  }
}

type Settings = z.output<typeof schema>;
/** What the file leaves to the machine is filled in. */
export type Config = Omit<Settings, "state_dir" | "thresholds"> & {
  readonly state_dir: string;
  readonly thresholds: Settings["thresholds"] & {
    readonly memory_ratio: Readonly<Record<"warning" | "critical", number>>;
    readonly host_memory_available: Readonly<Record<"warning" | "critical", number>>;
  };
};
export type GatewayConfig = Config["gateways"][number];
export type SupervisorConfig = GatewayConfig["supervisor"];

/** What depends on the machine and not on the file. */
export type Defaults = {
  readonly stateDir?: string;
  /** Memory of the host in bytes. */
  readonly memoryBytes?: number;
};

const systemStateDir = "/var/lib/openclaw-guard";

/**
 * Where the guard keeps its journal when no setting says so: systemd's `StateDirectory=` first, since a hardened unit can
 * write nowhere else; for a user the folder of the XDG base directory specification.
 */
export function stateDirFor(
  env: Readonly<Record<string, string | undefined>>,
  user: { readonly isRoot: boolean; readonly home: string },
): string {
  // Several directories are separated by colons; the first is the one that the unit names first.
  const [fromSystemd] = (env["STATE_DIRECTORY"] ?? "").split(":");
  if (fromSystemd !== undefined && fromSystemd !== "") return fromSystemd;
  if (user.isRoot) return systemStateDir;
  const state = env["XDG_STATE_HOME"];
  return join(
    state !== undefined && isAbsolute(state) ? state : join(user.home, ".local", "state"),
    "openclaw-guard",
  );
}

/**
 * Checks a parsed configuration; throws one `ConfigError` that lists every problem with the setting it is about. What is
 * valid by itself but not together is looked for once each setting is valid.
 */
export function parseConfig(raw: unknown, defaults: Defaults = {}): Config {
  const result = schema.safeParse(withoutEmptySections(raw), { error: fixOf, reportInput: true });
  if (!result.success) throw new ConfigError(problemsOf(result.error));
  const config = filled(result.data, defaults);
  const problems = contradictions(config);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** What a setting says wins over what follows from the machine. */
function filled(settings: Settings, { stateDir, memoryBytes }: Defaults): Config {
  const { thresholds } = settings;
  const { memory_ratio, host_memory_available: available } = thresholds;
  const { memoryRatioWarning, availableBytes } = thresholdsFor(memoryBytes);
  return {
    ...settings,
    state_dir: settings.state_dir ?? stateDir ?? systemStateDir,
    thresholds: {
      ...thresholds,
      memory_ratio: { ...memory_ratio, warning: memory_ratio.warning ?? memoryRatioWarning },
      host_memory_available: {
        warning: available.warning ?? Math.max(availableBytes.warning, 2 * (available.critical ?? 0)),
        critical:
          available.critical ?? Math.min(availableBytes.critical, (available.warning ?? Infinity) / 2),
      },
    },
  };
}

/** Reads and checks a configuration file; throws `ConfigError` also when it cannot be read or is no YAML. */
export function readConfig(file: string, defaults: Defaults = {}): Config {
  let raw: unknown;
  try {
    raw = parseYaml(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof YAMLParseError)
      throw new ConfigError([`${file}: not YAML: ${error.message.split("\n")[0] ?? ""}`]);
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new ConfigError([
      `${file}: cannot be read (${code}): write one with the settings of guard.example.yml`,
    ]);
  }
  return parseConfig(raw, defaults);
}

/** Every setting as a JSON schema of the file as it is written; the example file is checked against it. */
export function configSchema(): unknown {
  return z.toJSONSchema(schema, { io: "input" });
}

/** The host and port of a `listen` setting. */
export function addressOf(listenSetting: string): { readonly host: string; readonly port: number } {
  const colon = listenSetting.lastIndexOf(":");
  return {
    host: listenSetting.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(listenSetting.slice(colon + 1)),
  };
}

/** YAML reads a section whose settings are all commented out as null. */
function withoutEmptySections(raw: unknown): unknown {
  if (raw === null || raw === undefined) return {};
  if (typeof raw !== "object" || Array.isArray(raw)) return raw;
  return Object.fromEntries(
    Object.entries(raw).filter(([key, value]) => value !== null || !(key in sections)),
  );
}

/** What is valid by itself but not together. */
function contradictions(config: Config): readonly string[] {
  const names = config.gateways.map((each) => each.name);
  const twice = names.filter((each, i) => names.indexOf(each) !== i);
  const urls = config.gateways.map((each) => new URL(each.url).host);
  const watchedTwice = urls.filter((each, i) => urls.indexOf(each) !== i);
  const { probe, thresholds, drain, verify, metrics, control } = config;
  const both = (where: string, of: { token_file?: string | undefined; token_env?: string | undefined }) =>
    of.token_file !== undefined && of.token_env !== undefined
      ? [`${where}.token_file: give either token_file or token_env, not both`]
      : [];
  return [
    ...twice.map((each) => `gateways: two are named ${each}: give each its own name`),
    ...watchedTwice.map((each) => `gateways: two have the address ${each}: watch each once`),
    ...(metrics.listen === control.listen && addressOf(metrics.listen).port !== 0
      ? ["control.listen: is the same as metrics.listen: give each its own port"]
      : []),
    // The old process may use its whole drain before a new one can be seen.
    ...(verify.replace_within <= drain.limit
      ? ["verify.replace_within: must be longer than drain.limit, in which the old process may still run"]
      : []),
    // Healthz first, the two others after it: both have to fit into one round.
    ...(probe.timeout * 2 > probe.every * 0.9
      ? ["probe.timeout: two of them must fit into nine tenths of probe.every, or probes overlap"]
      : []),
    ...(["memory_ratio", "descriptors_ratio"] as const).flatMap((signal) =>
      thresholds[signal].warning >= thresholds[signal].critical
        ? [`thresholds.${signal}.warning: must be below thresholds.${signal}.critical`]
        : [],
    ),
    // The other way round: less that is available is worse.
    ...(thresholds.host_memory_available.warning <= thresholds.host_memory_available.critical
      ? ["thresholds.host_memory_available.warning: must be above thresholds.host_memory_available.critical"]
      : []),
    ...config.window.spans.flatMap((span, i) =>
      span.from === span.to
        ? [`window.spans.${i}: from and to are the same; for "at any time" write spans: []`]
        : [],
    ),
    ...both("control", config.control),
    ...config.gateways.flatMap((each, i) => both(`gateways.${i}`, each)),
    ...endpointProblems(config),
  ];
}
