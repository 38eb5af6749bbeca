// Who listens on a port, and how many connections wait there? From the LISTEN rows of /proc/<pid>/net/tcp and tcp6.
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isGone } from "./proc.ts";

/** TCP_LISTEN, from the kernel's tcp_states.h. */
const listenState = "0A";
const chunkBytes = 16 * 1024;
/** Seven thousand listening sockets; beyond that the rest of the table is not looked at. */
const tableLimitBytes = 1024 * 1024;

/** One listening socket. */
export type Listener = {
  readonly inode: number;
  /** Connections that the kernel has accepted and the program has not: for a LISTEN row, rx_queue counts these. */
  readonly queued: number;
  /** Local address as the kernel writes it: hexadecimal, in the byte order of the machine. */
  readonly address: string;
};

/**
 * The listeners of `port` in one network namespace, IPv4 and IPv6; throws when neither table can be read. When
 * `enough` holds for the IPv4 listeners, the other table is not read: with few IPv6 sockets the kernel walks its whole
 * hash table for it (measured: 4 ms on a host of 24 GB, where IPv4 takes 0.05 ms).
 */
export function readListeners(
  netFolder: string,
  port: number,
  enough: (v4: readonly Listener[]) => boolean = () => false,
): readonly Listener[] {
  const v4 = readTable(join(netFolder, "tcp"));
  const listeners = parseListeners(v4 ?? "", port);
  if (enough(listeners)) return listeners;
  const v6 = readTable(join(netFolder, "tcp6"));
  if (v4 === undefined && v6 === undefined) {
    const missing = Object.assign(new Error(`read listeners: ${netFolder} has no tcp table`), {
      code: "ENOENT",
    });
    throw missing;
  }
  return [...listeners, ...parseListeners(v6 ?? "", port)];
}

/** The LISTEN rows of `port`; rows that cannot be read are left out. */
export function parseListeners(table: string, port: number): readonly Listener[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listeners: Listener[] = [];
  for (const row of table.split("\n")) {
    if (!row.includes(suffix)) continue;
    const [, local, , state, queues, , , , , inodeText] = row.trim().split(/\s+/);
    if (state !== listenState || local?.endsWith(suffix) !== true) continue;
    const inode = Number(inodeText);
    const queued = Number.parseInt(queues?.split(":")[1] ?? "", 16);
    if (!Number.isSafeInteger(inode) || inode <= 0 || !Number.isSafeInteger(queued)) continue;
    listeners.push({ inode, queued, address: local.slice(0, -suffix.length) });
  }
  return listeners;
}

/** Whether a connection to `host` can end at this listener; any listener will do for a host that is not an IP address. */
export function serves(listener: Listener, host: string): boolean {
  if (/^0+$/.test(listener.address)) return true;
  const isLoopback = listener.address === "0100007F" || /^0{24}01000000$/.test(listener.address);
  if (host === "localhost" || host === "::1" || host === "[::1]") return isLoopback;
  const parts = host.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255))
    return true;
  const reversed = parts
    .toReversed()
    .map((part) => part.toString(16).toUpperCase().padStart(2, "0"))
    .join("");
  // The long form is the IPv4 address mapped into IPv6.
  return listener.address === reversed || listener.address === `0000000000000000FFFF0000${reversed}`;
}

/**
 * The head of a table: the kernel lists listening sockets first, and walking the rest costs milliseconds on a host
 * with many connections.
 */
function readTable(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    // A kernel without IPv6 has no tcp6.
    if (isGone(error)) return undefined;
    throw error;
  }
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let text = "";
    while (text.length < tableLimitBytes) {
      const got = readSync(file, chunk, 0, chunk.length, null);
      if (got === 0) break;
      text += chunk.toString("latin1", 0, got);
      if (endsBeyondListeners(text)) break;
    }
    return text;
  } finally {
    closeSync(file);
  }
}

function endsBeyondListeners(text: string): boolean {
  const end = text.lastIndexOf("\n");
  const row = text.slice(text.lastIndexOf("\n", end - 1) + 1, end).trim();
  const [first, , , state] = row.split(/\s+/);
  return first !== "sl" && state !== undefined && state !== listenState;
}
