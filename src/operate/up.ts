// How does somebody with a gateway and nothing else get the whole loop? The guard, Prometheus and Alertmanager with the
// shipped files, as one foreground process group that ends with Ctrl-C.
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { stringify } from "yaml";
import { type Detected, exitCodes, type Program, type Settings } from "./program.ts";
import { ended } from "./serve.ts";
import { components, isFree, startStack } from "./stack.ts";
import { storyteller } from "./story.ts";

type Options = {
  config?: string;
  port: string;
  tokenFile?: string;
  prometheusPort: string;
  alertmanagerPort?: string;
  metricsPort: string;
  controlPort: string;
  guardOnly?: boolean;
  json?: boolean;
};

/** Ports as everybody knows them, and our own next to each other. */
const usual = { prometheus: "9090", alertmanager: "9093", metrics: "9477", control: "9478" };

/** `openclaw-guard up`: exit 0 after Ctrl-C, 1 when a port is taken or a part has ended, 3 when there is no gateway to watch. */
export function up(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("up")
    .description("find the gateway on this host and run the whole loop for it, without Docker")
    .option("-c, --config <file>", "configuration file; without one it is made from what is found")
    .option("-p, --port <port>", "port of the gateway to look for", "18789")
    .option("--token-file <file>", "file with the gateway's token, so that work in flight is known")
    .option("--prometheus-port <port>", "port for Prometheus", usual.prometheus)
    .option(
      "--alertmanager-port <port>",
      `port for Alertmanager (default: as configured, or ${usual.alertmanager})`,
    )
    .option(
      "--metrics-port <port>",
      "port for the guard's metrics, where no configuration is given",
      usual.metrics,
    )
    .option(
      "--control-port <port>",
      "port for the guard's control, where no configuration is given",
      usual.control,
    )
    .option("--guard-only", "only the guard, beside a Prometheus and Alertmanager that run already")
    .option("--json", "log lines only, as JSON")
    .action(async (options: Options) => {
      const wrong = wrongPort(options);
      if (wrong !== undefined) {
        program.err(wrong);
        return exit(exitCodes.usage);
      }
      const file = options.config ?? (await madeConfig(options, program));
      if (file === undefined) {
        program.err(
          `no gateway serves port ${options.port} of this host: start it, or say where with --port or --config`,
        );
        return exit(exitCodes.unreachable);
      }
      exit(await runAll(file, options, program));
    });
}

function wrongPort(options: Options): string | undefined {
  const ports = {
    "--port": options.port,
    "--prometheus-port": options.prometheusPort,
    "--alertmanager-port": options.alertmanagerPort,
    "--metrics-port": options.metricsPort,
    "--control-port": options.controlPort,
  };
  for (const [option, text] of Object.entries(ports)) {
    const n = Number(text);
    if (text !== undefined && !(Number.isInteger(n) && n > 0 && n < 65_536))
      return `${option}: ${text} is no port: give a number from 1 to 65535`;
  }
  return undefined;
}

async function runAll(file: string, options: Options, program: Program): Promise<number> {
  const say = (line: string) => (options.json === true ? undefined : program.out(line));
  const settings = program.settings({ file });
  const ports = {
    prometheus: Number(options.prometheusPort),
    alertmanager: Number(options.alertmanagerPort ?? portOf(settings.alertmanagerUrl) ?? usual.alertmanager),
  };
  if (options.guardOnly !== true) {
    for (const [name, port] of Object.entries(ports)) {
      if (await isFree(port)) continue;
      program.err(
        `port ${port} is taken, so ${name} cannot be started: choose another with --${name}-port, or use the one that runs with --guard-only`,
      );
      return exitCodes.failed;
    }
  }
  const found = options.guardOnly === true ? undefined : await components(program, say);
  const log = options.json === true ? program.out : logOf(settings, program);
  await using running = new AsyncDisposableStack();
  const guard = running.use(await program.serve({ file }, log));
  say(`guard         ${guard.metricsUrl}/metrics, ${guard.controlUrl}/api/v1/status`);
  const broken = [guard.broken.then((why) => `the guard cannot go on: ${why}`)];
  if (found !== undefined) {
    const stack = running.use(
      await startStack(
        found,
        {
          dir: join(settings.stateDir, "stack"),
          metricsAddress: new URL(guard.metricsUrl).host,
          controlUrl: guard.controlUrl,
          tokenFile: tokenFileFor(settings),
          prometheusPort: ports.prometheus,
          alertmanagerPort: ports.alertmanager,
        },
        program,
      ),
    );
    say(`Prometheus    ${stack.prometheusUrl}`);
    say(`Alertmanager  ${stack.alertmanagerUrl}`);
    broken.push(stack.broken);
  }
  for (const line of summary(settings, file)) say(line);
  const why = await Promise.race([ended(program.signal).then(() => undefined), ...broken]);
  if (why === undefined) {
    say("ending        the guard and everything it started; the gateway is left as it is");
    return exitCodes.ok;
  }
  program.err(why);
  return exitCodes.failed;
}

