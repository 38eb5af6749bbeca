// Which sockets does a process hold? From the links of /proc/<pid>/fd.
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isGone, wholeNumber } from "./proc.ts";

/** A socket and the descriptor through which it is held. */
export type Held = { readonly fd: string; readonly inode: number };

/** The first descriptor through which a process holds one of these sockets; throws when its descriptors may not be listed. */
export function heldBy(procRoot: string, pid: number, inodes: ReadonlySet<number>): Held | "none" {
  for (const fd of readdirSync(join(procRoot, `${pid}`, "fd"))) {
    const inode = linkOf(procRoot, pid, fd);
    if (inode !== undefined && inodes.has(inode)) return { fd, inode };
  }
  return "none";
}

/** The inodes of all sockets that a process holds; throws when its descriptors may not be listed. */
export function socketsOf(procRoot: string, pid: number): ReadonlySet<number> {
  const inodes = new Set<number>();
  for (const fd of readdirSync(join(procRoot, `${pid}`, "fd"))) {
    const inode = linkOf(procRoot, pid, fd);
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

/** The inode of the socket behind a descriptor; `undefined` when it is no socket or was closed. */
export function linkOf(procRoot: string, pid: number, fd: string): number | undefined {
  try {
    return wholeNumber(/^socket:\[(\d+)\]$/.exec(readlinkSync(join(procRoot, `${pid}`, "fd", fd)))?.[1]);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
