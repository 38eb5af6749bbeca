// A real guard process that can be told to die by SIGKILL around one entry of its journal. Its argument is JSON; it says
// where it serves.
import { z } from "zod";
import { startApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import type { Entry } from "../../src/core/history.ts";
import { openJournal } from "../../src/record/journal.ts";
import { openSecrets } from "../../src/secrets.ts";
import { realSeams } from "../../src/world.ts";

const { settings, die } = z
  .strictObject({
    settings: z.unknown(),
    /** `what` is a kind of entry, or `kind:word` for a decision or a step. */
    die: z.strictObject({ when: z.enum(["before", "after"]), what: z.string() }).optional(),
  })
  .parse(JSON.parse(process.argv[2] ?? ""));

const config = parseConfig(settings);
const seams = realSeams(process.env, process.stderr);
const app = await startApp(
  config,
  openSecrets(config, process.env),
  {
    ...seams,
    openJournal(path) {
      const journal = openJournal(path);
      return {
        ...journal,
        append(entry) {
          if (die?.when === "before" && isIt(entry)) kill();
          journal.append(entry);
          if (die?.when === "after" && isIt(entry)) kill();
        },
      };
    },
  },
  "0.0.0-test",
);
process.stdout.write(`${JSON.stringify({ controlUrl: app.controlUrl, metricsUrl: app.metricsUrl })}\n`);

function isIt(entry: Entry): boolean {
  const word = entry.kind === "decided" ? entry.decision : "step" in entry ? entry.step : undefined;
  return die?.what === entry.kind || die?.what === `${entry.kind}:${word}`;
}

/** Nothing of ours runs after this: the kernel ends the process before the call returns. */
function kill(): never {
  process.kill(process.pid, "SIGKILL");
  for (;;);
}
