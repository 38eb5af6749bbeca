// Can the guard be shown at work where no OpenClaw is installed? A separate program that answers like a gateway from
// outside (probes, WebSocket, locks, name, signals, exit codes) and falls ill on command. It serves demo and tests.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { monotonic } from "../platform/clock.ts";
import { newborn } from "./condition.ts";
import { controlServer } from "./control.ts";
import { faults } from "./faults.ts";
import { takeLocks } from "./locks.ts";
import { measureLoop } from "./loop-delay.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { leaveWith } from "./owner.ts";
import { probes } from "./probes.ts";
import { rpc } from "./rpc.ts";
import { lifeOf } from "./running.ts";

/** The exit codes of a real gateway: port in use, and configuration error or a second gateway on the same state. */
const exitCodes = { portInUse: 1, configuration: 78 };
const drainLookMs = 50;

const options = readOptions();
// As a real gateway does: the arguments vanish from /proc/<pid>/cmdline, and with them the port.
process.title = "openclaw-gateway";
if (options.ownerPid !== undefined) leaveWith(options.ownerPid);
const locks = takeLocks(options);
if (locks === undefined) leave(exitCodes.configuration, "another OpenClaw process owns gateway-lifecycle");

const condition = newborn();
measureLoop((window) => {
  condition.loop = window;
});
const stateFile = join(options.stateDir, "stand-in.json");
rmSync(stateFile, { force: true }); // left by a life that was killed

const gateway = createServer(probes(condition, options.version));
const sockets = rpc(condition, options);
gateway.on("upgrade", sockets.upgrade);
gateway.on("error", (error) => leave(exitCodes.portInUse, `gateway port: ${error.message}`));
let port = options.port; // 0 until the kernel has chosen one, which then stays this gateway's
const { listenFd } = options;
const hear = (): Server =>
  listenFd === undefined ? gateway.listen(port, "127.0.0.1") : gateway.listen({ fd: listenFd });
const ears = {
  open: hear,
  close: (): void => {
    gateway.close();
    gateway.closeAllConnections();
    sockets.end();
  },
};
const control = controlServer(faults(condition, ears));
control.on("error", (error) => leave(exitCodes.portInUse, `control port: ${error.message}`));
control.listen(options.controlPort, "127.0.0.1", () => {
  setTimeout(hear, options.startupMs - options.openBeforeMs);
});
gateway.once("listening", () => {
  port = (gateway.address() as AddressInfo).port;
  locks.listening(port);
  publish(port, (control.address() as AddressInfo).port);
  setTimeout(started, options.openBeforeMs);
});
process.once("SIGTERM", () => void stop("SIGTERM"));
process.once("SIGINT", () => void stop("SIGINT"));

function started(): void {
  if (condition.phase !== "starting") return;
  condition.phase = "started";
  log("gateway ready");
}

/** Drains work in flight as long as the budget allows, then leaves with exit code 0. */
async function stop(name: string): Promise<void> {
  condition.phase = "draining";
  log(`admission closed: stop (${name})`);
  process.on("SIGTERM", () => undefined); // a second signal changes nothing, and must not kill
  const begin = monotonic();
  while (condition.runs > 0 && monotonic() - begin < options.drainMs)
    await new Promise((resolve) => setTimeout(resolve, drainLookMs));
  rmSync(stateFile, { force: true });
  locks?.release();
  log(`shutdown completed cleanly in ${Math.round(monotonic() - begin)}ms`);
  process.exit(0);
}

/** Writes where this life can be reached; renamed into place, so that a reader never sees half of it. */
function publish(gatewayPort: number, controlPort: number): void {
  const me = {
    pid: process.pid,
    startTicks: lifeOf(process.pid)?.startTicks,
    port: gatewayPort,
    controlPort,
  };
  writeFileSync(`${stateFile}.new`, `${JSON.stringify(me)}\n`, { mode: 0o600 });
  renameSync(`${stateFile}.new`, stateFile);
  log(`listening on 127.0.0.1:${gatewayPort}`);
}

function readOptions(): Options {
  if (process.argv.includes("--help")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseOptions(process.argv.slice(2), process.env);
  } catch (error) {
    return leave(exitCodes.configuration, error instanceof Error ? error.message : String(error));
  }
}

function leave(code: number, why: string): never {
  process.stderr.write(`stand-in gateway: ${why}\n`);
  process.exit(code);
}

function log(text: string): void {
  process.stdout.write(`${text}\n`);
}
