// From which installation does the gateway run, which version is on the disk now, and does anybody work on it? The process
// title hides the arguments, so the way there leads over its workers' arguments and its loaded libraries.
import { existsSync, readlinkSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { z } from "zod";
import { type ProcessIdentity, nameOf } from "../core/identity.ts";
import type { InstallationReading } from "../core/readings.ts";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, seconds } from "../core/time.ts";
import { workerOn } from "./package-manager.ts";
import { readText, unlessLost } from "./proc.ts";

export type InstallationOptions = {
  /** `/proc`, or a recorded tree of the same shape. */
  readonly procRoot: string;
  /** The process that serves now and its living descendants; undefined when it is gone. */
  readonly serving: () => Serving | undefined;
  /** Folder of the package, where the operator names it. */
  readonly path?: string | undefined;
  readonly every?: Millis;
};

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_installation_info",
    type: "gauge",
    help: "Version of the gateway's package that is on the disk, `missing` while it is being replaced; always 1.",
    labels: ["version"],
  },
];

/** What stands for the version of a package that was there and is not now. */
export const missingVersion = "missing";
const manifest = z.object({ name: z.string(), version: z.string().min(1).max(64) });
const packageName = /(?:^|\/)openclaw$/;
const defaultEvery = seconds(60);
/** Some hundred processes are listed within milliseconds; a host that swaps takes longer. */
const deadline = seconds(5);

type Serving = { readonly incarnation: ProcessIdentity; readonly pids: readonly number[] };
type Installation = { readonly folder: string; readonly root: string };

/** Reads /proc and the package's manifest only; remembers the installation of a gateway that is gone. */
export function installationCollector(options: InstallationOptions): Collector<InstallationReading> {
  const { procRoot, serving } = options;
  let known: (Installation & { readonly life: string }) | undefined;

  function installation(): Installation | undefined {
    const one = serving();
    if (one === undefined || known?.life === nameOf(one.incarnation)) return known;
    const found = locate(procRoot, one, options.path);
    if (found !== undefined) known = { ...found, life: nameOf(one.incarnation) };
    return known;
  }

  return {
    name: "installation",
    every: options.every ?? defaultEvery,
    deadline,
    metrics,
    async read(signal) {
      const found = installation();
      const worker = await workerOn(procRoot, found, signal);
      return {
        path: found?.folder,
        version: found === undefined ? undefined : versionIn(found),
        packageManagerAtWork: worker !== undefined,
        worker,
      };
    },
    samples: ({ version }) =>
      version === undefined
        ? []
        : [{ name: "openclaw_gateway_installation_info", labels: { version }, value: 1 }],
  };
}

/** Finds the package that the process runs from, most certain first; undefined when nothing shows it. */
export function locate(
  procRoot: string,
  { incarnation: { pid }, pids }: Serving,
  configured?: string,
): Installation | undefined {
  const of = (...path: readonly string[]) => join(procRoot, `${pid}`, ...path);
  // As the process sees it; where its root may not be looked at, or was not recorded, as we see it.
  const root = existsSync(of("root")) ? of("root") : "/";
  const candidates = function* (): Generator<string> {
    if (configured !== undefined) yield configured;
    yield* foldersIn(argumentsOf(of("cmdline")));
    for (const child of pids) yield* foldersIn(argumentsOf(join(procRoot, `${child}`, "cmdline")));
    yield* foldersIn(unlessLost(() => librariesIn(readText(of("maps")))) ?? []);
    const exe = unlessLost(() => readlinkSync(of("exe")));
    if (exe !== undefined) yield posix.join(posix.dirname(posix.dirname(exe)), "lib/node_modules/openclaw");
    const cwd = unlessLost(() => readlinkSync(of("cwd")));
    if (cwd !== undefined) yield* [posix.join(cwd, "node_modules/openclaw"), cwd];
  };
  const tried = new Set<string>();
  for (const folder of candidates()) {
    if (tried.has(folder)) continue;
    tried.add(folder);
    const name = manifestIn(join(root, folder))?.name;
    if (name !== undefined && (folder === configured || packageName.test(name))) return { folder, root };
  }
  return undefined;
}

/** The folders of packages that these files may belong to. */
export function foldersIn(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => {
    if (!posix.isAbsolute(file)) return [];
    // pnpm keeps each version in a folder of its own for ever and changes a link beside it.
    const store = /^(.*?)(?:\/node_modules)?\/\.pnpm\/[^/]*openclaw/.exec(file)?.[1];
    if (store !== undefined) return [`${store}/node_modules/openclaw`];
    const modules = /^(.*?\/node_modules)\/(?:openclaw|@openclaw)\//.exec(file)?.[1];
    if (modules !== undefined) return [`${modules}/openclaw`];
    // A checkout of the sources has any name.
    const checkout = /^(.+?)\/(?:dist\/.+|openclaw\.mjs)$/.exec(file)?.[1];
    return checkout === undefined ? [] : [checkout];
  });
}

function argumentsOf(path: string): readonly string[] {
  return (unlessLost(() => readText(path)) ?? "").split("\0");
}

/** The files that are mapped into memory: a native library of the package is among them. */
function librariesIn(maps: string): readonly string[] {
  return [...new Set(maps.split("\n").flatMap((line) => /\s(\/.*openclaw.*\.node)$/.exec(line)?.[1] ?? []))];
}

function versionIn({ folder, root }: Installation): string | undefined {
  const path = join(root, folder);
  const found = manifestIn(path);
  if (found !== undefined) return found.version;
  // A file that is cut short is being written.
  return isLookable(root) ? missingVersion : undefined;
}

/** Once the process has ended its root is gone too, and nothing can be said of what lay below it. */
function isLookable(root: string): boolean {
  return unlessLost(() => statSync(root)) !== undefined;
}

function manifestIn(folder: string): z.infer<typeof manifest> | undefined {
  try {
    return manifest.safeParse(JSON.parse(readText(join(folder, "package.json")))).data;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && "code" in error)) return undefined;
    throw error;
  }
}
