// May the guard restart this gateway for now? A person says no, and later yes again; both are recorded with who and why.
import type { Command } from "commander";
import { seconds } from "../core/time.ts";
import { ask } from "../platform/ask.ts";
import { exitCodes, type Program } from "./program.ts";

type Options = {
  config?: string;
  gateway: string;
  who: string;
  reason: string;
  hours?: string;
  json?: boolean;
};

const answerWithin = seconds(5);

/** `openclaw-guard pause` and `resume`: exit 0 when done, 1 when refused, 3 when no guard answers. */
export function pause(cli: Command, program: Program, exit: (code: number) => void): void {
  for (const verb of ["pause", "resume"] as const) {
    const command = cli
      .command(verb)
      .description(
        verb === "pause"
          ? "let no restart happen for some hours"
          : "end a pause, and arm the guard again after it gave up",
      )
      .requiredOption("-g, --gateway <name>", "the gateway")
      .requiredOption("--who <name>", "who you are")
      .requiredOption("--reason <text>", "why")
      .option("-c, --config <file>", "configuration file of the running guard")
      .option("--json", "the answer as JSON");
    if (verb === "pause") command.option("--hours <n>", "for how long", "1");
    command.action(async (options: Options) => {
      const settings = program.settings({ file: options.config });
      const { gateway, who, reason, hours } = options;
      if (hours !== undefined && !(Number(hours) > 0)) {
        program.err(`--hours: ${hours} is no length of time: give a number of hours, such as 2 or 0.5`);
        return exit(exitCodes.usage);
      }
      const token = settings.controlToken();
      if (token === undefined) {
        program.err(
          `${settings.controlTokenFile}: no control token can be read: run this as the guard's user, or start the guard first`,
        );
        return exit(exitCodes.failed);
      }
      const body = {
        gateway,
        who,
        why: reason,
        ...(hours === undefined ? {} : { forMs: Number(hours) * 3_600_000 }),
      };
      const answer = await ask(`${settings.controlUrl}/api/v1/${verb}`, {
        method: "POST",
        body,
        token,
        deadline: answerWithin,
        signal: program.signal,
      }).catch(() => undefined);
      if (answer === undefined) {
        program.err(`no guard answers at ${settings.controlUrl}: start it with openclaw-guard serve`);
        return exit(exitCodes.unreachable);
      }
      const done = answer.status === 200;
      if (options.json === true) program.out(answer.body.trim());
      else if (!done) program.err(problemIn(answer.body));
      else program.out(verb === "pause" ? `${gateway}: paused for ${hours ?? "1"} h` : `${gateway}: resumed`);
      exit(done ? exitCodes.ok : exitCodes.failed);
    });
  }
}

/** What the guard answered, as a sentence. */
function problemIn(body: string): string {
  try {
    const { error, fix }: { error?: unknown; fix?: unknown } = JSON.parse(body);
    if (typeof error === "string") return typeof fix === "string" ? `${error}: ${fix}` : error;
  } catch {
    // Not the guard's own words; shown as they are.
  }
  return body.trim();
}
