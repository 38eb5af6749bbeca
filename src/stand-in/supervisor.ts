// What does a restart through an own command look like? The smallest supervisor that deserves the name: it starts one
// program, knows its pid and start ticks, stops it with a deadline, and restarts it even if its caller dies meanwhile.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { monotonic } from "../platform/clock.ts";
import { type Life, lifeOf, lifeText, lives, lookAt, readLife, signal } from "./running.ts";
import { placesIn, readSupervised, type Supervised } from "./supervised.ts";

/** Exit codes, in the manner of init scripts: 3 is "not running". */
const exitCodes = { failed: 1, usage: 2, notRunning: 3 };
const lookMs = 20;
/** From SIGKILL to the end; longer only when a process hangs in the kernel. */
const killTimeoutMs = 10_000;

const usage = `supervisor: start | restart | stop | status  --dir DIR

  DIR/supervised.json holds argv, env (the whole environment), cwd, stopTimeoutMs, descriptorLimit.
  restart --no-wait returns as soon as the restart is on its way.
`;

const { dir, verb, noWait } = readCommand();
const places = placesIn(dir);

try {
  process.exitCode = await obey();
} catch (error) {
  process.stderr.write(`supervisor: ${verb}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = exitCodes.failed;
}

async function obey(): Promise<number> {
  switch (verb) {
    case "status":
      return status();
    case "start":
      return alone(readSupervised(dir), start);
    case "stop":
      return alone(readSupervised(dir), async (supervised) => {
        writeFileSync(places.stopped, "");
        return stop(supervised);
      });
    case "restart":
      return restart();
    case "restart-here":
      return alone(readSupervised(dir), async (supervised) => {
        await stop(supervised);
        // Read again: a folder that is being taken down has no supervised.json any more, and nothing must start in it.
        return start(readSupervised(dir));
      });
    default:
      process.stderr.write(usage);
      return exitCodes.usage;
  }
}

function status(): number {
  const life = readLife(places.pid);
  const seen = life !== undefined && lives(life) ? lookAt(life.pid) : undefined;
  const changer = readLife(places.lock);
  const said = {
    running: seen !== undefined,
    ...(seen === undefined ? {} : { pid: life?.pid, startTicks: seen.startTicks, state: seen.state }),
    changing: changer !== undefined && lives(changer),
    stoppedOnPurpose: seen === undefined && existsSync(places.stopped),
  };
  process.stdout.write(`${JSON.stringify(said)}\n`);
  return said.running ? 0 : exitCodes.notRunning;
}

async function start(supervised: Supervised): Promise<number> {
  const current = readLife(places.pid);
  if (current !== undefined && lives(current)) return say(`already running: pid ${current.pid}`);
  const log = openSync(places.log, "a", 0o600);
  const [program = "", ...args] = withDescriptorLimit(supervised);
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: supervised.env,
    ...(supervised.cwd === undefined ? {} : { cwd: supervised.cwd }),
  });
  await once(child, "spawn");
  const life = child.pid === undefined ? undefined : lifeOf(child.pid);
  if (life === undefined) throw new Error(`${program}: ended at once`);
  writeFileSync(`${places.pid}.new`, lifeText(life), { mode: 0o600 });
  renameSync(`${places.pid}.new`, places.pid);
  rmSync(places.stopped, { force: true });
  child.unref();
  return say(`started: pid ${life.pid}`);
}

/** Node raises its own soft limit to the hard one, so both are lowered; `exec` keeps the pid. */
function withDescriptorLimit({ argv, descriptorLimit }: Supervised): readonly string[] {
  if (descriptorLimit === undefined) return argv;
  return ["/bin/sh", "-c", 'ulimit -n "$1" && shift && exec "$@"', "sh", `${descriptorLimit}`, ...argv];
}

async function stop({ stopTimeoutMs }: Supervised): Promise<number> {
  const life = readLife(places.pid);
  if (life === undefined || !signal(life, "SIGTERM")) return say("not running");
  // A stopped process would keep the SIGTERM for later: waking it gives it the chance to end in order.
  if (/^[Tt]$/.test(lookAt(life.pid)?.state ?? "")) signal(life, "SIGCONT");
  if (await gone(life, stopTimeoutMs)) return say(`stopped: pid ${life.pid}`);
  signal(life, "SIGKILL");
  if (await gone(life, killTimeoutMs)) return say(`killed after ${stopTimeoutMs} ms: pid ${life.pid}`);
  throw new Error(`pid ${life.pid}: still there ${killTimeoutMs} ms after SIGKILL`);
}

/** The work is done by a process in a session of its own: whoever ends this one does not end the restart. */
async function restart(): Promise<number> {
  readSupervised(dir); // so that a mistake in it is told to the caller
  const log = openSync(places.supervisorLog, "a", 0o600);
  const self = process.argv[1] ?? "";
  const worker = spawn(process.execPath, [...process.execArgv, self, "restart-here", "--dir", dir], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  await once(worker, "spawn");
  if (noWait) {
    worker.unref();
    return say("restart: on its way");
  }
  await once(worker, "exit");
  if (worker.exitCode === 0) return say(`restarted: pid ${readLife(places.pid)?.pid ?? "unknown"}`);
  throw new Error(`failed, see ${places.supervisorLog}`);
}

/** Runs `act` while no other supervisor works in this folder; a lock whose owner has ended counts for nothing. */
async function alone(
  supervised: Supervised,
  act: (supervised: Supervised) => Promise<number>,
): Promise<number> {
  process.on("SIGHUP", () => undefined); // the terminal of the caller may close
  const me = lifeOf(process.pid);
  if (me === undefined) throw new Error(`cannot read /proc/${process.pid}/stat`);
  const begin = monotonic();
  while (!take(me)) {
    if (monotonic() - begin > supervised.stopTimeoutMs + killTimeoutMs)
      throw new Error(`another supervisor is at work in ${dir}`);
    await pause();
  }
  try {
    return await act(supervised);
  } finally {
    rmSync(places.lock, { force: true });
  }
}

function take(me: Life): boolean {
  const mine = `${places.lock}.${me.pid}`;
  writeFileSync(mine, lifeText(me), { mode: 0o600 });
  try {
    linkSync(mine, places.lock); // unlike an exclusive create, it never shows a lock that is still empty
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(mine, { force: true });
  }
  const owner = readLife(places.lock);
  if (owner !== undefined && !lives(owner)) rmSync(places.lock, { force: true });
  return false;
}

async function gone(life: Life, withinMs: number): Promise<boolean> {
  const begin = monotonic();
  while (lives(life)) {
    if (monotonic() - begin > withinMs) return false;
    await pause();
  }
  return true;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookMs));
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function readCommand(): { readonly dir: string; readonly verb: string; readonly noWait: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { dir: { type: "string" }, "no-wait": { type: "boolean" }, help: { type: "boolean" } },
    });
    if (values.help === true) {
      process.stdout.write(usage);
      process.exit(0);
    }
    if (values.dir !== undefined && positionals.length === 1)
      return { dir: values.dir, verb: positionals[0] ?? "", noWait: values["no-wait"] === true };
    throw new Error("one verb and --dir are required");
  } catch (error) {
    process.stderr.write(`supervisor: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exit(exitCodes.usage);
  }
}
