// Which settings are there? The whole configuration file as it is written, section by section, with every default.
import { z } from "zod";
import { modes } from "./core/mode.ts";
import { weekdays } from "./core/window.ts";
import { endpoints } from "./endpoint-setting.ts";
import {
  age,
  argv,
  duration,
  environment,
  gatewayUrl,
  listen,
  name,
  path,
  period,
  ratio,
  serverUrl,
  size,
  time,
  unit,
  whole,
  word,
  zone,
} from "./setting.ts";

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
  /** Folder of the gateway's package, where its process does not show it. */
  installation: path.optional(),
  memory_limit: size.optional(),
  /** What piles up, and what must not change unnoticed; paths that are not set follow from the state directory. */
  upkeep: z
    .strictObject({
      every: period.prefault("5m"),
      memory: z.array(path).min(1).optional(),
      logs: z.array(path).min(1).optional(),
      sessions: z.array(path).min(1).optional(),
      config: path.optional(),
      good_config: path.optional(),
      backups: path.optional(),
    })
    .prefault({}),
  supervisor: supervisor.default({ kind: "none" }),
});

/** A section can be written without any setting in it: its defaults hold then. */
export const sections = {
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
      endpoint_every: period.prefault("15s"),
    })
    .prefault({}),
  hang: z
    .strictObject({
      confirm: period.prefault("90s"),
      /** Instead of it, when longer, while the main thread waits for a child that works. */
      confirm_busy_child: period.prefault("10m"),
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
      memory_ratio: z.strictObject({ warning: ratio.optional(), critical: ratio.default(0.85) }).prefault({}),
      /** Like the warning above, from the host's capacity where they are not set: core/threshold.ts. */
      host_memory_available: z
        .strictObject({ warning: size.optional(), critical: size.optional() })
        .prefault({}),
      descriptors_ratio: z
        .strictObject({ warning: ratio.default(0.6), critical: ratio.default(0.8) })
        .prefault({}),
      descriptors_hold: duration.prefault("30s"),
      event_loop_lag: period.prefault("50ms"),
      probe_duration: period.prefault("500ms"),
      memory_file: size.prefault("96KiB"),
      log_storage: size.prefault("700MB"),
      session_storage: size.prefault("1GiB"),
      backup_age: age.prefault("2d"),
    })
    .prefault({}),
  endpoints,
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

/** The file as a whole. */
export const schema = z.strictObject({
  mode: word(modes).default("enforce"),
  /** Without it: the folder that systemd names, else the usual one of the user. */
  state_dir: path.optional(),
  gateways: z.array(gateway).min(1).max(50).prefault([{}]),
  just_woke: duration.prefault("3m"),
  update_limit: duration.prefault("30m"),
  ...sections,
});
