// What must the detector find again after a restart of ours? One small text per gateway; losing the last one costs little.
import { openDatabase } from "./database.ts";
import { textIn } from "./row.ts";

/** A day of floors and the state of a detector take some ten kilobytes. */
const trendLimitChars = 256 * 1024;

export type Readings = {
  /** Replaces the kept state of a gateway's detector; throws when it is too long or cannot be written. */
  readonly saveTrend: (gateway: string, json: string) => void;
  /** The state kept last, as it was given. */
  readonly loadTrend: (gateway: string) => string | undefined;
};

/** Opens the same file as the journal on a connection of its own, whose commits do not wait for the disk. */
export function openReadings(path: string): Readings & Disposable {
  const db = openDatabase(path, { synchronous: "NORMAL" });
  const save = db.prepare(
    "INSERT INTO trends (gateway, json) VALUES (?, ?) ON CONFLICT (gateway) DO UPDATE SET json = excluded.json",
  );
  const load = db.prepare("SELECT json FROM trends WHERE gateway = ?");
  return {
    saveTrend(gateway, json) {
      if (json.length > trendLimitChars) {
        throw new RangeError(
          `save trend of ${gateway}: ${json.length} characters, more than ${trendLimitChars}`,
        );
      }
      save.run(gateway, json);
    },
    loadTrend(gateway) {
      const row = load.get(gateway);
      return row === undefined ? undefined : textIn(row, "json");
    },
    [Symbol.dispose]() {
      if (db.isOpen) db.close();
    },
  };
}
