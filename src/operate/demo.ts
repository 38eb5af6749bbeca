// Does the whole loop really work? A stand-in gateway falls ill; real Prometheus and Alertmanager notice; the guard
// decides, restarts, verifies; all of it on screen, ending with the episode.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { type Summary, summarise } from "../core/summary.ts";
import { type Millis, ms, seconds } from "../core/time.ts";
import { ask } from "../platform/ask.ts";
import { run } from "../platform/exec.ts";
import { describe } from "./history.ts";
import { exitCodes, type Program } from "./program.ts";
import {
  isScenario,
  type ScenarioName,
  scaledSays,
  scaledSettings,
  scenarioNames,
  scenarios,
  standInLimits,
} from "./scenarios.ts";
import { ended } from "./serve.ts";
import { components, freePort, startStack } from "./stack.ts";
import { storyteller } from "./story.ts";

type Options = { scenario: string; json?: boolean; keep?: boolean };

const giveUpAfter = seconds(170);
const lookAgain = ms(250);

/** `openclaw-guard demo`: exit 0 when the episode ends recovered, 1 otherwise. */
export function demo(cli: Command, program: Program, exit: (code: number) => void): void {
  cli
    .command("demo")
    .description("make a stand-in gateway ill and watch it being noticed, restarted and verified")
    .option("-s, --scenario <name>", scenarioNames.join(", "), "hang")
    .option("--json", "one JSON object per event")
    .option("--keep", "leave everything running at the end and print the addresses")
    .action(async (options: Options) => {
      if (!isScenario(options.scenario)) {
        program.err(`--scenario: ${options.scenario} is none of ${scenarioNames.join(", ")}`);
        return exit(exitCodes.usage);
      }
      exit((await play(options.scenario, options, program)) ? exitCodes.ok : exitCodes.failed);
    });
}

async function play(name: ScenarioName, options: Options, program: Program): Promise<boolean> {
  const tell = storyteller(program, options.json === true);
  const scenario = scenarios[name];
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "openclaw-guard-demo-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  tell("demo", `scenario ${name}: ${scenario.says}`, { scenario: name });
  tell("scaled", scaledSays, { settings: scaledSettings });

  const found = await components(program, (line) => tell("components", line));
  tell("components", `Prometheus ${found.prometheus}, Alertmanager ${found.alertmanager}`, found);
  const gateway = await startStandIn(dir, program, stack);
  tell("gateway", `stand-in gateway pid ${gateway.pid} serves ${gateway.url}`, gateway);

  const alertmanagerPort = await freePort();
  const settings = guardSettings(dir, gateway, alertmanagerPort);
  writeFileSync(join(dir, "guard.json"), JSON.stringify(settings, undefined, 2));
  const guard = stack.use(await program.serve({ settings }, (line) => tell.log(line)));
  tell("guard", `guard serves ${guard.metricsUrl}/metrics and ${guard.controlUrl}`, {
    metrics: guard.metricsUrl,
    control: guard.controlUrl,
  });
  const plan = {
    dir,
    metricsAddress: new URL(guard.metricsUrl).host,
    controlUrl: guard.controlUrl,
    tokenFile: join(dir, "state", "control.token"),
    prometheusPort: await freePort(),
    alertmanagerPort,
  };
  const alerting = stack.use(await startStack(found, plan, program));
  tell("stack", `Prometheus ${alerting.prometheusUrl}, Alertmanager ${alerting.alertmanagerUrl}`, alerting);

  await until("the guard sees the gateway and may act", seconds(40), program, () =>
    isWatched(guard.controlUrl, alerting.prometheusUrl, program),
  );
  tell("watched", "all is well: the gateway answers, the pipeline works, the restart path is verified");
  await ask(`http://127.0.0.1:${gateway.controlPort}/stand-in/ill`, {
    method: "POST",
    body: scenario.fault,
    deadline: seconds(5),
    signal: program.signal,
  });
  const illAt = program.now();
  tell("ill", `now ${scenario.says}`, { fault: scenario.fault });

  const episode = await until("the episode ends", giveUpAfter, program, () =>
    endedEpisode(join(dir, "state"), program),
  ).catch((error: unknown) => tell("overdue", error instanceof Error ? error.message : "overdue"));
  const summary = episode ?? undefined;
  if (options.keep === true) {
    tell(
      "kept",
      `everything is left running: Prometheus ${alerting.prometheusUrl}, Alertmanager ${alerting.alertmanagerUrl}, metrics ${guard.metricsUrl}/metrics, status ${guard.controlUrl}/api/v1/status; end it with Ctrl-C`,
    );
    conclude(summary, illAt, options, program, tell);
    await ended(program.signal);
    return summary?.outcome === "recovered";
  }
  conclude(summary, illAt, options, program, tell);
  return summary?.outcome === "recovered";
}

