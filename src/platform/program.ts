// Which file will run when this program is named?
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The absolute folders of a PATH, in order; relative ones are dropped, since what they name depends on where we stand. */
export const foldersOf = (path: string | undefined): readonly string[] =>
  (path ?? "").split(delimiter).filter((folder) => isAbsolute(folder));

/** The first executable file with one of these names in these folders. */
export async function findProgram(
  folders: readonly string[],
  names: readonly string[],
): Promise<string | undefined> {
  for (const folder of folders)
    for (const name of names) {
      const file = join(folder, name);
      if (await isProgram(file)) return file;
    }
  return undefined;
}

/** Whether `file` is a regular file that this user may execute. */
export async function isProgram(file: string): Promise<boolean> {
  try {
    if (!(await stat(file)).isFile()) return false;
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
