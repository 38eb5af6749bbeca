// Run the guard until it is told to end.
import type { Command } from "commander";
import { exitCodes, type Program } from "./program.ts";

/** `openclaw-guard serve`: exporter and remediator in one process; SIGHUP reads the configuration again; exit 0 when told to end, 1 when it cannot go on. */
export function serve(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("serve")
    .description("watch the configured gateways, serve metrics, receive alerts, restart when it is safe")
    .option("-c, --config <file>", "configuration file (default: see the README)")
    .action(async ({ config }: { config?: string }) => {
      // A request that comes while it is being started is answered once it runs.
      let asked = false;
      let reload = () => {
        asked = true;
      };
      program.onHangup(() => reload());
      await using guard = await program.serve({ file: config });
      reload = () => void guard.reload();
      if (asked) reload();
      const why = await Promise.race([ended(program.signal), guard.broken]);
      if (why !== undefined) program.err(`the guard cannot go on: ${why}`);
      exit(why === undefined ? exitCodes.ok : exitCodes.failed);
    });
}

/** Resolves when the signal is aborted. */
export function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
