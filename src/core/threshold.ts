// Which limits suit this host? From its capacity: what is plenty on a large one is nearly nothing on a small one.

const mb = 1e6;
const gib = 2 ** 30;

/** A host of at most this much memory is small; what firmware and kernel take of 4 GiB is left out of what it reports. */
const smallHostBytes = 4 * gib;

/** A person hears of it at this share of the memory limit: on a small host earlier, since each share is fewer bytes. */
const memoryWarning = { usual: 0.7, small: 0.6 } as const;

/** Available memory below which a host is in danger: this share of all, but within these bounds. */
const availableShare = 0.05;
/** Below 200 MB starting a gateway anew already competes with the page cache; field reports put the danger there. */
const leastAvailable = 200 * mb;
/** A large host does not need a twentieth of its memory for that. */
const mostAvailable = gib;
/** On a tiny host 200 MB would always be undershot: never more than this share of all. */
const mostOfAll = 0.25;

export type CapacityThresholds = {
  /** Share of the memory limit. The share at which a restart is due is not among these: see below. */
  readonly memoryRatioWarning: number;
  readonly availableBytes: { readonly warning: number; readonly critical: number };
};

/**
 * The thresholds that follow from a host's memory in bytes; those of a large host where it is unknown, but with the least
 * bounds. The share of memory at which a restart is due does not depend on the capacity: a healthy gateway may use 80 % of
 * its limit every day, on any host, and a lower one would restart it daily.
 */
export function thresholdsFor(totalBytes: number | undefined): CapacityThresholds {
  const isSmall = totalBytes !== undefined && totalBytes <= smallHostBytes;
  const share = (totalBytes ?? 0) * availableShare;
  const bounded = Math.min(Math.max(share, leastAvailable), mostAvailable);
  const critical = Math.floor(totalBytes === undefined ? bounded : Math.min(bounded, totalBytes * mostOfAll));
  return {
    memoryRatioWarning: isSmall ? memoryWarning.small : memoryWarning.usual,
    availableBytes: { warning: 2 * critical, critical },
  };
}
