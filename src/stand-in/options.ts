// What was the stand-in told on its command line? Parsed once, with every value checked.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

/** The settings of one stand-in gateway. */
export type Options = {
  readonly port: number;
  readonly controlPort: number;
  readonly stateDir: string;
  readonly configPath: string;
  readonly token: string;
  readonly version: string;
  /** From the start of the process to `started`. */
  readonly startupMs: number;
  /** How long before `started` the port opens and /healthz answers 200: up to 3 s on a real gateway. */
  readonly openBeforeMs: number;
  /** How long work in flight may hold up a stop; 315 s on a real gateway. */
  readonly drainMs: number;
  readonly ownerPid: number | undefined;
  /** A listening socket that this process was started with, instead of one of its own on `port`. */
  readonly listenFd: number | undefined;
};

const longestLeadMs = 3000;

/** How to start it, for a person. */
export const usage = `stand-in gateway: answers like an OpenClaw gateway, and falls ill on command

  --state-dir DIR        locks and stand-in.json are kept here (required)
  --port N               probes and WebSocket on 127.0.0.1, 0 = any free one (default 0)
  --control-port N       POST /stand-in/ill, 0 = any free one (default 0)
  --token-file FILE      first line is the token (default: OPENCLAW_GATEWAY_TOKEN)
  --startup-ms N         time to started (default 0)
  --open-before-ms N     the port opens this long before started (default: a third, at most 3000)
  --drain-ms N           how long work may delay a stop (default 315000)
  --version V            version to claim (default 2026.9.6)
  --listen-fd N          probes and WebSocket on this inherited listening socket instead of --port
  --owner-pid PID        end when that process has ended
`;

/** Reads the command line; throws an Error that names the option and the rule it breaks. */
export function parseOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      "state-dir": { type: "string" },
      port: { type: "string" },
      "control-port": { type: "string" },
      "token-file": { type: "string" },
      "startup-ms": { type: "string" },
      "open-before-ms": { type: "string" },
      "drain-ms": { type: "string" },
      version: { type: "string" },
      "owner-pid": { type: "string" },
      "listen-fd": { type: "string" },
    },
  });
  const stateDir = values["state-dir"];
  if (stateDir === undefined) throw new Error("--state-dir: is required");
  const startupMs = whole("--startup-ms", values["startup-ms"], 3_600_000) ?? 0;
  const ownerPid = whole("--owner-pid", values["owner-pid"], 2 ** 22);
  if (ownerPid === 0) throw new Error("--owner-pid: must be the pid of a process");
  const openBeforeMs =
    whole("--open-before-ms", values["open-before-ms"], 3_600_000) ??
    Math.min(longestLeadMs, Math.floor(startupMs / 3));
  return {
    port: whole("--port", values.port, 65_535) ?? 0,
    controlPort: whole("--control-port", values["control-port"], 65_535) ?? 0,
    stateDir: resolve(stateDir),
    configPath: join(resolve(stateDir), "openclaw.json"),
    token: readToken(values["token-file"], env["OPENCLAW_GATEWAY_TOKEN"]),
    version: values.version ?? "2026.9.6",
    startupMs,
    openBeforeMs: Math.min(openBeforeMs, startupMs),
    drainMs: whole("--drain-ms", values["drain-ms"], 3_600_000) ?? 315_000,
    ownerPid,
    listenFd: whole("--listen-fd", values["listen-fd"], 1024),
  };
}

function whole(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new Error(`${option}: must be a whole number from 0 to ${most}, not "${text}"`);
  return value;
}

function readToken(file: string | undefined, fromEnv: string | undefined): string {
  const token = file === undefined ? fromEnv : readFileSync(file, "utf8").split("\n")[0]?.trim();
  if (token === undefined || token === "")
    throw new Error(
      file === undefined ? "token: set OPENCLAW_GATEWAY_TOKEN or --token-file" : "--token-file: is empty",
    );
  return token;
}
