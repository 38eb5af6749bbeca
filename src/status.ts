// What is going on with one gateway, and why is nothing being done? The answer a person gets: the refusal that holds,
// until when, and the next command to type.
import { inSeconds, type Instant, type Millis, ms } from "./core/time.ts";
import { type Wait, waitsOf } from "./core/waits.ts";
import type { Guarded } from "./gateway.ts";

export type GatewayStatus = {
  readonly gateway: string;
  readonly stall: string;
  readonly silentSeconds: number | undefined;
  readonly pid: number | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly version: string | undefined;
  readonly treeBytes: number | undefined;
  readonly limitBytes: number | undefined;
  readonly limitSource: string | undefined;
  readonly trend: string;
  readonly growthBytesPerHour: number | undefined;
  readonly work: string;
  readonly mode: string;
  readonly modeReasons: readonly {
    readonly reason: string;
    readonly problem: string;
    readonly fix: string;
  }[];
  readonly openAlerts: readonly { readonly name: string; readonly cause: string; readonly urgency: string }[];
  readonly episode: string | undefined;
  readonly decision: string | undefined;
  readonly decidedAt: Instant | undefined;
  /** Phases that would hold a restart back, whether or not one is due. */
  readonly waits: readonly Wait[];
  readonly budgetLeft: number;
  readonly cooldownSeconds: number;
  readonly paused: { readonly who: string; readonly why: string; readonly until: Instant } | undefined;
  readonly gaveUp: boolean;
  readonly next: string;
};

/** The status of one gateway at `now`. */
export function gatewayStatus(each: Guarded, now: Instant): GatewayStatus {
  const e = each.watch.evidence();
  const standing = each.standing();
  const budget = each.budget();
  const { mode, reasons } = each.mode();
  const found = e.process?.reading;
  const running = found?.found === true ? found : undefined;
  const growth = e.trend.growthBytesPerSecond;
  const findings = each.findings();
  const paused = standing.paused !== undefined && standing.paused.until > now ? standing.paused : undefined;
  const work = e.work?.reading;
  return {
    gateway: each.config.name,
    stall: e.stall.class ?? "unknown",
    silentSeconds: e.stall.silence === undefined ? undefined : inSeconds(ms(now - e.stall.silence.since)),
    pid: running?.incarnation.pid,
    uptimeSeconds:
      running === undefined ? undefined : Math.round(inSeconds(ms(now - running.incarnation.startedAt))),
    version: e.version,
    treeBytes: running?.tree.residentBytes,
    limitBytes: e.limit?.bytes,
    limitSource: e.limit?.source,
    trend: e.trend.verdict,
    growthBytesPerHour: growth === undefined ? undefined : Math.round(growth * 3600),
    work: work?.known !== true ? "unknown" : work.restartSafe ? "idle" : "busy",
    mode,
    modeReasons: reasons.map(
      (reason) =>
        findings.find((finding) => finding.reason === reason) ?? {
          reason,
          problem: problemOf[reason] ?? "",
          fix: fixOf[reason] ?? "",
        },
    ),
    openAlerts: each.openAlerts().map(({ name, cause, urgency }) => ({ name, cause, urgency })),
    episode: standing.episode?.id,
    decision:
      standing.episode?.attempt === undefined ? standing.episode?.lastDecision?.decision : "restarting",
    decidedAt: standing.episode?.lastDecision?.since,
    waits: waitsOf(e, now, each.policy),
    budgetLeft: budget.left,
    cooldownSeconds: Math.max(0, inSeconds((budget.coolUntil - now) as Millis)),
    paused,
    gaveUp: standing.gaveUp,
    next: nextCommand(
      {
        gaveUp: standing.gaveUp,
        paused: paused !== undefined,
        downgraded: reasons.length > 0,
        decision: standing.episode?.lastDecision?.decision,
      },
      each.config.name,
    ),
  };
}

const problemOf: Readonly<Record<string, string>> = {
  another_guard: "another guard on this host already acts on this gateway",
  not_checked: "the restart path has not been checked yet",
};
const fixOf: Readonly<Record<string, string>> = {
  another_guard: "stop the other guard, or leave this one as an observer",
  not_checked: "wait some seconds",
};

/** What a person types about a refusal that a person, and not time, has to end. */
const nextAfter: Readonly<Record<string, (gateway: string) => string>> = {
  silenced: (gateway) => `amtool silence query gateway=${gateway}, then amtool silence expire <id>`,
  stopped_on_purpose: () => "start it by hand when it shall run again, detach the debugger, thaw its cgroup",
  updating: () => "let the update end, or wait: after update_limit it holds nothing up",
};

function nextCommand(
  {
    gaveUp,
    paused,
    downgraded,
    decision,
  }: {
    readonly gaveUp: boolean;
    readonly paused: boolean;
    readonly downgraded: boolean;
    readonly decision: string | undefined;
  },
  gateway: string,
): string {
  if (gaveUp)
    return `openclaw-guard history --gateway ${gateway}, then openclaw-guard resume --gateway ${gateway} --who you --reason "..."`;
  if (paused) return `openclaw-guard resume --gateway ${gateway} --who you --reason "..."`;
  if (downgraded) return "fix what stands under mode; the guard checks it again every minute";
  const next = decision === undefined ? undefined : nextAfter[decision];
  return next?.(gateway) ?? `openclaw-guard history --gateway ${gateway}`;
}
