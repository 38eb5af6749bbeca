// How are the distribution's packages unpacked by a user who may install nothing? With apt's own checks and private folders.
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Millis, minutes } from "../core/time.ts";
import { ExecError, run } from "./exec.ts";

export type Unpacking = {
  /** An empty folder; the tree appears below its `root`. */
  readonly into: string;
  /** The codename of the release, which picks the entries of apt's sources that are asked. */
  readonly suite: string;
  readonly tools: { readonly aptGet: string; readonly dpkgDeb: string; readonly env: string };
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

// A slow line of 1 Mbit/s carries the 40 MB in about 5 min.
const downloadDeadline: Millis = minutes(10);
const localDeadline: Millis = minutes(2);

/** Unpacks Prometheus and Alertmanager with their tools below `into`/root; rejects with the reason of apt or dpkg. */
export async function unpackPackages(u: Unpacking): Promise<void> {
  // Later releases ship promtool as a package of its own; earlier ones do not know the name.
  const root = await unpackNamed(u, ["prometheus", "prometheus-alertmanager"], ["promtool"]);
  await findTemplatesAnywhere(root);
}

/**
 * Unpacks packages by name below `into`/root, which it returns, without those they depend on; the optional ones may be
 * unknown to the release. Rejects with the reason of apt or dpkg.
 */
export async function unpackNamed(
  u: Unpacking,
  packages: readonly string[],
  optional: readonly string[] = [],
): Promise<string> {
  const [lists, archives, parts, root] = ["lists", "archives", "sources", "root"].map((name) =>
    join(u.into, name),
  ) as [string, string, string, string];
  for (const folder of [join(lists, "partial"), join(archives, "partial"), parts, root])
    await mkdir(folder, { recursive: true });
  const apt = async (deadline: Millis, ...args: readonly string[]) =>
    await run([u.tools.env, `--chdir=${archives}`, u.tools.aptGet, ...args], { deadline, signal: u.signal });

  const oneList = await copySources(u, parts, (...args) => apt(localDeadline, ...args));
  // Hooks of the machine (caches of a software centre, image cleaners) are neither ours to run nor allowed to a plain user.
  const hooks = join(u.into, "no-hooks.conf");
  await writeFile(
    hooks,
    ["APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success"]
      .map((name) => `#clear ${name};\n`)
      .join(""),
  );
  const settings = {
    "Dir::Etc::sourcelist": oneList,
    "Dir::Etc::sourceparts": parts,
    "Dir::State::lists": lists,
    "Dir::State::status": "/dev/null",
    "Dir::Cache::archives": archives,
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    // As root apt would hand the download to another user, who cannot see a cache folder below /root.
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  };
  const options = [
    "-q",
    "-c",
    hooks,
    ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
  ];

  u.say(`fetching the package lists of ${u.suite} (about 9 MB)`);
  await apt(downloadDeadline, ...options, "update");
  u.say(`downloading ${packages.join(" and ")}`);
  await apt(downloadDeadline, ...options, "download", ...packages);
  for (const name of optional)
    await apt(downloadDeadline, ...options, "download", name).catch((error: unknown) => {
      if (!(error instanceof ExecError)) throw error;
    });
  u.say("unpacking");
  for (const file of await readdir(archives))
    if (file.endsWith(".deb"))
      await run([u.tools.dpkgDeb, "-x", join(archives, file), root], {
        deadline: localDeadline,
        signal: u.signal,
      });
  return root;
}

/**
 * Copies those of apt's source files that name the release, with their keys, and leaves third parties out: their being
 * down must not matter here. Returns the path to use as the single list, which is empty when it names nothing of use.
 */
async function copySources(
  u: Unpacking,
  parts: string,
  apt: (...args: readonly string[]) => Promise<{ readonly stdout: string }>,
): Promise<string> {
  // Without --no-release-info only lists that were fetched before are named, and a small image has none.
  const { stdout } = await apt("indextargets", "--no-release-info", "--format", "$(RELEASE) $(SOURCESENTRY)");
  const ours = new Set<string>();
  const all = new Set<string>();
  for (const line of stdout.split("\n")) {
    const [suite, entry] = line.trim().split(/ (.*)/);
    const file = entry?.replace(/:\d+$/, "");
    if (suite === undefined || file === undefined || file === "") continue;
    all.add(file);
    if (suite === u.suite) ours.add(file);
  }
  // A machine that follows "stable" or "testing" names no codename: then all of its sources are asked.
  for (const file of ours.size > 0 ? ours : all)
    await copyFile(file, join(parts, file.endsWith("sources.list") ? "main.list" : basename(file)));
  const none = join(u.into, "none.list");
  await writeFile(none, "");
  return none;
}

const builtInFolder = "/usr/share/prometheus/alertmanager";
const templateFd = 9;

/**
 * Makes the unpacked Alertmanager start without its templates in /usr/share. Debian compiles that path in and offers no
 * option for it, so a copy of the program gets a path of the same length instead, which leads through a descriptor that a
 * two-line starter opens. Measured with 0.25.0: without this it exits 1, however it is configured.
 */
async function findTemplatesAnywhere(root: string): Promise<void> {
  const program = join(root, "usr/bin/prometheus-alertmanager");
  const real = `${program}.unpacked`;
  const image = await readFile(program);
  const instead = `/proc/self/fd/${templateFd}`.padEnd(builtInFolder.length, "/");
  let replaced = 0;
  for (let at = image.indexOf(builtInFolder); at >= 0; at = image.indexOf(builtInFolder, at + 1)) {
    image.write(instead, at, "latin1");
    replaced++;
  }
  // A version that carries its templates inside needs nothing.
  if (replaced === 0) return;
  await rename(program, real);
  await writeFile(real, image);
  const starter = `#!/bin/sh
# Alertmanager looks for its templates below descriptor ${templateFd}; see /proc/self/fd.
exec ${templateFd}<"\${0%/*}/../share/prometheus/alertmanager" && exec "\${0%/*}/prometheus-alertmanager.unpacked" "$@"
`;
  await writeFile(program, starter, { mode: 0o755 });
}
