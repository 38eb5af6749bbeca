// Is somebody replacing the gateway's program just now? Signs of it, each since when: a restart in the middle of an
// installation comes back broken, and one that nobody finishes must not hold the guard for ever.
import type { InstallationReading } from "./readings.ts";
import { after, elapsed, type Instant, type Millis } from "./time.ts";

/** A package manager or `openclaw update` at work; files of another version than the one that runs. */
export const updateSigns = ["package_manager", "version_on_disk"] as const;
export type UpdateSign = (typeof updateSigns)[number];

/** What is known of one sign: unknown, known not to be there, or there since. */
export type Sign = { readonly seen: false } | { readonly seen: true; readonly since: Instant } | undefined;
export type Updating = Readonly<Record<UpdateSign, Sign>>;

export const noUpdateKnown: Updating = { package_manager: undefined, version_on_disk: undefined };

/** What remains when the life that ran has ended: nothing runs whose version could differ. */
export function withoutLife(before: Updating): Updating {
  return { ...before, version_on_disk: undefined };
}

/** Takes one look at the installation into account; `running` is the version that this incarnation told. */
export function noteUpdate(
  before: Updating,
  at: Instant,
  installation: InstallationReading | undefined,
  running: string | undefined,
): Updating {
  const onDisk = installation?.version;
  return {
    package_manager: next(before.package_manager, at, installation?.packageManagerAtWork),
    version_on_disk: next(
      before.version_on_disk,
      at,
      onDisk === undefined || running === undefined ? undefined : onDisk !== running,
    ),
  };
}

/** The signs that are respected now and until when; undefined when there is none, or each has lasted longer than `limit`. */
export function updateUnderWay(
  updating: Updating,
  now: Instant,
  limit: Millis,
): { readonly signs: readonly UpdateSign[]; readonly until: Instant } | undefined {
  const fresh = updateSigns.flatMap((sign) => {
    const of = updating[sign];
    return of?.seen === true && elapsed(of.since, now) < limit
      ? [{ sign, until: after(of.since, limit) }]
      : [];
  });
  const last = fresh.toSorted((a, b) => b.until - a.until)[0];
  return last === undefined ? undefined : { signs: fresh.map(({ sign }) => sign), until: last.until };
}

function next(before: Sign, at: Instant, seen: boolean | undefined): Sign {
  // What could not be looked at for a moment has not ended, nor does it begin anew: its time runs on.
  if (seen === undefined) return before?.seen === true ? before : undefined;
  if (!seen) return { seen: false };
  return before?.seen === true ? before : { seen: true, since: at };
}
