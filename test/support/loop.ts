// Does the whole loop work for this gateway? The guard as the process that operators run, real Prometheus and Alertmanager
// with the shipped files beside it, and what a test wants to know of them: status, history, series.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Cause } from "../../src/core/cause.ts";
import { urgencyOf } from "../../src/core/cause.ts";
import type { Entry } from "../../src/core/history.ts";
import { type Summary, summarise } from "../../src/core/summary.ts";
import { type Millis, ms, seconds } from "../../src/core/time.ts";
import { scaledSettings } from "../../src/operate/scenarios.ts";
import { freePort, startStack } from "../../src/operate/stack.ts";
import { startChild } from "../../src/platform/child.ts";
import { monotonic, now, sleep } from "../../src/platform/clock.ts";
import { openJournalReadOnly } from "../../src/record/journal.ts";
import { components } from "./components.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** How a guard is run: resolves when it was started with this argv and its output goes to this file. */
export type Launch = (argv: readonly string[], logPath: string) => Promise<Launched>;
/** `ended` tells how it ended, where the test can know: nobody then waits for what it would have said. */
type Launched = AsyncDisposable & { readonly ended?: Promise<string> };

export type LoopPlan = {
  /** The gateway's part of the configuration file, except its name. */
  readonly gateway: {
    readonly url: string;
    readonly token_file: string;
    readonly state_dir: string;
    readonly memory_limit?: string;
    readonly supervisor: Readonly<Record<string, unknown>>;
  };
  /** Over the demo's scaled settings, section by section. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Without Prometheus and Alertmanager the test posts its alerts itself. */
  readonly withoutPipeline?: boolean;
  /** By default a child process of the test. */
  readonly launch?: Launch;
};

/** A guard that runs, with or without its alert pipeline. */
export type Loop = AsyncDisposable & {
  readonly metricsUrl: string;
  readonly controlUrl: string;
  /** What the guard says about the gateway now. */
  status(): Promise<Status>;
  /** The journal, read beside the running guard. */
  entries(): readonly Entry[];
  episodes(): readonly Summary[];
  /** The value of one series as the guard exposes it, written as in the exposition; undefined when there is none. */
  series(line: string): Promise<number | undefined>;
  /** Delivers an alert as Alertmanager would; the same `startsAt` is the same alert. */
  deliver(
    cause: Cause,
    alert: { readonly status?: "firing" | "resolved"; readonly startsAt: Date },
  ): Promise<void>;
  /** Polls until `fact` gives a value; rejects with what the guard thinks when it does not come in time. */
  until<T>(what: string, fact: () => Promise<T | undefined> | T | undefined, within?: Millis): Promise<T>;
  /** Resolves when the gateway answers, the restart path is verified, and Prometheus has scraped that. */
  watching(): Promise<Status>;
  /** The first episode that ended in any way but by a cancelled alert. */
  ended(within?: Millis): Promise<Summary>;
};

/** The name of the one gateway. */
export const gatewayName = "main";

const statusShape = z.object({
  stall: z.string(),
  pid: z.number().optional(),
  mode: z.string(),
  modeReasons: z.array(z.object({ reason: z.string(), problem: z.string(), fix: z.string() })),
  trend: z.string(),
  treeBytes: z.number().optional(),
  limitBytes: z.number().optional(),
  work: z.string(),
  decision: z.string().optional(),
  gaveUp: z.boolean(),
});
export type Status = z.infer<typeof statusShape>;

const patience = seconds(30);
const episodeWithin = seconds(150);
const lookAgain = ms(100);

