// Which exporters does everybody compare with? node_exporter and process-exporter: those on PATH, or the distribution's
// packages unpacked into the cache without being installed.
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { findProgram, foldersOf } from "../src/platform/program.ts";
import { unpackNamed } from "../src/platform/unpack.ts";

export type Peers = { readonly node: string; readonly process: string };

const names = { node: "prometheus-node-exporter", process: "prometheus-process-exporter" } as const;

/** Finds both, unpacking them first when needed; `undefined` where there is no apt to fetch them with. */
export async function findPeers(
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): Promise<Peers | undefined> {
  const path = foldersOf(env["PATH"]);
  const cache = env["XDG_CACHE_HOME"];
  const parent = join(
    cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), ".cache"),
    "openclaw-guard",
    "peers",
  );
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "unknown";
  const folder = join(parent, suite);
  const present = (await findIn(path)) ?? (await findIn([join(folder, "usr/bin")]));
  if (present !== undefined) return present;

  const [aptGet, dpkgDeb, chdir] = await Promise.all(
    ["apt-get", "dpkg-deb", "env"].map((name) => findProgram(path, [name])),
  );
  if (aptGet === undefined || dpkgDeb === undefined || chdir === undefined) return undefined;
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const half = await mkdtemp(join(parent, `${suite}.partial-`));
  try {
    const tools = { aptGet, dpkgDeb, env: chdir };
    const signal = new AbortController().signal;
    const root = await unpackNamed({ into: half, suite, tools, say, signal }, Object.values(names));
    await rm(folder, { recursive: true, force: true });
    await rename(root, folder);
  } finally {
    await rm(half, { recursive: true, force: true });
  }
  return findIn([join(folder, "usr/bin")]);
}

async function findIn(folders: readonly string[]): Promise<Peers | undefined> {
  const [node, process] = await Promise.all([
    findProgram(folders, [names.node, "node_exporter"]),
    findProgram(folders, [names.process, "process-exporter"]),
  ]);
  return node === undefined || process === undefined ? undefined : { node, process };
}
