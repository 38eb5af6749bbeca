// Which settings of a systemd unit stand between it and a safe restart, and what is to be typed about each?
import { inSeconds, type Millis } from "../core/time.ts";
import type { Finding } from "./action.ts";
import { loaded, parseTimespan, type Shown, switchedOff } from "./unit.ts";

export type AboutUnit = {
  readonly unit: string;
  readonly user: boolean;
  /** The time in which the gateway finishes its work when asked to stop. */
  readonly drain: Millis;
};

/** One finding for each setting that would lose work or make a start impossible. */
export function findingsOf(shown: Shown, about: AboutUnit): readonly Finding[] {
  const { unit } = about;
  const systemctl = about.user ? "systemctl --user" : "sudo systemctl";
  if (shown["LoadState"] === "not-found")
    return [
      {
        reason: "unit_missing",
        problem: `${unit} does not exist`,
        fix: `name the gateway's unit in the configuration (\`${systemctl} list-units --type=service --all '*openclaw*'\`)`,
      },
    ];
  if (shown["LoadState"] === "masked")
    return [{ reason: "unit_disabled", problem: `${unit} is masked`, fix: `${systemctl} unmask ${unit}` }];
  if (!loaded(shown))
    return [
      {
        reason: "unit_missing",
        problem: `${unit} cannot be loaded (${shown["LoadState"] ?? "no answer"})`,
        fix: `${systemctl} status ${unit}`,
      },
    ];
  const findings: Finding[] = [];
  if (switchedOff(shown))
    findings.push({
      reason: "unit_disabled",
      problem: `${unit} is ${shown["UnitFileState"]}: it would not come back after a reboot, and counts as stopped on purpose`,
      fix: `${systemctl} enable ${unit}`,
    });
  const stop = parseTimespan(shown["TimeoutStopUSec"]);
  if (stop === undefined || stop < about.drain)
    findings.push({
      reason: "stop_timeout_short",
      problem: `${unit} is killed ${shown["TimeoutStopUSec"] ?? "an unknown time"} after it is asked to stop, the gateway may need ${inSeconds(about.drain)} s to finish its work`,
      fix: dropIn(about, "stop", `TimeoutStopSec=${Math.ceil(inSeconds(about.drain))}`),
    });
  if (shown["KillMode"] === "control-group")
    findings.push({
      reason: "kill_mode",
      problem: `${unit} has KillMode=control-group: a stop ends the gateway's helpers at once, while it still needs them to finish its work`,
      fix: dropIn(about, "kill", "KillMode=mixed"),
    });
  return findings;
}

/** The commands that write one setting beside the unit, whatever generated the unit itself. */
function dropIn(about: AboutUnit, name: string, setting: string): string {
  const folder = about.user
    ? `~/.config/systemd/user/${about.unit}.d`
    : `/etc/systemd/system/${about.unit}.d`;
  const sudo = about.user ? "" : "sudo ";
  const file = `${folder}/openclaw-guard-${name}.conf`;
  return [
    `${sudo}mkdir -p ${folder}`,
    `printf '[Service]\\n${setting}\\n' | ${sudo}tee ${file}`,
    `${sudo}systemctl ${about.user ? "--user " : ""}daemon-reload`,
  ].join(" && ");
}
