// What has happened, and was anything changed afterwards? Read from the journal itself, so it works while the guard is down.
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { nameOf } from "../core/identity.ts";
import { type Summary, summarise } from "../core/summary.ts";
import { days, instant } from "../core/time.ts";
import { exitCodes, type Program } from "./program.ts";

type Options = { config?: string; gateway?: string; since?: string; json?: boolean; verify?: boolean };

/** `openclaw-guard history`: exit 0, or 1 when `--verify` finds a changed or missing entry. */
export function history(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("history")
    .description("the episodes: alerts, decisions, restarts, verdicts, and how long each phase took")
    .option("-c, --config <file>", "configuration file of the guard")
    .option("-g, --gateway <name>", "only this gateway")
    .option("--since <days>", "only episodes of the last so many days")
    .option("--json", "one JSON object per episode")
    .option("--verify", "check the chain of entries for changes")
    .action((options: Options) => {
      const { stateDir } = program.settings({ file: options.config });
      const since = options.since === undefined ? undefined : Number(options.since);
      if (since !== undefined && !(since > 0)) {
        program.err("--since: give a number of days, such as 7");
        return exit(exitCodes.usage);
      }
      if (!hasJournal(stateDir)) {
        if (options.json !== true)
          program.out(`no journal in ${stateDir} yet: no guard has run with this configuration`);
        return exit(exitCodes.ok);
      }
      using journal = program.journal(stateDir);
      if (options.verify === true) {
        const result = journal.verify();
        const line = result.ok
          ? `${result.entries} entries, none changed`
          : `entry ${result.seq}: ${result.problem}`;
        program.out(options.json === true ? JSON.stringify(result) : line);
        return exit(result.ok ? exitCodes.ok : exitCodes.failed);
      }
      const episodes = summarise(
        journal.entries({
          ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
          ...(since === undefined ? {} : { since: instant(program.now() - days(since)) }),
        }),
      );
      if (options.json === true) for (const each of episodes) program.out(JSON.stringify(each));
      else if (episodes.length === 0) program.out("no episodes yet: nothing has asked for a restart");
      else for (const each of episodes) for (const line of describe(each)) program.out(line);
      exit(exitCodes.ok);
    });
}

/** Whether there is one; a folder that this user may not look into is left to the opening, which says so. */
function hasJournal(stateDir: string): boolean {
  try {
    return statSync(join(stateDir, "journal.db"), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** An episode in the few lines that a person reads. */
export function describe(each: Summary): readonly string[] {
  const at = new Date(each.openedAt).toISOString().replace("T", " ").slice(0, 19);
  const phases = Object.entries(each.phases).map(([phase, length]) => `${phase} ${length.toFixed(1)} s`);
  const would = each.wouldHave === undefined ? "" : `, would have decided: ${each.wouldHave}`;
  const decision = each.verdict ?? each.lastDecision ?? "undecided";
  return [
    `${at} UTC  ${each.gateway}  ${each.cause}  ${each.outcome}  (${each.episode})`,
    `  last word ${decision}${would}, attempts ${each.attempts}`,
    ...(each.before === undefined ? [] : [`  before    pid ${each.before.pid} (${nameOf(each.before)})`]),
    ...(each.after === undefined ? [] : [`  after     pid ${each.after.pid} (${nameOf(each.after)})`]),
    ...(each.downtimeSeconds === undefined ? [] : [`  downtime  ${each.downtimeSeconds.toFixed(1)} s`]),
    ...(phases.length === 0 ? [] : [`  phases    ${phases.join(", ")}`]),
  ];
}
