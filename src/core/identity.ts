// Which life of the gateway is this? A pid alone is reused by the kernel; with boot id and start ticks it is not.
import type { Instant } from "./time.ts";

/** What tells one process from every other, also from a later one with the same pid. */
export type ProcessIdentity = {
  readonly bootId: string;
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks between boot and start. */
  readonly startTicks: number;
};

/** Stands for the boot id of a process that was seen without start ticks, where there is no /proc. */
export const unprovenBoot = "unproven";

/** Whether pid and start ticks prove which life this is; one that does not must never be signalled. */
export function isProven(one: ProcessIdentity): boolean {
  return one.bootId !== unprovenBoot;
}

/** One life of a gateway's serving process. */
export type Incarnation = ProcessIdentity & { readonly startedAt: Instant };

/** One word for an incarnation: equal words mean the same life. */
export function nameOf(one: ProcessIdentity): string {
  return `${one.bootId}:${one.pid}:${one.startTicks}`;
}

/** Whether both are the same life; two unknowns are not known to be the same. */
export function sameIncarnation(a: ProcessIdentity | undefined, b: ProcessIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && nameOf(a) === nameOf(b);
}