/** Starts the loop; disposing ends everything that it started and removes its folder. */
export async function startLoop(plan: LoopPlan): Promise<Loop> {
  await using opening = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "guard-loop-"));
  opening.defer(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const stateDir = join(dir, "state");
  mkdirSync(stateDir, { mode: 0o700 });
  const alertmanagerPort = await freePort();
  const found = plan.withoutPipeline === true ? undefined : await components();

  const config = join(dir, "guard.json");
  writeFileSync(
    config,
    JSON.stringify({
      ...merged(scaledSettings, plan.settings ?? {}),
      state_dir: stateDir,
      metrics: { listen: "127.0.0.1:0" },
      control: { listen: "127.0.0.1:0" },
      // Nobody to ask is not the same as somebody who does not answer.
      ...(found === undefined ? {} : { alertmanager: { url: `http://127.0.0.1:${alertmanagerPort}` } }),
      gateways: [{ name: gatewayName, ...plan.gateway }],
    }),
  );
  const logPath = join(dir, "guard.log");
  const argv = [process.execPath, join(root, "src/main.ts"), "serve", "--config", config];
  const launch: Launch = plan.launch ?? ((command, path) => startChild(command, { logPath: path }));
  const launched = opening.use(await launch(argv, logPath));
  let over: string | undefined;
  void launched.ended?.then((how) => {
    over = how;
  });
  const log = () => (existsSync(logPath) ? readFileSync(logPath, "utf8") : "");
  const serving = await until(
    "the guard serves",
    () => {
      if (over !== undefined) throw new Error(`guard: ${over}\n${log()}`);
      return servingLine(log());
    },
    patience,
    log,
  );
  const { metrics: metricsUrl, control: controlUrl } = serving;

  const tokenFile = join(stateDir, "control.token");
  const stack =
    found === undefined
      ? undefined
      : opening.use(
          await startStack(
            found,
            {
              dir,
              metricsAddress: new URL(metricsUrl).host,
              controlUrl,
              tokenFile,
              prometheusPort: await freePort(),
              alertmanagerPort,
            },
            { now, sleep, signal: new AbortController().signal, shipped: (name) => join(root, name) },
          ),
        );

  const status = async (): Promise<Status> => {
    const body: unknown = await (await get(`${controlUrl}/api/v1/status`)).json();
    const [gateway] = z.object({ gateways: z.array(statusShape) }).parse(body).gateways;
    if (gateway === undefined) throw new Error("status: no gateway");
    return gateway;
  };
  const entries = (): readonly Entry[] => {
    using journal = openJournalReadOnly(join(stateDir, "journal.db"));
    return journal.entries();
  };
  const series = async (line: string) => {
    const text = await (await get(`${metricsUrl}/metrics`)).text();
    const shown = text.split("\n").find((each) => each.startsWith(`${line} `));
    return shown === undefined ? undefined : Number(shown.slice(line.length + 1).split(" ")[0]);
  };
  /** What makes a wait that failed understandable. */
  const state = async () =>
    `${JSON.stringify(await status().catch(String))}\n${log().split("\n").slice(-20).join("\n")}`;
  const wait: Loop["until"] = (what, fact, within = patience) => until(what, fact, within, state);

  const opened = opening.move();
  return {
    metricsUrl,
    controlUrl,
    status,
    entries,
    episodes: () => summarise(entries()),
    series,
    async deliver(cause, { status: how = "firing", startsAt }) {
      const response = await fetch(`${controlUrl}/api/v1/alerts`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}`,
          "content-type": "application/json",
        },
        body: JSON.stringify(payload(cause, how, startsAt)),
      });
      if (response.status !== 202) throw new Error(`alerts: ${response.status} ${await response.text()}`);
    },
    until: wait,
    watching: () =>
      wait("the loop is up", async () => {
        const seen = await status();
        if (seen.stall !== "alive" || seen.mode !== "enforce") return undefined;
        if (stack === undefined) return seen;
        const query = `${stack.prometheusUrl}/api/v1/query?query=openclaw_gateway_up`;
        return (await (await get(query)).text()).includes('"1"]') ? seen : undefined;
      }),
    ended: (within = episodeWithin) =>
      wait(
        "the episode ends",
        () => summarise(entries()).find(({ outcome }) => outcome !== "running" && outcome !== "cancelled"),
        within,
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The seconds of each phase, the pids and the downtime, on one line for a person who reads the test's output. */
export function figures(summary: Summary): string {
  const phases = Object.entries(summary.phases).map(([phase, length]) => `${phase} ${length.toFixed(1)} s`);
  const pids = `pid ${summary.before?.pid ?? "none"} -> ${summary.after?.pid ?? "none"}`;
  const downtime =
    summary.downtimeSeconds === undefined ? "" : `, ill for ${summary.downtimeSeconds.toFixed(1)} s`;
  return `${summary.cause} ${summary.outcome}: ${pids}${downtime}, ${phases.join(", ")}`;
}

/** Bytes as a person reads them. */
export const inMib = (bytes: number | undefined): string =>
  bytes === undefined ? "unknown" : `${Math.round(bytes / 2 ** 20)} MiB`;

async function until<T>(
  what: string,
  fact: () => Promise<T | undefined> | T | undefined,
  within: Millis,
  state: () => Promise<string> | string,
): Promise<T> {
  const begun = monotonic();
  for (;;) {
    const value = await fact();
    if (value !== undefined) return value;
    if (monotonic() - begun > within)
      throw new Error(`not within ${within / 1000} s: ${what}\n${await state()}`);
    await sleep(lookAgain, new AbortController().signal);
  }
}

const get = (url: string) => fetch(url, { signal: AbortSignal.timeout(5000) });

const servingShape = z.object({ event: z.literal("serving"), metrics: z.string(), control: z.string() });

/** Where the guard listens, from its log; undefined while it has not said so. */
function servingLine(log: string): z.infer<typeof servingShape> | undefined {
  for (const line of log.split("\n")) {
    if (!line.startsWith("{")) continue;
    const read = servingShape.safeParse(JSON.parse(line));
    if (read.success) return read.data;
  }
  return undefined;
}

type Sections = Readonly<Record<string, unknown>>;

/** The second over the first; where both have a section of a name, setting by setting. */
function merged(settings: Sections, over: Sections): Sections {
  const isSection = (value: unknown): value is Sections => typeof value === "object" && value !== null;
  const entries = Object.entries(over).map(([name, value]) => {
    const under = settings[name];
    return [name, isSection(under) && isSection(value) ? { ...under, ...value } : value];
  });
  return { ...settings, ...Object.fromEntries(entries) };
}

function payload(cause: Cause, status: "firing" | "resolved", startsAt: Date): unknown {
  const labels = {
    alertname: `Test-${cause}`,
    gateway: gatewayName,
    remedy: "restart",
    cause,
    urgency: urgencyOf[cause],
  };
  return {
    version: "4",
    groupKey: cause,
    truncatedAlerts: 0,
    status,
    receiver: "guard",
    groupLabels: {},
    commonLabels: labels,
    commonAnnotations: {},
    externalURL: "http://127.0.0.1:9093",
    alerts: [
      {
        status,
        labels,
        annotations: {},
        startsAt: startsAt.toISOString(),
        endsAt: "0001-01-01T00:00:00Z",
        generatorURL: "",
        fingerprint: Buffer.from(cause).toString("hex").slice(0, 16),
      },
    ],
  };
}
