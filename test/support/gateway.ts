// Which gateway do the tests watch? The stand-in program on free ports, alone or under the small supervisor.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import type { Readable, Writable } from "node:stream";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { FaultName } from "../../src/stand-in/faults.ts";
import { type Life, lives, readLife, signal } from "../../src/stand-in/running.ts";
import { placesIn, type SupervisedInput } from "../../src/stand-in/supervised.ts";

export const standInProgram = fileURLToPath(new URL("../../src/stand-in/gateway.ts", import.meta.url));
export const supervisorProgram = fileURLToPath(new URL("../../src/stand-in/supervisor.ts", import.meta.url));

/** What a test may want to be different about its stand-in. */
export type StandInOptions = {
  readonly startupMs?: number;
  readonly openBeforeMs?: number;
  readonly drainMs?: number;
  readonly version?: string;
  readonly token?: string;
  /** 0 (the default) takes a free one. */
  readonly port?: number;
  /** The process whose end ends the stand-in; by default the test's own. */
  readonly ownerPid?: number;
  /** Programs that start it, each given the rest of the line as its arguments. */
  readonly through?: readonly string[];
  /** Return as soon as the port is open instead of when it is started. */
  readonly openOnly?: boolean;
};

/** How a stand-in can be reached and made ill. */
export type Patient = {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly stateDir: string;
  /** Resolves when the stand-in has accepted the fault, just before it falls ill; rejects when it refuses. */
  ill(fault: FaultName, params?: Readonly<Record<string, unknown>>): Promise<void>;
};

/** One life of the stand-in, a child of the test. */
export type StandIn = AsyncDisposable &
  Patient & {
    readonly pid: number;
    /** Its input and output, for what it was started through. */
    readonly io: { readonly input: Writable; readonly output: Readable };
    readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  };

/** The argv arrays that an own-command supervisor is configured with. */
export type SupervisorCommands = Readonly<Record<"start" | "restart" | "stop" | "status", readonly string[]>>;

/** A program under the supervisor: its pid changes, its port does not. */
export type Supervised = AsyncDisposable & {
  readonly dir: string;
  readonly pidFile: string;
  readonly commands: SupervisorCommands;
  /** The life that is running now. */
  life(): Life | undefined;
};

/** Starts a stand-in that answers `started`; disposing kills exactly this process and removes its folder. */
export async function startStandIn(options: StandInOptions = {}): Promise<StandIn> {
  const dir = mkdtempSync(join(tmpdir(), "stand-in-"));
  const { argv, env, stateDir, token } = commandOf(dir, options);
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  child.stdout.resume();
  const exited = once(child, "exit").then(() => ({ code: child.exitCode, signal: child.signalCode }));
  try {
    const { port } = await born(stateDir, child);
    const url = `http://127.0.0.1:${port}`;
    if (options.openOnly !== true) await until(`${url} is started`, () => isStarted(url));
    return {
      url,
      port,
      token,
      stateDir,
      pid: child.pid ?? 0,
      io: { input: child.stdin, output: child.stdout },
      exited,
      ill: (fault, params) => fallIll(stateDir, fault, params),
      [Symbol.asyncDispose]: () => end(child, exited, dir),
    };
  } catch (error) {
    await end(child, exited, dir);
    throw error;
  }
}

/** Starts a stand-in under the supervisor; disposing ends exactly what runs in its folder. */
export async function supervisedStandIn(
  options: StandInOptions & Pick<SupervisedInput, "stopTimeoutMs" | "descriptorLimit"> = {},
): Promise<Supervised & Patient> {
  const dir = mkdtempSync(join(tmpdir(), "supervised-"));
  const port = options.port ?? (await freePort());
  const { argv, env, stateDir, token } = commandOf(dir, { ...options, port });
  const url = `http://127.0.0.1:${port}`;
  const { stopTimeoutMs = 5000, descriptorLimit } = options;
  const supervised = supervise(dir, {
    argv: [...argv],
    env,
    stopTimeoutMs,
    ...(descriptorLimit === undefined ? {} : { descriptorLimit }),
  });
  try {
    await command(supervised.commands.start);
    if (options.openOnly !== true) await until(`${url} is started`, () => isStarted(url));
  } catch (error) {
    await supervised[Symbol.asyncDispose]();
    throw error;
  }
  return {
    ...supervised,
    url,
    port,
    token,
    stateDir,
    ill: (fault, params) => fallIll(stateDir, fault, params),
  };
}

