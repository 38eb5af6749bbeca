// Is the gateway's configuration as it should be: readable, unchanged, backed up? From the outside of the file only.
import { opendir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Collector, MetricSpec, Sample } from "../core/sample.ts";
import { type Millis, ms, seconds } from "../core/time.ts";

/** A field that could not be found out is `undefined`. */
export type ConfigFileReading = {
  readonly present: boolean | undefined;
  /** Unknown for JSON5 that is no plain JSON: the gateway may well be able to read it. */
  readonly valid: boolean | undefined;
  /** Seconds since the Unix epoch. */
  readonly changedSeconds: number | undefined;
  readonly drifted: boolean | undefined;
  readonly backups: number | undefined;
  readonly backupSeconds: number | undefined;
};

const metrics: readonly MetricSpec[] = [
  gauge("present", "Whether the gateway's configuration file exists; without it the gateway does not start."),
  gauge(
    "valid",
    "Whether the gateway's configuration file is one JSON object; absent for JSON5 that is no plain JSON, which only the gateway can judge.",
  ),
  gauge(
    "changed_timestamp_seconds",
    "When the gateway's configuration file was last changed, in seconds since the Unix epoch.",
  ),
  gauge(
    "drifted",
    "Whether the configuration differs from the copy that is known to be good; absent without such a copy.",
  ),
  gauge("backups", "Number of backups at the configured path."),
  gauge(
    "backup_timestamp_seconds",
    "When the newest backup was written, in seconds since the Unix epoch; absent while there is none.",
  ),
];

/** Longer than this is no configuration: the largest that was seen has 200 kB. */
const sizeLimitBytes = 4 * 1024 * 1024;
const entriesLimit = 1000;

/** Reads the file at each reading; rejects when it is there but may not be read. Without a path nothing is known. */
export function configFileCollector(options: {
  readonly path: string | undefined;
  /** A copy that somebody knows to be good. */
  readonly goodPath?: string | undefined;
  /** A backup, or the folder that holds them. */
  readonly backupPath?: string | undefined;
  readonly every?: Millis;
}): Collector<ConfigFileReading> {
  const every = options.every ?? seconds(300);
  return {
    name: "config_file",
    every,
    deadline: ms(Math.min(every * 0.9, seconds(10))),
    metrics,
    async read(signal) {
      const [file, good, backup] = await Promise.all([
        options.path === undefined ? undefined : contentOf(options.path, signal),
        options.goodPath === undefined ? undefined : contentOf(options.goodPath, signal),
        options.backupPath === undefined ? undefined : backupsAt(options.backupPath, signal),
      ]);
      return {
        present: options.path === undefined ? undefined : file !== undefined,
        valid: file === undefined ? undefined : isValid(file.text),
        changedSeconds: file?.changedSeconds,
        drifted: file === undefined || good === undefined ? undefined : hasDrifted(file.text, good.text),
        backups: backup?.count,
        backupSeconds: backup?.newestSeconds,
      };
    },
    samples(reading) {
      const one = (name: string, value: number | boolean | undefined): readonly Sample[] =>
        value === undefined ? [] : [{ name: `openclaw_gateway_config_${name}`, value: Number(value) }];
      return [
        ...one("present", reading.present),
        ...one("valid", reading.valid),
        ...one("changed_timestamp_seconds", reading.changedSeconds),
        ...one("drifted", reading.drifted),
        ...one("backups", reading.backups),
        ...one("backup_timestamp_seconds", reading.backupSeconds),
      ];
    },
  };
}

/** The text of a configuration file, or `undefined` when there is none; rejects when it may not be read. */
export async function contentOf(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly changedSeconds: number } | undefined> {
  try {
    const found = await stat(path);
    // A pipe would never end.
    if (!found.isFile()) throw new Error(`read ${path}: is no file`);
    if (found.size > sizeLimitBytes) throw new Error(`read ${path}: is longer than ${sizeLimitBytes} bytes`);
    const text = await readFile(path, { encoding: "utf8", signal });
    return { text: text.replace(/^\uFEFF/, ""), changedSeconds: found.mtimeMs / 1000 };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** The value of plain JSON; `undefined` for any other text. */
export function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function isValid(text: string): boolean | undefined {
  const json = parsed(text);
  if (json !== undefined) return isObject(json.value);
  // What a crash or a full disk leaves behind is no JSON5 either.
  return /^[\s\0]*$/.test(text) ? false : undefined;
}

function hasDrifted(text: string, good: string): boolean {
  if (text === good) return false;
  const [ours, theirs] = [parsed(text), parsed(good)];
  if (ours === undefined || theirs === undefined) return true;
  return !isDeepStrictEqual(withoutStamp(ours.value), withoutStamp(theirs.value));
}

/** The gateway stamps `meta` at every write: version and time, which configure nothing. */
function withoutStamp(value: unknown): unknown {
  return isObject(value) ? { ...value, meta: undefined } : value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function backupsAt(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly newestSeconds: number | undefined }> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return { count: 1, newestSeconds: found.mtimeMs / 1000 };
    let count = 0;
    let newest: number | undefined;
    for await (const { name } of await opendir(path)) {
      signal.throwIfAborted();
      if (count >= entriesLimit) break;
      const each = await stat(join(path, name)).catch((error: unknown) => {
        if (isGone(error)) return undefined;
        throw error;
      });
      if (each === undefined) continue;
      count++;
      newest = Math.max(newest ?? 0, each.mtimeMs / 1000);
    }
    return { count, newestSeconds: newest };
  } catch (error) {
    if (isGone(error)) return { count: 0, newestSeconds: undefined };
    throw error;
  }
}

/** Whether a path led to nothing, which is an answer and no failure. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function gauge(name: string, help: string): MetricSpec {
  return { name: `openclaw_gateway_config_${name}`, type: "gauge", help };
}
