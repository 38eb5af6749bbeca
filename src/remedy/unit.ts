// What do the properties of a systemd unit mean? Text in, readings out; nothing is asked here.
import type { SupervisorReading } from "../core/readings.ts";
import { type Millis, ms } from "../core/time.ts";

/** What `systemctl show` printed: every property that it knows, as text. */
export type Shown = Readonly<Record<string, string>>;

/** What is asked of systemd about the unit. */
export const properties = [
  "LoadState",
  "ActiveState",
  "SubState",
  "UnitFileState",
  "FreezerState",
  "MainPID",
  "NRestarts",
  "Result",
  "ExecMainStartTimestamp",
  "ExecMainCode",
  "ExecMainStatus",
  "TimeoutStopUSec",
  "KillMode",
  "Restart",
  "RestartPreventExitStatus",
  "RestartUSec",
  "StartLimitIntervalUSec",
  "StartLimitBurst",
  "InvocationID",
];

/** Reads `Key=value` lines; a line of another shape is ignored. */
export function parseShow(text: string): Shown {
  const shown: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) shown[line.slice(0, at)] = line.slice(at + 1).trim();
  }
  return shown;
}

const unitsOfTime: Readonly<Record<string, number>> = {
  // As systemd.time(7) has them: a month is 30.44 days, a year 365.25.
  y: 31_557_600_000,
  month: 2_629_800_000,
  w: 604_800_000,
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
};

/** Reads a length of time as systemd prints it (`5min 30s`, `infinity`); undefined for anything else. */
export function parseTimespan(text: string | undefined): Millis | undefined {
  if (text === undefined || text === "") return undefined;
  if (text === "infinity") return ms(Number.POSITIVE_INFINITY);
  if (text === "0") return ms(0);
  let total = 0;
  for (const part of text.split(" ")) {
    const [, number, unit] = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(part) ?? [];
    const factor = unit === undefined ? undefined : unitsOfTime[unit];
    if (number === undefined || factor === undefined) return undefined;
    total += Number(number) * factor;
  }
  return ms(total);
}

/** What a unit's properties mean to a decision. */
export function readingOf(shown: Shown): SupervisorReading {
  const state = stateOf(shown);
  return {
    reachable: true,
    problem: loaded(shown) ? undefined : `the unit cannot be loaded (${shown["LoadState"] ?? "no answer"})`,
    state,
    stoppedOnPurpose: stoppedOnPurpose(shown, state),
    mainPid: positive(shown["MainPID"]),
    restarts: count(shown["NRestarts"]),
    exitStatus: exitStatus(shown),
    latched: state === "failed" && latched(shown),
    stopTimeout: parseTimespan(shown["TimeoutStopUSec"]),
    killMode: shown["KillMode"],
    restartDelay: parseTimespan(shown["RestartUSec"]),
    ...startLimit(shown),
  };
}

function startLimit(shown: Shown): Pick<SupervisorReading, "startLimit"> {
  const burst = count(shown["StartLimitBurst"]);
  const interval = parseTimespan(shown["StartLimitIntervalUSec"]);
  return burst === undefined || interval === undefined ? {} : { startLimit: { burst, interval } };
}

function stateOf(shown: Shown): SupervisorReading["state"] {
  switch (shown["ActiveState"]) {
    case "active":
      // A service that remains "active" after its process ended serves nobody.
      return shown["SubState"] === "exited" ? "stopped" : "running";
    case "reloading":
    case "refreshing":
      return "running";
    case "activating":
      // Later versions of systemd say auto-restart-queued at the end of the wait.
      return shown["SubState"]?.startsWith("auto-restart") === true ? "waiting_to_restart" : "starting";
    case "deactivating":
      return "stopping";
    case "failed":
      return "failed";
    case "inactive":
      return "stopped";
    default:
      return "unknown";
  }
}

function stoppedOnPurpose(shown: Shown, state: SupervisorReading["state"]): boolean {
  if (shown["SystemState"] === "stopping") return true;
  if (shown["FreezerState"] === "frozen" || shown["FreezerState"] === "freezing") return true;
  if (!loaded(shown)) return shown["LoadState"] === "masked";
  // An end that nobody wanted leaves a unit "failed" or waiting. "inactive" is a stop, an end with success, or a unit not
  // started since boot; a stop during the wait for a restart keeps the result of the crash (measured, 252).
  if (state === "stopped") return true;
  return state === "failed" && switchedOff(shown);
}

/**
 * Whether systemd has given up starting. It says start-limit-hit only when a person's start hit the limit; after its own
 * restarts the result of the last end stays (measured, 252). Then a failed unit whose policy asks for another start is one
 * that was refused it.
 */
function latched(shown: Shown): boolean {
  const result = shown["Result"] ?? "";
  if (result === "start-limit-hit") return true;
  const exited = shown["ExecMainCode"] === "1" ? shown["ExecMainStatus"] : undefined;
  if (exited !== undefined && shown["RestartPreventExitStatus"]?.split(" ").includes(exited) === true)
    return false;
  switch (shown["Restart"]) {
    case "always":
      return true;
    case "on-failure":
      return result !== "success";
    case "on-abnormal":
      return ["signal", "core-dump", "timeout", "watchdog"].includes(result);
    case "on-abort":
      return ["signal", "core-dump"].includes(result);
    case "on-watchdog":
      return result === "watchdog";
    default:
      return false;
  }
}

/** Whether systemd could read the unit's file. */
export const loaded = (shown: Shown): boolean => shown["LoadState"] === "loaded";

/** Whether somebody decided that the unit shall not run. */
export const switchedOff = (shown: Shown): boolean =>
  shown["LoadState"] === "masked" ||
  ["disabled", "masked", "masked-runtime"].includes(shown["UnitFileState"] ?? "");

/** The exit status of the last main process; a process ended by signal N counts as 128 + N, as shells have it. */
function exitStatus(shown: Shown): number | undefined {
  const status = count(shown["ExecMainStatus"]);
  // The codes are waitid's: 1 exited, 2 killed, 3 dumped; 0 while it runs or never ran.
  switch (shown["ExecMainCode"]) {
    case "1":
      return status;
    case "2":
    case "3":
      return status === undefined ? undefined : 128 + status;
    default:
      return undefined;
  }
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function positive(text: string | undefined): number | undefined {
  const number = count(text);
  return number === 0 ? undefined : number;
}
