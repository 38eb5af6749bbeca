// What can a person type? The list of commands, one line each.
import type { Command } from "commander";
import { checkConfig } from "./check-config.ts";
import { demo } from "./demo.ts";
import { history } from "./history.ts";
import { pause } from "./pause.ts";
import type { Program } from "./program.ts";
import { schema } from "./schema.ts";
import { serve } from "./serve.ts";
import { status } from "./status.ts";
import { up } from "./up.ts";

/** Each adds its command to the command line. */
export const commands: readonly ((cli: Command, program: Program, exit: (code: number) => void) => void)[] = [
  serve,
  up,
  demo,
  checkConfig,
  schema,
  status,
  history,
  pause,
];
