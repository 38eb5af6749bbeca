// How much memory can this gateway really have? The smallest limit that applies, never clamped upwards, with its source.

export const limitSources = ["cgroup", "configured", "host"] as const;
export type LimitSource = (typeof limitSources)[number];
export type Limit = { readonly bytes: number; readonly source: LimitSource };

/** The smallest of the known limits; `hostBytes` is what the tree holds now plus what the host can still give. */
export function chooseLimit(
  known: Readonly<Partial<Record<LimitSource, number | undefined>>>,
): Limit | undefined {
  let smallest: Limit | undefined;
  for (const source of limitSources) {
    const bytes = known[source];
    if (bytes !== undefined && bytes > 0 && (smallest === undefined || bytes < smallest.bytes)) {
      smallest = { bytes, source };
    }
  }
  return smallest;
}
