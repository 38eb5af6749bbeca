// What did the operator set? One YAML file, read once at the door: every problem is reported at once, unknown settings
// are refused, and past this line there is nothing left to check.
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parse as parseYaml, YAMLParseError } from "yaml";
import { z } from "zod";
import { modes } from "./core/mode.ts";
import { weekdays } from "./core/window.ts";
import {
  age,
  argv,
  duration,
  environment,
  fixOf,
  gatewayUrl,
  listen,
  name,
  path,
  period,
  problemsOf,
  ratio,
  serverUrl,
  size,
  time,
  unit,
  whole,
  word,
  zone,
} from "./setting.ts";

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

const supervisorKinds = "systemd, command or none";
const supervisor = z.discriminatedUnion(
  "kind",
  [
    z.strictObject({ kind: z.literal("systemd"), unit, scope: word(["user", "system"]).default("user") }),
    z.strictObject({ kind: z.literal("command"), start: argv, restart: argv, status: argv.optional() }),
    z.strictObject({ kind: z.literal("none") }),
  ],
  {
    error: ({ code }: { readonly code: string }) =>
      code === "invalid_type"
        ? `write a section whose kind is ${supervisorKinds}`
        : `write ${supervisorKinds}`,
  },
);

const gateway = z.strictObject({
  name: name.default("main"),
  url: gatewayUrl.default("http://127.0.0.1:18789"),
  /** File with the gateway's token, for its RPC: without it work in flight is unknown, which counts as busy. */
  token_file: path.optional(),
  token_env: environment.optional(),
  state_dir: path.optional(),
  pid_file: path.optional(),
  unit: unit.optional(),
  memory_limit: size.optional(),
  supervisor: supervisor.default({ kind: "none" }),
});

/** A section can be written without any setting in it: its defaults hold then. */
const sections = {
  metrics: z.strictObject({ listen: listen.default("127.0.0.1:9477") }).prefault({}),
  control: z
    .strictObject({
      listen: listen.default("127.0.0.1:9478"),
      /** The bearer token that Alertmanager and people present. */
      token_file: path.optional(),
      token_env: environment.optional(),
    })
    .prefault({}),
  alertmanager: z.strictObject({ url: serverUrl.optional() }).prefault({}),
  probe: z
    .strictObject({
      every: period.prefault("5s"),
      timeout: period.prefault("2s"),
      slow_every: period.prefault("15s"),
      process_every: period.prefault("5s"),
    })
    .prefault({}),
  hang: z
    .strictObject({
      confirm: period.prefault("90s"),
      probes: whole(2, 1000).default(6),
      last_look: duration.prefault("5s"),
    })
    .prefault({}),
  start: z
    .strictObject({
      budget: period.prefault("20m"),
      after: duration.prefault("10s"),
      retry: z.array(duration).min(1).max(5).prefault(["10s", "30s", "90s"]),
    })
    .prefault({}),
  drain: z.strictObject({ limit: period.prefault("330s"), patience: duration.prefault("60s") }).prefault({}),
  verify: z
    .strictObject({
      every: period.prefault("1s"),
      settle: duration.prefault("10m"),
      replace_within: period.prefault("6m"),
    })
    .prefault({}),
  budget: z
    .strictObject({
      gap: duration.prefault("30m"),
      return_within: duration.prefault("30m"),
      clean_gap: duration.prefault("5m"),
      per_six_hours: whole(1, 12).default(3),
      per_day: whole(1, 24).default(4),
    })
    .prefault({}),
  window: z
    .strictObject({
      zone: zone.default("UTC"),
      spans: z
        .array(
          z.strictObject({
            from: time,
            to: time,
            days: z
              .array(word(weekdays))
              .min(1)
              .default([...weekdays]),
          }),
        )
        .prefault([{ from: "22:00", to: "06:00" }]),
    })
    .prefault({}),
  thresholds: z
    .strictObject({
      memory_ratio: z
        .strictObject({ warning: ratio.default(0.7), critical: ratio.default(0.85) })
        .prefault({}),
      descriptors_ratio: z
        .strictObject({ warning: ratio.default(0.6), critical: ratio.default(0.8) })
        .prefault({}),
      descriptors_hold: duration.prefault("30s"),
      event_loop_lag: period.prefault("50ms"),
      probe_duration: period.prefault("500ms"),
    })
    .prefault({}),
  /** The detector's minute: shorter only where everything is sped up, as in the demo. */
  trend: z.strictObject({ minute: period.prefault("1m") }).prefault({}),
  alerts: z
    .strictObject({ decide_every: period.prefault("30s"), stale_after: period.prefault("3m") })
    .prefault({}),
  history: z
    .strictObject({ keep: age.prefault("90d"), keep_episodes: whole(10, 100_000).default(500) })
    .prefault({}),
  log: z.strictObject({ level: word(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
};

const schema = z.strictObject({
  mode: word(modes).default("enforce"),
  /** Without it: the folder that systemd names, else the usual one of the user. */
  state_dir: path.optional(),
  gateways: z.array(gateway).min(1).max(50).prefault([{}]),
  just_woke: duration.prefault("3m"),
  ...sections,
});

type Settings = z.output<typeof schema>;
export type Config = Omit<Settings, "state_dir"> & { readonly state_dir: string };
export type GatewayConfig = Config["gateways"][number];
export type SupervisorConfig = GatewayConfig["supervisor"];

/** What depends on the machine and not on the file. */
export type Defaults = { readonly stateDir?: string };

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
  const problems = contradictions(result.data);
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...result.data, state_dir: result.data.state_dir ?? defaults.stateDir ?? systemStateDir };
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
function contradictions(config: Settings): readonly string[] {
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
    ...config.window.spans.flatMap((span, i) =>
      span.from === span.to
        ? [`window.spans.${i}: from and to are the same; for "at any time" write spans: []`]
        : [],
    ),
    ...both("control", config.control),
    ...config.gateways.flatMap((each, i) => both(`gateways.${i}`, each)),
  ];
}
