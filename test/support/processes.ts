// Which process below ours is the one that a test needs to enter?
import { readdir, readFile } from "node:fs/promises";

/** The pid of the first process at or below `pid` that `matches` its folder in /proc; undefined when there is none. */
export async function findBelow(
  pid: number,
  matches: (folder: string) => Promise<boolean>,
): Promise<number | undefined> {
  try {
    const folder = `/proc/${pid}`;
    if (await matches(folder)) return pid;
    for (const task of await readdir(`${folder}/task`))
      for (const child of (await readFile(`${folder}/task/${task}/children`, "utf8")).split(" ")) {
        const found = child === "" ? undefined : await findBelow(Number(child), matches);
        if (found !== undefined) return found;
      }
  } catch {
    // It ended while it was being looked at.
  }
  return undefined;
}
