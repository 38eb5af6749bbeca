// Does all this hold for a real OpenClaw gateway? Installs the npm package in this folder, starts it on loopback under
// the small supervisor, with state, home, log and port of its own, and makes it ill through the preloaded injector.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { lookAt } from "../../src/stand-in/running.ts";
import {
  command,
  freePort,
  isStarted,
  residentBytes,
  type Supervised,
  supervise,
  until,
} from "../support/gateway.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const installed = join(folder, "node_modules");
/** Seen: 4 to 13 s; a busy machine gets more. */
const startTimeoutMs = 90_000;
const installTimeoutMs = 600_000;

/** The faults of inject.cjs. */
export type RealFault = "leak" | "block" | "crash" | "fds";

/** What a test may want to be different about its gateway. */
export type RealGatewayOptions = {
  readonly token?: string;
  readonly stopTimeoutMs?: number;
  readonly descriptorLimit?: number;
  /** Merged into the top level of openclaw.json, e.g. `models` or `agents`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Opens the HTTP way to start a run, which is off by default. */
  readonly chat?: boolean;
};

/** A real gateway, started and ready. */
export type RealGateway = Supervised & {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly stateDir: string;
  /** The gateway's own JSON log. */
  readonly logFile: string;
  readonly version: string;
  /** A file that holds the token, as the guard is given it. */
  readonly tokenFile: string;
  /** Resolves when the gateway has taken the fault. */
  ill(fault: RealFault, params?: Readonly<Record<string, number>>): Promise<void>;
};

/** Starts a real gateway and waits until it says `started`; disposing kills exactly its process and removes its folder. */
export async function realGateway(options: RealGatewayOptions = {}): Promise<RealGateway> {
  const version = await install();
  const dir = mkdtempSync(join(tmpdir(), "real-gateway-"));
  const port = await freePort();
  const token = options.token ?? "real-gateway-token";
  const configPath = join(dir, "openclaw.json");
  const logFile = join(dir, "gw.log");
  const faultFile = join(dir, "fault.json");
  const tokenFile = join(dir, "token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const auth = { mode: "token", token };
  const config = {
    ...options.config,
    gateway: {
      mode: "local",
      bind: "loopback",
      port,
      auth,
      ...(options.chat === true ? { http: { endpoints: { chatCompletions: { enabled: true } } } } : {}),
    },
    logging: { file: logFile },
  };
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o600 });

  const node = join(installed, "node", "bin", "node");
  const program = join(installed, "openclaw", "openclaw.mjs");
  // The whole environment: what a test runner inherited from a systemd unit would change how the gateway restarts.
  const env = {
    PATH: `${join(installed, ".bin")}:/usr/local/bin:/usr/bin:/bin`,
    HOME: dir,
    NO_COLOR: "1",
    OPENCLAW_STATE_DIR: dir,
    OPENCLAW_CONFIG_PATH: configPath,
    OPENCLAW_GATEWAY_TOKEN: token,
    NODE_OPTIONS: `--require ${JSON.stringify(join(folder, "inject.cjs"))}`,
    GUARD_TEST_FAULT_FILE: faultFile,
    GUARD_TEST_OWNER_PID: `${process.pid}`,
  };
  const supervised = supervise(dir, {
    argv: [node, program, "gateway", "run", "--port", `${port}`],
    env,
    stopTimeoutMs: options.stopTimeoutMs ?? 330_000,
    ...(options.descriptorLimit === undefined ? {} : { descriptorLimit: options.descriptorLimit }),
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    const start = await command(supervised.commands.start);
    if (start.code !== 0) throw new Error(`real gateway: ${start.stderr}`);
    await until("the real gateway is started", () => isStartedOrGone(url, supervised), startTimeoutMs);
    if (supervised.life() === undefined) throw new Error(`real gateway: ended: ${lastWords(dir)}`);
  } catch (error) {
    await supervised[Symbol.asyncDispose]();
    throw error;
  }
  const ill = async (fault: RealFault, params: Readonly<Record<string, number>> = {}): Promise<void> => {
    writeFileSync(`${faultFile}.new`, JSON.stringify({ ...params, fault }));
    renameSync(`${faultFile}.new`, faultFile);
    await until(`${fault} is taken`, () => !existsSync(faultFile));
  };
  return { ...supervised, url, port, token, stateDir: dir, logFile, version, tokenFile, ill };
}

/** Resident memory in bytes of a process and all of its descendants. */
export function treeResidentBytes(pid: number): number {
  let total = 0;
  for (const name of readdirSync("/proc")) {
    const one = Number(name);
    if (!Number.isInteger(one) || !descends(one, pid)) continue;
    try {
      total += residentBytes(one);
    } catch {
      // ended while it was read, or a zombie, which holds nothing
    }
  }
  return total;
}

function descends(pid: number, ancestor: number): boolean {
  for (let one = pid; one > 1; one = lookAt(one)?.parent ?? 0) if (one === ancestor) return true;
  return false;
}

async function isStartedOrGone(url: string, supervised: Supervised): Promise<boolean> {
  return supervised.life() === undefined || (await isStarted(url));
}

function lastWords(dir: string): string {
  return readFileSync(join(dir, "gateway.log"), "utf8").trim().split("\n").slice(-5).join(" | ");
}

/** Installs the pinned packages unless they are there; resolves to the version of openclaw. */
async function install(): Promise<string> {
  const wanted = pinned();
  if (installedVersion() === wanted) return wanted;
  process.stderr.write(`test:gateway: installing openclaw ${wanted} (about 830 MB) in test/real-gateway\n`);
  const npm = spawn("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", process.stderr, process.stderr],
    signal: AbortSignal.timeout(installTimeoutMs),
  });
  await once(npm, "exit");
  const found = installedVersion();
  if (npm.exitCode !== 0 || found !== wanted)
    throw new Error(`npm ci in test/real-gateway: exited ${npm.exitCode}, openclaw ${found ?? "is missing"}`);
  return wanted;
}

function pinned(): string {
  const shape = z.object({ dependencies: z.object({ openclaw: z.string() }) });
  return shape.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))).dependencies.openclaw;
}

function installedVersion(): string | undefined {
  if (!existsSync(join(installed, "node", "bin", "node"))) return undefined;
  try {
    const manifest = readFileSync(join(installed, "openclaw", "package.json"), "utf8");
    return z.object({ version: z.string() }).parse(JSON.parse(manifest)).version;
  } catch {
    return undefined; // not installed, or an install that was interrupted
  }
}
