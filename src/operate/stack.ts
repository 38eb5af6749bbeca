// How do Prometheus and Alertmanager run beside the guard without Docker? With the shipped files, in which only the
// addresses are replaced, bounded in memory and retention, on loopback.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { type Millis, ms, seconds } from "../core/time.ts";
import { type Child, startChild } from "../platform/child.ts";
import { type Components, findComponents } from "../platform/components.ts";
import { ask } from "../platform/ask.ts";
import type { Program } from "./program.ts";

export type Stack = AsyncDisposable & {
  readonly prometheusUrl: string;
  readonly alertmanagerUrl: string;
  /** Resolves when one of the two has ended by itself, with which and how. */
  readonly broken: Promise<string>;
};

export type StackPlan = {
  readonly dir: string;
  readonly metricsAddress: string;
  readonly controlUrl: string;
  readonly tokenFile: string;
  readonly prometheusPort: number;
  readonly alertmanagerPort: number;
};

type Given = Pick<Program, "now" | "sleep" | "signal" | "shipped">;

/** A small host has little to spare: a fortnight of history or 512 MB, whichever ends first. */
const retention = [
  "--storage.tsdb.retention.time=15d",
  "--storage.tsdb.retention.size=512MB",
  "--query.max-concurrency=4",
];
const readyWithin = seconds(30);
const lookAgain = ms(100);

/** Finds the programs, on PATH or unpacked from the distribution's packages; throws with what to type. */
export function components(program: Program, say: (line: string) => void): Promise<Components> {
  return findComponents({ env: program.env, say, signal: program.signal });
}

/** Starts both and resolves when both are ready; throws, with nothing left running, when one is not in time. */
export async function startStack(found: Components, plan: StackPlan, program: Given): Promise<Stack> {
  await using starting = new AsyncDisposableStack();
  const { prometheusDir, alertmanagerDir } = writeFiles(plan, program);
  const prometheusUrl = `http://127.0.0.1:${plan.prometheusPort}`;
  const alertmanagerUrl = `http://127.0.0.1:${plan.alertmanagerPort}`;
  const alertmanager = starting.use(
    await startChild(
      [
        found.alertmanager,
        `--config.file=${join(alertmanagerDir, "alertmanager.yml")}`,
        `--storage.path=${join(plan.dir, "alertmanager-data")}`,
        `--web.listen-address=127.0.0.1:${plan.alertmanagerPort}`,
        "--cluster.listen-address=",
      ],
      { logPath: join(plan.dir, "alertmanager.log"), cwd: alertmanagerDir },
    ),
  );
  const prometheus = starting.use(
    await startChild(
      [
        found.prometheus,
        `--config.file=${join(prometheusDir, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(plan.dir, "prometheus-data")}`,
        `--web.listen-address=127.0.0.1:${plan.prometheusPort}`,
        ...retention,
      ],
      { logPath: join(plan.dir, "prometheus.log"), cwd: prometheusDir },
    ),
  );
  await Promise.all([
    ready("alertmanager", alertmanagerUrl, alertmanager, plan.dir, program),
    ready("prometheus", prometheusUrl, prometheus, plan.dir, program),
  ]);
  const started = starting.move();
  return {
    prometheusUrl,
    alertmanagerUrl,
    broken: Promise.race([
      alertmanager.ended.then((how) => `alertmanager ${how}: see ${join(plan.dir, "alertmanager.log")}`),
      prometheus.ended.then((how) => `prometheus ${how}: see ${join(plan.dir, "prometheus.log")}`),
    ]),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

/** A port of this host that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null
          ? resolve(address.port)
          : reject(new Error("no port")),
      );
    });
  });
}

/** Whether a port of this host can be taken now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Copies the shipped files and puts in the addresses of this run; nothing else is changed. */
function writeFiles(plan: StackPlan, program: Given) {
  const prometheusDir = join(plan.dir, "prometheus");
  const alertmanagerDir = join(plan.dir, "alertmanager");
  for (const dir of [prometheusDir, alertmanagerDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  cpSync(program.shipped("prometheus"), prometheusDir, { recursive: true });
  cpSync(program.shipped("alertmanager"), alertmanagerDir, { recursive: true });

  const prometheus = parseDocument(readFileSync(join(prometheusDir, "prometheus.yml"), "utf8"));
  prometheus.setIn(["scrape_configs", 0, "static_configs", 0, "targets"], [plan.metricsAddress]);
  const alertmanagers = ["alerting", "alertmanagers", 0, "static_configs", 0, "targets"];
  prometheus.setIn(alertmanagers, [`127.0.0.1:${plan.alertmanagerPort}`]);
  writeFileSync(join(prometheusDir, "prometheus.yml"), prometheus.toString());

  const path = join(alertmanagerDir, "alertmanager.yml");
  const text = readFileSync(path, "utf8");
  const webhooks = [...text.matchAll(/url: http:\/\/127\.0\.0\.1:9478\/api\/v1\/alerts/g)].length;
  if (webhooks === 0) throw new Error(`${path}: no webhook of the guard in it`);
  writeFileSync(
    path,
    text
      .replaceAll("url: http://127.0.0.1:9478/", `url: ${plan.controlUrl}/`)
      .replaceAll("credentials_file: guard.token", `credentials_file: ${JSON.stringify(plan.tokenFile)}`),
  );
  return { prometheusDir, alertmanagerDir };
}

async function ready(name: string, url: string, child: Child, dir: string, program: Given): Promise<void> {
  const from = program.now();
  let over: string | undefined;
  void child.ended.then((how) => {
    over = how;
  });
  for (;;) {
    if (over !== undefined) throw new Error(`start ${name}: it ${over}: see ${join(dir, `${name}.log`)}`);
    const answer = await ask(`${url}/-/ready`, { deadline: ms(1000), signal: program.signal }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return;
    program.signal.throwIfAborted();
    const waited = (program.now() - from) as Millis;
    if (waited > readyWithin)
      throw new Error(
        `start ${name}: not ready within ${readyWithin / 1000} s: see ${join(dir, `${name}.log`)}`,
      );
    await program.sleep(lookAgain, program.signal);
  }
}
