#!/usr/bin/env -S node --max-semi-space-size=1
// The command line: argv, environment, signals and the exit code; the only file that touches `process` for them.
import { existsSync, readFileSync } from "node:fs";
import { homedir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Command, CommanderError } from "commander";
import { addressOf, type Config, ConfigError, parseConfig, readConfig, stateDirFor } from "./config.ts";
import { commands } from "./operate/index.ts";
import { type ConfigSource, exitCodes, type Program } from "./operate/program.ts";
import { ComponentsMissing } from "./platform/components.ts";
import { now, sleep } from "./platform/clock.ts";
import { openJournalReadOnly } from "./record/journal.ts";
import { controlTokenFile, openSecrets, readControlToken } from "./secrets.ts";
import { realSeams } from "./world.ts";

// The HTTP client's parser is WebAssembly: optimising it takes some 9 MB and gains nothing at a request per second.
setFlagsFromString("--liftoff-only");

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    ending.abort(new Error(signal));
    // A second one ends at once, whatever is still being closed.
    process.once(signal, () => process.exit(exitCodes.failed));
  });
}

const runsFrom = import.meta.url;
const extension = runsFrom.endsWith(".ts") ? "ts" : "js";
const version = versionOf(JSON.parse(readFileSync(new URL("../package.json", runsFrom), "utf8")));

const program: Program = {
  version,
  env: process.env,
  pid: process.pid,
  self: [process.execPath, fileURLToPath(runsFrom)],
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  signal: ending.signal,
  onHangup: (then) => void process.on("SIGHUP", then),
  shipped: (name) => fileURLToPath(new URL(`../${name}`, runsFrom)),
  beside: (name) => [process.execPath, fileURLToPath(new URL(`${name}.${extension}`, runsFrom))],
  settings(source) {
    const config = configOf(source);
    const url = (listen: string) => {
      const { host, port } = addressOf(listen);
      return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
    };
    return {
      file: fileOf(source),
      controlUrl: url(config.control.listen),
      metricsUrl: url(config.metrics.listen),
      alertmanagerUrl: config.alertmanager.url,
      controlTokenFile: controlTokenFile(config),
      controlToken: () => readControlToken(config, process.env),
      stateDir: config.state_dir,
      mode: config.mode,
      gateways: config.gateways.map((each) => ({
        name: each.name,
        url: each.url,
        supervisor: each.supervisor.kind,
      })),
    };
  },
  async serve(source, logTo) {
    // Only a command that serves waits for the two web servers to be loaded.
    const { startApp } = await import("./app.ts");
    const logTarget =
      logTo === undefined ? process.stdout : { write: (line: string) => logTo(line.trimEnd()) };
    const load = () => {
      const config = configOf(source);
      return { config, secrets: openSecrets(config, process.env) };
    };
    const { config, secrets } = load();
    const app = await startApp(config, secrets, realSeams(process.env, logTarget), version);
    return { ...app, reload: () => app.reload(load) };
  },
  journal: (stateDir) => openJournalReadOnly(join(stateDir, "journal.db")),
  async detect(port) {
    const { detect } = await import("./detect.ts");
    return detect(port, "/proc", "/sys");
  },
  now,
  sleep,
};

const cli = new Command("openclaw-guard")
  .description("Watches an OpenClaw Gateway from outside and restarts it safely when that helps.")
  .version(version)
  .exitOverride()
  .showHelpAfterError("(see openclaw-guard --help)");
for (const add of commands) {
  add(cli, program, (code) => {
    process.exitCode = code;
  });
}
for (const command of cli.commands) command.exitOverride();

try {
  await cli.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Says what went wrong, where commander has not said it already. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (ending.signal.aborted) return exitCodes.failed;
  const message = error instanceof Error ? error.message : "failed";
  program.err(message);
  if (error instanceof ConfigError) return exitCodes.usage;
  if (
    !(error instanceof ComponentsMissing) &&
    process.env["OPENCLAW_GUARD_TRACE"] !== undefined &&
    error instanceof Error
  ) {
    program.err(error.stack ?? "");
  }
  return exitCodes.failed;
}

function configOf(source: ConfigSource): Config {
  const defaults = {
    stateDir: stateDirFor(process.env, { isRoot: process.getuid?.() === 0, home: homedir() }),
    memoryBytes: totalmem(),
  };
  if ("settings" in source) return parseConfig(source.settings, defaults);
  const file = fileOf(source);
  return file === undefined ? parseConfig({}, defaults) : readConfig(file, defaults);
}

/** The file that was named, or the first of the usual ones that exists. */
function fileOf(source: ConfigSource): string | undefined {
  if ("settings" in source) return undefined;
  if (source.file !== undefined) return source.file;
  const home = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  const usual = ["guard.yml", join(home, "openclaw-guard", "guard.yml"), "/etc/openclaw-guard/guard.yml"];
  return process.env["OPENCLAW_GUARD_CONFIG"] ?? usual.find((path) => existsSync(path));
}

function versionOf(manifest: unknown): string {
  const found =
    typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : undefined;
  return typeof found === "string" ? found : "unknown";
}
