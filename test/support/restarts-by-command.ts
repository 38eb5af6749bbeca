// A guard that does nothing but restart by the command in its argv; tests kill it in the middle of that.
import { run } from "../../src/platform/exec.ts";
import { commandAction } from "../../src/remedy/command.ts";

const argv = process.argv.slice(2);
await commandAction({ start: argv, restart: argv, run }).restart(new AbortController().signal);
