// Which documents are there? Every page that a reader can come to, with its text.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root: string = join(import.meta.dirname, "../..");

/** The text of a file by its path from the root of the repository. */
export function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export const documents: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...globSync("docs/**/*.md", { cwd: root }).sort(),
];
