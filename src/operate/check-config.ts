// Is the configuration right? Every problem at once, then the end.
import type { Command } from "commander";
import { exitCodes, type Program } from "./program.ts";

/** `openclaw-guard check-config`: exit 0 when it is valid, 2 with all problems when it is not. */
export function checkConfig(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("check-config")
    .description("check a configuration file and list every problem in it")
    .option("-c, --config <file>", "configuration file (default: see the README)")
    .option("--json", "one JSON object instead of text")
    .action(({ config, json }: { config?: string; json?: boolean }) => {
      try {
        const settings = program.settings({ file: config });
        if (json === true) program.out(JSON.stringify({ valid: true, ...settings }));
        else {
          program.out(`${settings.file ?? "the defaults"}: valid, mode ${settings.mode}`);
          for (const { name, url, supervisor } of settings.gateways) {
            program.out(`  gateway ${name} at ${url}, supervisor ${supervisor}`);
          }
        }
        exit(exitCodes.ok);
      } catch (error) {
        const problems =
          error instanceof Error && "problems" in error && Array.isArray(error.problems)
            ? error.problems.map(String)
            : undefined;
        if (problems === undefined) throw error;
        if (json === true) program.out(JSON.stringify({ valid: false, problems }));
        else for (const problem of problems) program.err(problem);
        exit(exitCodes.usage);
      }
    });
}
