// Where are Prometheus and Alertmanager? On PATH, or in a cache folder, or unpacked into it from the distribution's packages.
// Nothing is installed and nothing is started, so any user of a Debian-like machine can have them.
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Millis, minutes, ms } from "../core/time.ts";
import { monotonic, sleep } from "./clock.ts";
import { findProgram, foldersOf } from "./program.ts";
import { unpackPackages } from "./unpack.ts";

/** Absolute paths of the four programs. */
export type Components = {
  readonly prometheus: string;
  readonly promtool: string;
  readonly alertmanager: string;
  readonly amtool: string;
};

export type ComponentSearch = {
  /** The environment of the caller: PATH, HOME and XDG_CACHE_HOME are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told one line per step that takes longer than a moment. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Where the name of the distribution's release is read. */
  readonly osRelease?: string;
};

/** The programs cannot be had on this machine without a person; the message says what to type. */
export class ComponentsMissing extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ComponentsMissing";
  }
}

// A first run downloads about 40 MB; a second process that waits for it must outlast a slow line.
const waitForOther: Millis = minutes(10);
const askAgain: Millis = ms(200);

/** Finds the four programs, unpacking them first when needed; rejects with {@link ComponentsMissing} when it cannot. */
export async function findComponents(search: ComponentSearch): Promise<Components> {
  const path = foldersOf(search.env["PATH"]);
  const onPath = await findIn(path);
  // A server and its checker are taken from the same place: a promtool of another version judges rules by other grammar.
  if (onPath.monitor !== undefined && onPath.router !== undefined)
    return { ...onPath.monitor, ...onPath.router };
  const unpacked = await fromCache(search, path);
  return { ...(onPath.monitor ?? unpacked.monitor), ...(onPath.router ?? unpacked.router) };
}

type Monitor = Pick<Components, "prometheus" | "promtool">;
type Router = Pick<Components, "alertmanager" | "amtool">;
type Found = { readonly monitor: Monitor | undefined; readonly router: Router | undefined };

async function findIn(folders: readonly string[]): Promise<Found> {
  const prometheus = await findProgram(folders, ["prometheus"]);
  const promtool = await findProgram(folders, ["promtool"]);
  // Debian renames the server, because the bare name is too general for /usr/bin.
  const alertmanager = await findProgram(folders, ["alertmanager", "prometheus-alertmanager"]);
  const amtool = await findProgram(folders, ["amtool"]);
  return {
    monitor: prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool },
    router: alertmanager === undefined || amtool === undefined ? undefined : { alertmanager, amtool },
  };
}

async function fromCache(search: ComponentSearch, path: readonly string[]): Promise<Whole> {
  const suite = await release(search.osRelease ?? "/etc/os-release");
  const parent = join(cacheFolder(search.env), "openclaw-guard", "components");
  const folder = join(parent, suite);
  const present = await complete(folder);
  if (present !== undefined) return present;

  const tools = {
    aptGet: await findProgram(path, ["apt-get"]),
    dpkgDeb: await findProgram(path, ["dpkg-deb"]),
    env: await findProgram(path, ["env"]),
  };
  if (tools.aptGet === undefined || tools.dpkgDeb === undefined || tools.env === undefined)
    throw new ComponentsMissing(
      `prometheus and alertmanager: not on PATH, and this machine has no apt-get to fetch them with\n${byHand}`,
    );

  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    using _turn = await waitForTurn(join(parent, `${suite}.lock`), search);
    const byAnother = await complete(folder);
    if (byAnother !== undefined) return byAnother;
    await removeRemains(parent, suite);
    // Unpacked beside its place and renamed: a process killed half-way leaves a folder that is never mistaken for a whole one.
    const half = await mkdtemp(join(parent, `${suite}.partial-`));
    try {
      await unpackPackages({
        into: half,
        suite,
        tools: { aptGet: tools.aptGet, dpkgDeb: tools.dpkgDeb, env: tools.env },
        say: search.say,
        signal: search.signal,
      });
      await rm(folder, { recursive: true, force: true });
      await rename(join(half, "root"), folder);
    } finally {
      await rm(half, { recursive: true, force: true });
    }
  } catch (error) {
    if (search.signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ComponentsMissing(
      `prometheus and alertmanager: could not be unpacked into ${folder}: ${why}\n${byHand}`,
      {
        cause: error,
      },
    );
  }
  const whole = await complete(folder);
  if (whole === undefined)
    throw new ComponentsMissing(
      `prometheus and alertmanager: the packages of ${suite} lack some of the four programs\n${byHand}`,
    );
  search.say(`Prometheus and Alertmanager are ready in ${folder}`);
  return whole;
}

type Whole = { readonly monitor: Monitor; readonly router: Router };

async function complete(folder: string): Promise<Whole | undefined> {
  const { monitor, router } = await findIn([join(folder, "usr/bin")]);
  return monitor === undefined || router === undefined ? undefined : { monitor, router };
}

/** Removes what processes that were killed while unpacking left; only called while holding the lock. */
async function removeRemains(parent: string, suite: string): Promise<void> {
  for (const name of await readdir(parent))
    if (name.startsWith(`${suite}.partial-`)) await rm(join(parent, name), { recursive: true, force: true });
}

/** The user's cache folder as the XDG base directory specification defines it: a relative value is ignored. */
function cacheFolder(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["XDG_CACHE_HOME"];
  if (named !== undefined && isAbsolute(named)) return named;
  const home = env["HOME"];
  return join(home !== undefined && isAbsolute(home) ? home : homedir(), ".cache");
}

async function release(osRelease: string): Promise<string> {
  const text = await readFile(osRelease, "utf8").catch(() => "");
  // Rolling releases carry no codename; their packages are then cached under the distribution's name.
  const codename =
    /^VERSION_CODENAME="?([a-z0-9.-]+)"?$/m.exec(text)?.[1] ?? /^ID="?([a-z0-9.-]+)"?$/m.exec(text)?.[1];
  return codename ?? "unknown";
}

/** Waits until no other process unpacks into the same place. The kernel frees the lock of a process that dies. */
async function waitForTurn(file: string, search: ComponentSearch): Promise<Disposable> {
  const begun = monotonic();
  let told = false;
  for (;;) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    if (!told) search.say("another process is unpacking Prometheus and Alertmanager; waiting for it");
    told = true;
    if (monotonic() - begun > waitForOther)
      throw new Error(`${file} is held by another process for more than 10 min`);
    await sleep(askAgain, search.signal);
  }
}

function tryLock(file: string): Disposable | undefined {
  const database = new DatabaseSync(file);
  try {
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    // 5 is SQLITE_BUSY: somebody else holds it. Anything else (no space, read-only) will not get better by waiting.
    if (error instanceof Error && "errcode" in error && error.errcode === 5) return undefined;
    throw error;
  }
}

const byHand = `Either install them and leave their services off:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus prometheus-alertmanager
  sudo systemctl disable --now prometheus prometheus-alertmanager
or download the Linux archives of Prometheus and Alertmanager from https://prometheus.io/download/, unpack them, and put both on PATH:
  export PATH="$HOME/prometheus:$HOME/alertmanager:$PATH"
Then run the same command again.`;
