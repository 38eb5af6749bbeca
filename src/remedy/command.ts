// How is a gateway restarted that systemd does not know? By the operator's own programs (pm2, supervisord, a script):
// arrays from the configuration, started without a shell and left to finish even when the guard dies.
import type { SupervisorReading } from "../core/readings.ts";
import { type Millis, ms, seconds } from "../core/time.ts";
import { type Ending, watchDetached } from "../platform/detached.ts";
import { ExecError } from "../platform/exec.ts";
import { findProgram, foldersOf, isProgram } from "../platform/program.ts";
import type { Action, Finding, Run } from "./action.ts";

export type CommandSettings = {
  readonly start: readonly string[];
  /** Without it no graceful restart is possible, and the guard can only observe. */
  readonly restart?: readonly string[] | undefined;
  /** Exits 0 when the gateway runs and 3 when it does not, as LSB scripts and supervisorctl do. */
  readonly status?: readonly string[] | undefined;
  readonly run: Run;
  /** The environment of the commands; the guard's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where the output of start and restart is appended. */
  readonly logPath?: string | undefined;
  /** How long a restart is watched: the gateway's drain of 330 s and some for its start. */
  readonly restartDeadline?: Millis | undefined;
  /** A start that still runs after this long counts as accepted: it may have become the gateway. */
  readonly startDeadline?: Millis | undefined;
};

const statusDeadline = seconds(10);
const notRunning = 3;

/** The operator's commands as an {@link Action}. */
export function commandAction(settings: CommandSettings): Action {
  const restartDeadline = settings.restartDeadline ?? seconds(345);
  const startDeadline = settings.startDeadline ?? seconds(10);
  const env = settings.env === undefined ? undefined : withoutOurUnit(settings.env);
  const watch = async (argv: readonly string[], deadline: Millis, signal: AbortSignal) =>
    await watchDetached(argv, { deadline, signal, logPath: settings.logPath, env });

  return {
    name: "command",
    replaces: "process",

    async check(signal) {
      const findings: Finding[] = [];
      for (const verb of ["start", "restart", "status"] as const) {
        const finding = await whyNotRunnable(verb, settings[verb], settings.env);
        if (finding !== undefined) findings.push(finding);
      }
      if (findings.length > 0) return findings;
      const seen = await inspect(signal);
      if (!seen.reachable)
        findings.push({
          reason: "supervisor_unreachable",
          problem: seen.problem ?? "the status command gives no answer",
          fix: `run \`${settings.status?.join(" ")}\` as the guard's user; it must exit 0 when the gateway runs and 3 when it does not`,
        });
      return findings;
    },

    inspect,

    async restart(signal) {
      if (settings.restart === undefined) throw new Error("restart: no restart command is configured");
      judge("restart", settings.restart, await watch(settings.restart, restartDeadline, signal), {
        stillRunning: `has not ended after ${restartDeadline / 1000} s and is left to finish`,
        logPath: settings.logPath,
      });
    },

    async start(signal) {
      judge("start", settings.start, await watch(settings.start, startDeadline, signal), {
        stillRunning: undefined,
        logPath: settings.logPath,
      });
    },

    // A command has no start limit that the guard could know of.
    async clearFailure() {},
  };

  async function inspect(signal: AbortSignal): Promise<SupervisorReading> {
    if (settings.status === undefined) {
      const finding = await whyNotRunnable("start", settings.start, settings.env);
      return reading(finding?.problem, "unknown");
    }
    try {
      await settings.run(settings.status, { deadline: statusDeadline, signal });
      return reading(undefined, "running");
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      if (error.exitCode === notRunning) return reading(undefined, "stopped");
      return reading(`status: ${error.message}`, "unknown");
    }
  }
}

function reading(problem: string | undefined, state: SupervisorReading["state"]): SupervisorReading {
  return {
    reachable: problem === undefined,
    problem,
    state,
    // An exit code cannot say whether somebody wanted it so.
    stoppedOnPurpose: false,
    mainPid: undefined,
    restarts: undefined,
    exitStatus: undefined,
    latched: false,
    stopTimeout: undefined,
    killMode: undefined,
    restartDelay: ms(0),
  };
}

/** Throws unless the command ended well, or may still be running. */
function judge(
  verb: "start" | "restart",
  argv: readonly string[],
  ending: Ending,
  about: { readonly stillRunning: string | undefined; readonly logPath: string | undefined },
): void {
  const fail = (how: string, exitCode?: number): never => {
    const where = about.logPath === undefined ? "" : ` (output: ${about.logPath})`;
    throw new ExecError(`${verb}: ${argv[0]} ${how}${where}`, exitCode, "", undefined);
  };
  if (ending === "still_running") {
    if (about.stillRunning !== undefined) fail(about.stillRunning);
  } else if (ending.exitCode !== 0) {
    if (ending.exitCode === undefined) fail(`was ended by ${ending.signal}`);
    else fail(`exited ${ending.exitCode}`, ending.exitCode);
  }
}

async function whyNotRunnable(
  verb: "start" | "restart" | "status",
  argv: readonly string[] | undefined,
  env: Readonly<Record<string, string | undefined>> | undefined,
): Promise<Finding | undefined> {
  const program = argv?.[0];
  if (program === undefined) {
    if (verb === "status") return undefined;
    return {
      reason: "command_missing",
      problem: `${verb}: no command is configured`,
      fix: `set \`supervisor.${verb}\` to the array of program and arguments that does it`,
    };
  }
  const found = program.includes("/")
    ? await isProgram(program)
    : (await findProgram(foldersOf(env?.["PATH"]), [program])) !== undefined;
  if (found) return undefined;
  return {
    reason: "command_missing",
    problem: `${verb}: ${program} is not an executable file${program.includes("/") ? "" : " on PATH"}`,
    fix: `write the absolute path of the program in \`supervisor.${verb}\`, and make it executable for the guard's user`,
  };
}

// A gateway that finds these believes that systemd will start it again, and answers a restart signal by exiting.
const ofOurUnit = [
  "INVOCATION_ID",
  "JOURNAL_STREAM",
  "SYSTEMD_EXEC_PID",
  "NOTIFY_SOCKET",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "CREDENTIALS_DIRECTORY",
  "STATE_DIRECTORY",
];

const withoutOurUnit = (env: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !ofOurUnit.includes(name)));
