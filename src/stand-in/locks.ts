// Does a gateway already live on this state? Lock files in the place and shape of a real gateway's.
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { now } from "../platform/clock.ts";
import { type Life, lifeOf, lives } from "./running.ts";

/** Both lock files of this process. */
export type Locks = {
  /** Writes the port once it is known. */
  listening(port: number): void;
  release(): void;
};

type Given = { readonly stateDir: string; readonly configPath: string; readonly port: number };

/** A real gateway pads its locks with blanks up to this size. */
const lockBytes = 415;

/** Takes both locks; undefined when a living process holds one. A lock whose owner has ended is taken over. */
export function takeLocks(given: Given): Locks | undefined {
  const me = lifeOf(process.pid);
  if (me === undefined) throw new Error(`locks: cannot read /proc/${process.pid}/stat`);
  const folder = join(given.stateDir, "tmp", `openclaw-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const hash = createHash("sha256").update(given.configPath).digest("hex").slice(0, 8);
  const paths = [join(folder, `gateway.${hash}.lock`), join(folder, "gateway.state.lock")];
  if (paths.some((path) => heldByAnother(path, me))) return undefined;

  const ownerId = randomUUID();
  const createdAt = new Date(now()).toISOString();
  const write = (port: number): void => {
    const { stateDir, configPath } = given;
    const lock = { pid: me.pid, ownerId, createdAt, configPath, stateDir, port, startTime: me.startTicks };
    const text = `${JSON.stringify(lock, null, 1)}\n`.padEnd(lockBytes);
    for (const path of paths) writeFileSync(path, text, { mode: 0o600 });
  };
  write(given.port);
  return {
    listening: write,
    release: () => {
      for (const path of paths) rmSync(path, { force: true });
    },
  };
}

function heldByAnother(path: string, me: Life): boolean {
  const owner = ownerOf(path);
  return owner !== undefined && owner.pid !== me.pid && lives(owner);
}

function ownerOf(path: string): Life | undefined {
  try {
    const lock: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof lock !== "object" || lock === null || !("pid" in lock) || !("startTime" in lock))
      return undefined;
    return { pid: Number(lock.pid), startTicks: Number(lock.startTime) };
  } catch {
    return undefined; // missing, or cut short by a crash: nobody can prove to own it
  }
}