function summary(settings: Settings, file: string): readonly string[] {
  const observes = settings.gateways.every(({ supervisor }) => supervisor === "none");
  return [
    ...settings.gateways.map(
      ({ name, url, supervisor }) => `watching      ${name} at ${url}, supervisor ${supervisor}`,
    ),
    observes
      ? "mode          observe: no supervisor is configured, so nothing will be restarted; what would have been done is recorded"
      : `mode          ${settings.mode}, as soon as the restart path is verified; observe until then`,
    `log           ${logPath(settings)}`,
    `look with     openclaw-guard status --config ${file}`,
    "end with      Ctrl-C",
  ];
}

const logPath = ({ stateDir }: Settings) => join(stateDir, "guard.log");

/** A person gets sentences; the lines themselves go to a file, of which the one of the run before is kept. */
function logOf(settings: Settings, program: Program): (line: string) => void {
  const path = logPath(settings);
  mkdirSync(settings.stateDir, { recursive: true, mode: 0o700 });
  if (existsSync(path)) renameSync(path, `${path}.1`);
  const tell = storyteller(program, false);
  return (line) => {
    appendFileSync(path, `${line}\n`, { mode: 0o600 });
    tell.log(line);
  };
}

/** Alertmanager reads the token from a file: one that comes from the environment is written beside its own files. */
function tokenFileFor(settings: Settings): string {
  const token = settings.controlToken();
  if (existsSync(settings.controlTokenFile) || token === undefined) return settings.controlTokenFile;
  const dir = join(settings.stateDir, "stack");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "control.token");
  writeFileSync(file, `${token}\n`, { mode: 0o600 });
  return file;
}

function portOf(url: string | undefined): string | undefined {
  const port = url === undefined ? "" : new URL(url).port;
  return port === "" ? undefined : port;
}

/** Writes a configuration from what runs on this host, once: afterwards it is the operator's own. */
async function madeConfig(options: Options, program: Program): Promise<string | undefined> {
  const dir = join(
    program.env["XDG_STATE_HOME"] ?? join(program.env["HOME"] ?? ".", ".local", "state"),
    "openclaw-guard",
  );
  const file = join(dir, `guard-${options.port}.yml`);
  if (existsSync(file)) return file;
  const gateway = await program.detect(Number(options.port));
  if (gateway === undefined) return undefined;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(file, settingsFor(gateway, dir, options), { mode: 0o600 });
  if (options.json !== true)
    program.out(`made          ${file} from what runs on port ${options.port} (pid ${gateway.pid})`);
  return file;
}

function settingsFor(gateway: Detected, dir: string, options: Options): string {
  const supervisor =
    gateway.unit === undefined
      ? { kind: "none" }
      : { kind: "systemd", unit: gateway.unit, scope: gateway.scope };
  return stringify({
    // Each gateway of this host has a guard and a journal of its own.
    state_dir: join(dir, `gateway-${options.port}`),
    metrics: { listen: `127.0.0.1:${options.metricsPort}` },
    control: { listen: `127.0.0.1:${options.controlPort}` },
    alertmanager: { url: `http://127.0.0.1:${options.alertmanagerPort ?? usual.alertmanager}` },
    gateways: [
      {
        name: "main",
        url: `http://127.0.0.1:${options.port}`,
        ...(options.tokenFile === undefined ? {} : { token_file: resolve(options.tokenFile) }),
        supervisor,
      },
    ],
  });
}
