// How is a gateway restarted that runs as a systemd unit? By systemctl's argv, for the user's manager or the system's.
// The job belongs to systemd once it is accepted (`--no-block`), so it completes even when the guard dies.
import { userInfo } from "node:os";
import { type Millis, seconds } from "../core/time.ts";
import { ExecError } from "../platform/exec.ts";
import { type Action, nothingKnown, type Run } from "./action.ts";
import { parseShow, properties, readingOf, type Shown } from "./unit.ts";
import { findingsOf } from "./unit-findings.ts";

export type SystemdSettings = {
  readonly unit: string;
  /** Whose manager runs the unit: the user's own (`systemctl --user`) or the system's. */
  readonly scope: "user" | "system";
  readonly run: Run;
  /** XDG_RUNTIME_DIR and DBUS_SESSION_BUS_ADDRESS are handed on: they say where the user's manager listens. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly systemctl?: string | undefined;
  /** The time in which the gateway finishes its work when asked to stop. */
  readonly drain?: Millis | undefined;
};

// The gateway logs 330 s as its own budget: 315 s of draining and the shutdown.
const gatewayDrain = seconds(330);
// D-Bus itself gives up after 25 s; a host that swaps answers late, and a later answer is of no use to a ladder.
const callDeadline = seconds(15);

/** The unit as an {@link Action}; throws `TypeError` for a name that is no service's. */
export function systemdAction(settings: SystemdSettings): Action {
  const unit = serviceName(settings.unit);
  const drain = settings.drain ?? gatewayDrain;
  const user = settings.scope === "user";
  const env = Object.entries(environment(settings.env, user)).map(([name, value]) => `${name}=${value}`);
  const systemctl = async (signal: AbortSignal, ...args: readonly string[]): Promise<string> => {
    const scope = user ? ["--user"] : ["--system"];
    const argv = [
      "/usr/bin/env",
      ...env,
      settings.systemctl ?? "/usr/bin/systemctl",
      ...scope,
      "--no-ask-password",
      ...args,
    ];
    return (await settings.run(argv, { deadline: callDeadline, signal })).stdout;
  };
  const show = async (signal: AbortSignal): Promise<Shown> => {
    const [ofUnit, ofManager] = await Promise.all([
      systemctl(signal, "show", `--property=${properties.join(",")}`, "--", unit),
      systemctl(signal, "show", "--property=SystemState"),
    ]);
    return parseShow(`${ofManager}\n${ofUnit}`);
  };

  return {
    name: "systemd",
    replaces: "process",

    async check(signal) {
      let shown: Shown;
      try {
        shown = await show(signal);
      } catch (error) {
        const problem = unreachable(error);
        return [{ reason: "supervisor_unreachable", problem, fix: howToReach(problem, user, settings.unit) }];
      }
      return findingsOf(shown, { unit, user, drain });
    },

    async inspect(signal) {
      try {
        return readingOf(await show(signal));
      } catch (error) {
        return { ...nothingKnown, problem: unreachable(error) };
      }
    },

    async restart(signal) {
      await systemctl(signal, "restart", "--no-block", "--", unit);
    },

    async start(signal) {
      await systemctl(signal, "start", "--no-block", "--", unit);
    },

    async clearFailure(signal) {
      await systemctl(signal, "reset-failed", "--", unit);
    },
  };
}

/** Why systemctl could not be asked, in one line. */
function unreachable(error: unknown): string {
  if (!(error instanceof ExecError)) throw error;
  return error.message;
}

function howToReach(problem: string, user: boolean, unit: string): string {
  if (/ENOENT|No such file/.test(problem) && !/bus/i.test(problem))
    return "systemctl is not on this host: name another supervisor in the configuration";
  if (!user) return `run \`systemctl show ${unit}\` as the guard's user and follow what it says`;
  const { uid, username } = userInfo();
  return [
    `the user's manager must run and be found: \`sudo loginctl enable-linger ${username}\` keeps it up without a login,`,
    `and XDG_RUNTIME_DIR=/run/user/${uid} (with DBUS_SESSION_BUS_ADDRESS unset or of the same user) says where it listens;`,
    "the guard must run as the user who owns the unit",
  ].join(" ");
}

/** The variables of systemctl: words that do not depend on the language, and where the user's manager listens. */
function environment(env: SystemdSettings["env"], user: boolean): Readonly<Record<string, string>> {
  const given = env?.["XDG_RUNTIME_DIR"];
  const bus = env?.["DBUS_SESSION_BUS_ADDRESS"];
  return {
    LC_ALL: "C",
    SYSTEMD_COLORS: "0",
    // A guard started by cron or over ssh lacks it; where logind puts it is fixed.
    ...(user && env !== undefined ? { XDG_RUNTIME_DIR: given ?? `/run/user/${userInfo().uid}` } : {}),
    ...(user && bus !== undefined ? { DBUS_SESSION_BUS_ADDRESS: bus } : {}),
  };
}

function serviceName(unit: string): string {
  // The characters of systemd.unit(5). A name that began with a hyphen would be read as an option.
  if (!/^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}$/.test(unit))
    throw new TypeError(`unit ${JSON.stringify(unit)}: not a name of a unit`);
  if (unit.endsWith(".service")) return unit;
  if (/\.(socket|device|mount|automount|swap|target|path|timer|slice|scope)$/.test(unit))
    throw new TypeError(`unit ${unit}: only a service can be restarted`);
  return `${unit}.service`;
}