/** Puts a program under the supervisor in `dir` without starting it; disposing ends it and removes `dir`. */
export function supervise(dir: string, supervised: SupervisedInput): Supervised {
  const places = placesIn(dir);
  writeFileSync(places.supervised, JSON.stringify(supervised), { mode: 0o600 });
  const verb = (name: string): readonly string[] => [process.execPath, supervisorProgram, name, "--dir", dir];
  const life = (): Life | undefined => {
    const kept = readLife(places.pid);
    return kept !== undefined && lives(kept) ? kept : undefined;
  };
  return {
    dir,
    pidFile: places.pid,
    commands: {
      start: verb("start"),
      restart: verb("restart"),
      stop: verb("stop"),
      status: verb("status"),
    },
    life,
    [Symbol.asyncDispose]: async () => {
      // Without its settings a restart that is still on its way cannot start anything any more.
      rmSync(places.supervised, { force: true });
      for (const path of [places.lock, places.pid]) {
        const kept = readLife(path);
        if (kept === undefined || !signal(kept, "SIGKILL")) continue;
        await until(`pid ${kept.pid} is gone`, () => !lives(kept));
      }
      await removed(dir);
    },
  };
}

/** Runs a command to its end. */
export async function command(
  argv: readonly string[],
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const texts = Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  await once(child, "exit");
  const [stdout, stderr] = await texts;
  return { code: child.exitCode, stdout, stderr };
}

/** Polls for a fact; rejects with the name of what never became true. A refused connection counts as "not yet". */
export async function until(
  what: string,
  fact: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether /startupz says `started`; silence, refusal and every other answer are a no. */
export async function isStarted(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/startupz`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago: for programs that cannot say which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("free port: no address");
  return address.port;
}

/** Resident memory in bytes of one process. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (found === null) throw new Error(`/proc/${pid}/status: no VmRSS`);
  return Number(found[1]) * 1024;
}

function commandOf(dir: string, options: StandInOptions) {
  const stateDir = join(dir, "state");
  mkdirSync(stateDir);
  const token = options.token ?? "stand-in-token";
  const argv = [...(options.through ?? []), process.execPath, standInProgram, "--state-dir", stateDir];
  argv.push("--port", `${options.port ?? 0}`, "--owner-pid", `${options.ownerPid ?? process.pid}`);
  if (options.startupMs !== undefined) argv.push("--startup-ms", `${options.startupMs}`);
  if (options.openBeforeMs !== undefined) argv.push("--open-before-ms", `${options.openBeforeMs}`);
  if (options.drainMs !== undefined) argv.push("--drain-ms", `${options.drainMs}`);
  if (options.version !== undefined) argv.push("--version", options.version);
  return { argv, env: { OPENCLAW_GATEWAY_TOKEN: token }, stateDir, token };
}

const publishedShape = z.object({
  pid: z.number(),
  startTicks: z.number(),
  port: z.number(),
  controlPort: z.number(),
});

/** What a living stand-in has written into stand-in.json; the file of one that was killed counts for nothing. */
function published(stateDir: string): z.infer<typeof publishedShape> | undefined {
  try {
    const read = publishedShape.parse(JSON.parse(readFileSync(join(stateDir, "stand-in.json"), "utf8")));
    return lives(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

async function born(stateDir: string, child: ChildProcess): Promise<z.infer<typeof publishedShape>> {
  const stderr = child.stderr === null ? Promise.resolve("") : textOf(child.stderr);
  let found = published(stateDir);
  await until("the stand-in listens", () => {
    found = published(stateDir);
    return found !== undefined || child.exitCode !== null || child.signalCode !== null;
  });
  if (found === undefined) throw new Error(`stand-in: exited ${child.exitCode}: ${await stderr}`);
  return found;
}

async function fallIll(stateDir: string, fault: FaultName, params: object = {}): Promise<void> {
  const reach = published(stateDir);
  if (reach === undefined) throw new Error(`${fault}: no stand-in runs in ${stateDir}`);
  const response = await fetch(`http://127.0.0.1:${reach.controlPort}/stand-in/ill`, {
    method: "POST",
    body: JSON.stringify({ ...params, fault }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${fault}: ${response.status} ${text}`);
}

async function end(child: ChildProcess, exited: Promise<unknown>, dir: string): Promise<void> {
  child.kill("SIGKILL"); // does nothing to one that has been waited for
  await exited;
  await removed(dir);
}

/** A process that was just killed may leave a file behind while its folder is being removed. */
async function removed(dir: string): Promise<void> {
  rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += String(chunk);
  return text;
}
