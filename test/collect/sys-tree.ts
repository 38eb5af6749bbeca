// What does /sys look like to the collectors? A tree in a temporary folder, from files given or recorded.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type SysTree = Disposable & { readonly root: string };

/** A tree of these files. */
export function sysTree(files: Readonly<Record<string, string>>): SysTree {
  const root = mkdtempSync(join(tmpdir(), "guard-sys-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

/** A recorded tree: its files one after the other in one text, each below a line `== path`. */
export function recordedSysTree(name: string): SysTree {
  const text = readFileSync(new URL(`../fixtures/cgroup/${name}.txt`, import.meta.url), "utf8");
  const files = text.split(/^== /m).slice(1);
  if (files.length === 0) throw new Error(`${name}: no file is recorded in it`);
  return sysTree(
    Object.fromEntries(
      files.map((file) => {
        const end = file.indexOf("\n");
        return [file.slice(0, end), file.slice(end + 1)];
      }),
    ),
  );
}
