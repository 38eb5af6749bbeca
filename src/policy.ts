// How do the settings become the numbers that decisions use? One place that maps the configuration onto the core's words.
import type { Config, GatewayConfig } from "./config.ts";
import type { Upkeep } from "./collect/upkeep.ts";
import { minutes, seconds } from "./core/time.ts";
import type { Threshold } from "./expose/derived.ts";
import type { Policy } from "./remedy/world.ts";
import type { WatchPolicy } from "./sample/watch.ts";

/** Two unclean ends within five minutes are the most that the gateway's own crash-loop breaker tolerates. */
const uncleanLimit = 2;
const rejoinWithin = minutes(15);

/** Everything that the episodes of a gateway are decided by. */
export function policyOf(config: Config, gateway: GatewayConfig): Policy & WatchPolicy {
  const { hang, start, drain, verify, budget, thresholds, window, alerts, trend } = config;
  return {
    startBudget: start.budget,
    startAfter: start.after,
    startBackoff: start.retry,
    hangConfirm: hang.confirm,
    hangConfirmBusyChild: hang.confirm_busy_child,
    hangProbes: hang.probes,
    lastLook: hang.last_look,
    drain: drain.limit,
    drainLimit: drain.limit,
    patienceNow: drain.patience,
    memoryRatio: thresholds.memory_ratio.critical,
    descriptorsRatio: thresholds.descriptors_ratio.critical,
    descriptorsHold: thresholds.descriptors_hold,
    configuredLimitBytes: gateway.memory_limit,
    trendMinute: trend.minute,
    window: {
      zone: window.zone,
      spans: window.spans.map(({ from, to, days }) => ({ fromMinute: from, toMinute: to, days })),
    },
    staleAfter: alerts.stale_after,
    decideEvery: alerts.decide_every,
    justWoke: config.just_woke,
    updateLimit: config.update_limit,
    uncleanLimit,
    rejoinWithin,
    settle: verify.settle,
    verifyEvery: verify.every,
    replaceWithin: verify.replace_within,
    budget: {
      gap: budget.gap,
      returnWithin: budget.return_within,
      cleanGap: budget.clean_gap,
      perSixHours: budget.per_six_hours,
      perDay: budget.per_day,
    },
  };
}

/** Where the files of a gateway are looked for. */
export function upkeepOf({ upkeep }: GatewayConfig): Upkeep {
  const { every, memory, logs, sessions } = upkeep;
  return {
    every,
    paths: { memory, logs, sessions },
    configPath: upkeep.config,
    goodConfigPath: upkeep.good_config,
    backupsPath: upkeep.backups,
  };
}

/** The limits that alerts compare with, as series. */
export function thresholdsOf(config: Config): readonly Threshold[] {
  const { hang, drain, thresholds } = config;
  const { memory_ratio, host_memory_available, descriptors_ratio, event_loop_lag, probe_duration } =
    thresholds;
  return [
    { signal: "unresponsive_seconds", level: "critical", value: hang.confirm / seconds(1) },
    { signal: "memory_ratio", level: "warning", value: memory_ratio.warning },
    { signal: "memory_ratio", level: "critical", value: memory_ratio.critical },
    { signal: "host_memory_available_bytes", level: "warning", value: host_memory_available.warning },
    { signal: "host_memory_available_bytes", level: "critical", value: host_memory_available.critical },
    { signal: "descriptors_ratio", level: "warning", value: descriptors_ratio.warning },
    { signal: "descriptors_ratio", level: "critical", value: descriptors_ratio.critical },
    { signal: "event_loop_lag_seconds", level: "warning", value: event_loop_lag / seconds(1) },
    { signal: "probe_duration_seconds", level: "warning", value: probe_duration / seconds(1) },
    { signal: "memory_file_bytes", level: "warning", value: thresholds.memory_file },
    { signal: "log_storage_bytes", level: "warning", value: thresholds.log_storage },
    { signal: "session_storage_bytes", level: "warning", value: thresholds.session_storage },
    { signal: "backup_age_seconds", level: "warning", value: thresholds.backup_age / seconds(1) },
    // A supervisor that waits less kills a gateway that still finishes its work.
    { signal: "unit_stop_timeout_seconds", level: "warning", value: drain.limit / seconds(1) },
  ];
}
