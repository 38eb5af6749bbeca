// Is somebody at work on the gateway's installation? A package manager, or the gateway's own `openclaw update`, as its
// command line or its title tells it; its folder and its open files say what it works on.
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { isDenied, isGone, listPids, readText, unlessLost } from "./proc.ts";

/** A process that changes packages. */
export type Worker = { readonly pid: number; readonly command: string };

/** What a command line means: which packages, and whether all of a host or only those of a folder. */
export type Work = { readonly namesGateway: boolean; readonly everywhere: boolean; readonly command: string };

/** Programs by the name of their script; npm, pnpm and `openclaw` hide their arguments behind a title of the same shape. */
const installers: ReadonlySet<string> = new Set(["npm", "npm-cli", "pnpm", "yarn", "bun"]);
/** Verbs, with their aliases, that change what is installed; `run` and `exec` run what is there. */
const changes: ReadonlySet<string> = new Set(
  `install i in ins inst add ci clean-install ic install-test it update up upgrade uninstall remove rm r un unlink
   link ln dedupe ddp prune rebuild rb`.split(/\s+/),
);
const updates: ReadonlySet<string> = new Set(["update", "up", "upgrade"]);
/** Flags whose value is the next word and must not pass for the verb. */
const valued: ReadonlySet<string> = new Set([
  "--prefix",
  "--cwd",
  "--dir",
  "-C",
  "--filter",
  "-F",
  "-w",
  "--cache",
]);
const everywhereFlags: ReadonlySet<string> = new Set(["-g", "--global", "--location=global"]);
const gatewayPackage = /(?:^|[/:])openclaw(?:@.*|-\d.*\.tgz)?$/;
const scanBatch = 16;
const longestCommand = 80;

/** Reads a command line as /proc has it; undefined for a program that changes no packages. */
export function workOf(cmdline: string): Work | undefined {
  const argv = cmdline.replace(/[\0 ]+$/, "").split("\0");
  // A title takes the place of all arguments.
  const words = argv.length === 1 ? (argv[0] ?? "").split(" ").filter((word) => word !== "") : argv;
  const { program, rest: args } = programOf(words);
  const command = [program, ...args].join(" ").slice(0, longestCommand);
  if (program === "openclaw-update") return { namesGateway: true, everywhere: true, command };
  if (program === "openclaw")
    return args[0] === "update" ? { namesGateway: true, everywhere: true, command } : undefined;
  if (!installers.has(program)) return undefined;
  const { verb, rest } = verbOf(args, program === "yarn");
  if (verb === undefined || !changes.has(verb)) return undefined;
  const packages = rest.filter((word) => !word.startsWith("-"));
  const global = args.some((word) => everywhereFlags.has(word)) || args[0] === "global";
  return {
    namesGateway: packages.some((word) => gatewayPackage.test(word)),
    everywhere: global && updates.has(verb) && packages.length === 0,
    command,
  };
}

/** The program, or the script that an interpreter runs, by its bare name; and what follows it. */
function programOf(words: readonly string[]): { readonly program: string; readonly rest: readonly string[] } {
  const name = (at: number) => posix.basename(words[at] ?? "").replace(/\.[cm]?js$/, "");
  const isNode = name(0) === "node" || name(0) === "nodejs";
  const script = isNode ? words.findIndex((word, at) => at > 0 && !word.startsWith("-")) : 0;
  return { program: script < 0 ? "" : name(script), rest: words.slice(script + 1) };
}

function verbOf(words: readonly string[], isYarn: boolean) {
  let skip = false;
  const at = words.findIndex((word) => {
    const isValue = skip;
    skip = valued.has(word);
    return !isValue && !word.startsWith("-") && word !== "global";
  });
  // Yarn without a verb installs.
  if (at < 0) return { verb: isYarn ? "install" : undefined, rest: [] };
  return { verb: words[at], rest: words.slice(at + 1) };
}

/**
 * Looks for a process that works on the installation in `folder`; without a folder, for one that names the gateway's
 * package. `root` leads to the file system as the gateway sees it: another installation at the same place in a container
 * is another one.
 */
export async function workerOn(
  procRoot: string,
  installation: { readonly folder: string; readonly root: string } | undefined,
  signal: AbortSignal,
): Promise<Worker | undefined> {
  for (const [index, pid] of listPids(procRoot).entries()) {
    if (index % scanBatch === scanBatch - 1) {
      await turn();
      signal.throwIfAborted();
    }
    const cmdline = textOf(join(procRoot, `${pid}`, "cmdline"));
    const work = cmdline === undefined ? undefined : workOf(cmdline);
    if (work === undefined) continue;
    const concerned = work.namesGateway || work.everywhere;
    if (installation === undefined ? concerned : works(procRoot, pid, installation, concerned))
      return { pid, command: work.command };
  }
  return undefined;
}

function works(
  procRoot: string,
  pid: number,
  { folder, root }: { readonly folder: string; readonly root: string },
  concerned: boolean,
): boolean {
  const of = (...path: readonly string[]) => join(procRoot, `${pid}`, ...path);
  // node_modules rather than the package: that is what stays while the package is replaced.
  const modules = posix.dirname(folder);
  const [ours, theirs] = [identityOf(join(root, modules)), identityOf(of("root", modules))];
  if (ours !== undefined && theirs !== undefined && ours !== theirs) return false;
  if (concerned) return true;
  const project = posix.basename(modules) === "node_modules" ? posix.dirname(modules) : folder;
  const isInside = (path: string) =>
    path === project || within(path, folder) || (modules !== project && within(path, modules));
  const cwd = unlessLost(() => readlinkSync(of("cwd")));
  if (cwd !== undefined && isInside(cwd)) return true;
  const open = unlessLost(() => readdirSync(of("fd"))) ?? [];
  return open.some((fd) => {
    const path = unlessLost(() => readlinkSync(of("fd", fd)));
    return path !== undefined && within(path, modules);
  });
}

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** Device and inode; undefined when it is not there or may not be looked at. */
function identityOf(path: string): string | undefined {
  const stat = unlessLost(() => statSync(path));
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}

/** Processes come and go while they are listed, and some may not be looked at. */
function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (isGone(error) || isDenied(error)) return undefined;
    throw error;
  }
}
