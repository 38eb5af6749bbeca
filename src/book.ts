// Where do a gateway's episodes write? The journal, with its entries kept at hand, counted and timed as they are written.
import { fold, type Standing, step } from "./core/episode.ts";
import type { Entry } from "./core/history.ts";
import { phasesOf } from "./core/summary.ts";
import { type Own, phases } from "./expose/own.ts";
import type { Journal } from "./record/journal.ts";
import type { Book, World } from "./remedy/world.ts";
import type { Seams } from "./world.ts";

/** Evidence is large and decides nothing: it stays on the disk. */
const kept = [
  "opened",
  "decided",
  "intended",
  "stepped",
  "back",
  "verified",
  "ended",
  "replaced",
  "paused",
  "resumed",
] as const;

/** The journal as one gateway's episodes use it; where it stands is kept up with every entry, since each scrape asks for it. */
export function bookOf(
  gateway: string,
  { journal, own, seams }: { readonly journal: Journal; readonly own: Own; readonly seams: Seams },
  log: World["log"],
): Book & { readonly standing: () => Standing } {
  const entries: Entry[] = [...journal.entries({ gateway, kinds: kept })];
  let standing = fold(entries);
  return {
    append(entry) {
      try {
        journal.append(entry);
      } catch (error) {
        own.journalError();
        log("cannot_record", {
          kind: entry.kind,
          problem: error instanceof Error ? error.message : "failed",
        });
        throw error;
      }
      if (entry.kind !== "evidence") entries.push(entry);
      standing = step(standing, entry);
      own.entry(entry);
      if (entry.kind === "verified" && entry.verdict === "recovered") {
        const took = phasesOf(entries.filter((each) => "episode" in each && each.episode === entry.episode));
        for (const phase of phases) {
          const length = took[phase];
          if (length !== undefined) own.phase(phase, length);
        }
      }
    },
    entries: () => entries,
    standing: () => standing,
    openAlerts: () => journal.openAlerts(gateway),
    closeAlerts: (keys, why) => journal.closeAlerts(keys, seams.now(), why),
    writable: journal.writable,
  };
}