function conclude(
  summary: Summary | undefined,
  illAt: number,
  options: Options,
  program: Program,
  tell: ReturnType<typeof storyteller>,
): void {
  const outcome = summary?.outcome ?? "none";
  const secondsOf = {
    ...summary?.phases,
    ...(summary?.endedAt === undefined ? {} : { total: (summary.endedAt - illAt) / 1000 }),
  };
  if (options.json === true) {
    program.out(JSON.stringify({ outcome, seconds: secondsOf, episode: summary ?? null }));
    return;
  }
  tell("outcome", outcome === "recovered" ? "recovered, and verified" : `the episode ended ${outcome}`);
  if (summary !== undefined) for (const line of describe(summary)) program.out(line);
}

type StandIn = {
  readonly pid: number;
  readonly port: number;
  readonly controlPort: number;
  readonly url: string;
  readonly token: string;
  readonly stateDir: string;
  readonly commands: Readonly<Record<"start" | "restart" | "stop" | "status", readonly string[]>>;
};

/** Puts the stand-in under its small supervisor and starts it; what is started is stopped with the demo. */
async function startStandIn(dir: string, program: Program, stack: AsyncDisposableStack): Promise<StandIn> {
  const home = join(dir, "stand-in");
  const stateDir = join(dir, "gateway-state");
  for (const each of [home, stateDir]) mkdirSync(each, { recursive: true, mode: 0o700 });
  const [port, controlPort, token] = [await freePort(), await freePort(), "stand-in"];
  const argv = [
    ...program.beside("stand-in/gateway"),
    "--port",
    `${port}`,
    "--control-port",
    `${controlPort}`,
    "--state-dir",
    stateDir,
    "--startup-ms",
    "1500",
    "--owner-pid",
    `${program.pid}`,
  ];
  writeFileSync(
    join(home, "supervised.json"),
    JSON.stringify({
      argv,
      env: { OPENCLAW_GATEWAY_TOKEN: token },
      stopTimeoutMs: 15_000,
      descriptorLimit: standInLimits.descriptors,
    }),
  );
  const verb = (name: string, ...rest: string[]) => [
    ...program.beside("stand-in/supervisor"),
    name,
    "--dir",
    home,
    ...rest,
  ];
  const commands = {
    start: verb("start"),
    restart: verb("restart", "--no-wait"),
    stop: verb("stop"),
    status: verb("status"),
  };
  const obey = (command: readonly string[], signal: AbortSignal) =>
    run(command, { deadline: seconds(30), signal });
  stack.defer(() =>
    obey(commands.stop, AbortSignal.timeout(30_000)).then(
      () => undefined,
      () => undefined,
    ),
  );
  await obey(commands.start, program.signal);
  const url = `http://127.0.0.1:${port}`;
  await until("the stand-in answers", seconds(20), program, async () => {
    const answer = await ask(`${url}/startupz`, { deadline: ms(1000), signal: program.signal }).catch(
      () => undefined,
    );
    return answer?.status === 200 ? true : undefined;
  });
  const status: unknown = JSON.parse((await obey(commands.status, program.signal)).stdout);
  const pid =
    typeof status === "object" && status !== null && "pid" in status && typeof status.pid === "number"
      ? status.pid
      : 0;
  return { pid, port, controlPort, url, token, stateDir, commands };
}

function guardSettings(dir: string, gateway: StandIn, alertmanagerPort: number): unknown {
  const state = join(dir, "state");
  mkdirSync(state, { mode: 0o700 });
  const tokenFile = join(dir, "gateway.token");
  writeFileSync(tokenFile, gateway.token, { mode: 0o600 });
  const { start, restart, status } = gateway.commands;
  return {
    ...scaledSettings,
    state_dir: state,
    metrics: { listen: "127.0.0.1:0" },
    control: { listen: "127.0.0.1:0" },
    alertmanager: { url: `http://127.0.0.1:${alertmanagerPort}` },
    gateways: [
      {
        name: "stand-in",
        url: gateway.url,
        token_file: tokenFile,
        state_dir: gateway.stateDir,
        memory_limit: standInLimits.memory,
        supervisor: { kind: "command", start, restart, status },
      },
    ],
  };
}

async function isWatched(
  controlUrl: string,
  prometheusUrl: string,
  program: Program,
): Promise<true | undefined> {
  const json = async (url: string) => {
    const answer = await ask(url, { deadline: ms(2000), signal: program.signal }).catch(() => undefined);
    return answer?.body ?? "";
  };
  const status = await json(`${controlUrl}/api/v1/status`);
  const up = await json(`${prometheusUrl}/api/v1/query?query=openclaw_gateway_up`);
  return status.includes('"stall":"alive"') && status.includes('"mode":"enforce"') && up.includes('"1"]')
    ? true
    : undefined;
}

async function endedEpisode(stateDir: string, program: Program): Promise<Summary | undefined> {
  using journal = program.journal(stateDir);
  return summarise(journal.entries()).find(({ outcome }) => outcome === "recovered" || outcome === "gave_up");
}

/** Waits for a fact; rejects when it does not come in time. */
async function until<T>(
  what: string,
  within: Millis,
  program: Program,
  fact: () => Promise<T | undefined>,
): Promise<T> {
  const from = program.now();
  for (;;) {
    const value = await fact();
    if (value !== undefined) return value;
    program.signal.throwIfAborted();
    if (program.now() - from > within) throw new Error(`${what}: not within ${within / 1000} s`);
    await program.sleep(lookAgain, program.signal);
  }
}
