// Which settings are there, for an editor? The JSON schema of the configuration file.
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { exitCodes, type Program } from "./program.ts";

/** `openclaw-guard schema`: exit 0 with every setting, its meaning and its default on standard output. */
export function schema(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("schema")
    .description("print the JSON schema of the configuration file, for editors")
    .action(() => {
      program.out(readFileSync(program.shipped("guard.schema.json"), "utf8").trimEnd());
      exit(exitCodes.ok);
    });
}
