// A guard that appends until it is killed: says the number of each entry whose append has returned.
import { writeSync } from "node:fs";
import { instant } from "../../src/core/time.ts";
import { openJournal } from "../../src/record/journal.ts";
import { decided } from "./support.ts";

const [path = "", limitBytes] = process.argv.slice(2);
using journal = openJournal(path, { limitBytes: limitBytes === undefined ? undefined : Number(limitBytes) });
for (let n = 1; n <= 1_000_000; n++) {
  try {
    journal.append(decided("e1", instant(n)));
  } catch (error) {
    writeSync(1, `stopped ${error instanceof Error ? error.message : "?"}\nwritable ${journal.writable()}\n`);
    break;
  }
  // Synchronous, so that nothing said is lost in a buffer when the kill comes.
  writeSync(1, `${n}\n`);
}
