// What does the guard see, and why is it waiting?
import type { Command } from "commander";
import { seconds } from "../core/time.ts";
import { ask } from "../platform/ask.ts";
import { exitCodes, type Program } from "./program.ts";

const answerWithin = seconds(5);

/** `openclaw-guard status`: exit 0 when the guard answers, 3 when it does not. */
export function status(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("status")
    .description("what the guard sees, what it decides and why, and the next command to type")
    .option("-c, --config <file>", "configuration file of the running guard")
    .option("--control <url>", "address of its control listener instead of a configuration file")
    .option("--json", "the whole status as one JSON object")
    .action(async ({ config, control, json }: { config?: string; control?: string; json?: boolean }) => {
      const url = control ?? program.settings({ file: config }).controlUrl;
      const answer = await ask(`${url}/api/v1/status`, {
        deadline: answerWithin,
        signal: program.signal,
      }).catch(() => undefined);
      if (answer?.status !== 200) {
        program.err(
          `no guard answers at ${url}: start it with openclaw-guard serve, or say where with --control`,
        );
        return exit(exitCodes.unreachable);
      }
      if (json === true) program.out(answer.body.trim());
      else for (const line of describe(JSON.parse(answer.body))) program.out(line);
      exit(exitCodes.ok);
    });
}

type Row = Readonly<Record<string, unknown>>;

function describe(body: unknown): readonly string[] {
  return rows(body, "gateways").flatMap((gateway) => {
    const say = (name: string) => text(gateway[name]);
    const mib = (name: string) =>
      typeof gateway[name] === "number" ? `${Math.round(gateway[name] / 2 ** 20)} MiB` : "unknown";
    const growth = gateway["growthBytesPerHour"];
    const reasons = rows(gateway, "modeReasons").map(
      (each) => `           ${text(each["reason"])}: ${text(each["problem"])}: ${text(each["fix"])}`,
    );
    const alerts = rows(gateway, "openAlerts").map(
      (each) => `${text(each["name"])} (${text(each["cause"])}, ${text(each["urgency"])})`,
    );
    return [
      `${say("gateway")}: ${say("stall")}, pid ${say("pid")}, version ${say("version")}, work ${say("work")}`,
      `  memory   ${mib("treeBytes")} of ${mib("limitBytes")} (${say("limitSource")}), trend ${say("trend")}${typeof growth === "number" ? `, ${(growth / 1e6).toFixed(1)} MB per hour` : ""}`,
      `  mode     ${say("mode")}`,
      ...reasons,
      `  alerts   ${alerts.length === 0 ? "none open" : alerts.join(", ")}`,
      ...pausedLine(gateway["paused"]),
      ...(gateway["gaveUp"] === true ? ["  gave up  three attempts did not help: a person has to look"] : []),
      `  decision ${gateway["decision"] === undefined ? "nothing to decide" : say("decision")}`,
      ...waitLines(gateway),
      `  budget   ${say("budgetLeft")} restarts left${gateway["cooldownSeconds"] === 0 ? "" : `, next in ${Math.ceil(Number(gateway["cooldownSeconds"]))} s`}`,
      `  next     ${say("next")}`,
    ];
  });
}

/** The phases that would hold a restart back, each with its latest end. */
function waitLines(gateway: Row): readonly string[] {
  return rows(gateway, "waits").map(
    (each) => `  waits    ${text(each["refusal"])}, until ${moment(each["until"])} UTC at the latest`,
  );
}

function moment(at: unknown): string {
  return typeof at === "number" ? new Date(at).toISOString().slice(0, 16).replace("T", " ") : "";
}

function pausedLine(paused: unknown): readonly string[] {
  if (typeof paused !== "object" || paused === null) return [];
  const { until, who, why }: { until?: unknown; who?: unknown; why?: unknown } = paused;
  return [`  paused   until ${moment(until)} UTC by ${text(who)}: ${text(why)}`];
}

function rows(of: unknown, name: string): readonly Row[] {
  const value =
    typeof of === "object" && of !== null ? Object.entries(of).find(([key]) => key === name)?.[1] : undefined;
  return Array.isArray(value)
    ? value.filter((each): each is Row => typeof each === "object" && each !== null)
    : [];
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "unknown";
}
