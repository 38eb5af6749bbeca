// How do the tests run a whole guard in their own process? On free ports, in a folder of its own, with its log kept.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import type { Cause } from "../../src/core/cause.ts";
import { openSecrets } from "../../src/secrets.ts";
import { realSeams, type Seams } from "../../src/world.ts";
import { openJournalReadOnly } from "../../src/record/journal.ts";

export const controlToken = "control-token-of-the-tests";

/** A pace at which a test can watch; two probes fit into one round, as the configuration demands. */
export const fast = {
  probe: { every: "300ms", timeout: "100ms", slow_every: "300ms", process_every: "200ms" },
  hang: { confirm: "2s", probes: 3, last_look: "300ms" },
  start: { after: "500ms", retry: ["200ms", "500ms", "1s"] },
  drain: { limit: "5s", patience: "1s" },
  verify: { every: "200ms", settle: "1s", replace_within: "10s" },
  thresholds: { descriptors_hold: "1s" },
  alerts: { decide_every: "500ms" },
  window: { spans: [] },
};

export type Folder = Disposable & { readonly dir: string };

/** A folder that goes with the test. */
export function folder(name = "app"): Folder {
  const dir = mkdtempSync(join(tmpdir(), `guard-${name}-`));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

/** The settings of a guard whose state is in `dir` and whose gateways are these. */
export function settingsIn(
  dir: string,
  gateways: readonly object[],
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const tokenFile = join(dir, "control.token");
  writeFileSync(tokenFile, `${controlToken}\n`, { mode: 0o600 });
  return {
    ...fast,
    state_dir: join(dir, "state"),
    metrics: { listen: "127.0.0.1:0" },
    control: { listen: "127.0.0.1:0", token_file: tokenFile },
    gateways,
    ...more,
  };
}

export type Guard = App & {
  readonly stateDir: string;
  /** Every log line so far, as text. */
  readonly logged: readonly string[];
  /** Sends a body to the webhook; an object is sent as JSON. */
  readonly post: (
    body: string | object,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly status: number; readonly body: string }>;
  readonly get: (url: string) => Promise<{ readonly status: number; readonly body: string }>;
  /** Takes other settings over, as a changed file is at SIGHUP. */
  readonly reloadWith: (settings: unknown) => Promise<boolean>;
  /** The value of one series as it is exposed now; undefined when there is none. */
  readonly series: (name: string) => Promise<number | undefined>;
};

/** Starts a guard with these settings; `twist` replaces single seams. */
export async function startGuard(
  settings: Readonly<Record<string, unknown>>,
  twist: Partial<Seams> = {},
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Guard> {
  const config = parseConfig(settings);
  const logged: string[] = [];
  const seams = { ...realSeams(env, { write: (line) => void logged.push(line) }), ...twist };
  const app = await startApp(config, openSecrets(config, env), seams, "0.0.0-test");
  const get = async (url: string) => {
    const answer = await fetch(url);
    return { status: answer.status, body: await answer.text() };
  };
  return {
    ...app,
    stateDir: config.state_dir,
    logged,
    async post(body, headers = {}) {
      const answer = await fetch(`${app.controlUrl}/api/v1/alerts`, {
        method: "POST",
        headers: { authorization: `Bearer ${controlToken}`, "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      return { status: answer.status, body: await answer.text() };
    },
    get,
    reloadWith: (next) =>
      app.reload(() => {
        const changed = parseConfig(next);
        return { config: changed, secrets: openSecrets(changed, env) };
      }),
    async series(name) {
      const { body } = await get(`${app.metricsUrl}/metrics`);
      return valueIn(body, name);
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}

/** The value of one series in an exposition; the order of its labels does not matter. */
export function valueIn(text: string, series: string): number | undefined {
  const wanted = partsOf(series);
  for (const line of text.split("\n")) {
    const end = line.lastIndexOf(" ");
    if (!line.startsWith("#") && partsOf(line.slice(0, end)) === wanted) return Number(line.slice(end + 1));
  }
  return undefined;
}

/** The name and the labels of a series in an order that does not depend on who wrote it. */
function partsOf(series: string): string {
  return series
    .split(/[{},]/)
    .filter((part) => part !== "")
    .toSorted()
    .join();
}

/** A payload of Alertmanager with one alert that asks for a restart; labels are changed by spreading. */
export function payload(
  cause: Cause,
  labels: Readonly<Record<string, string>> = {},
  alert: Readonly<Record<string, unknown>> = {},
) {
  return {
    version: "4",
    groupKey: "{}:{}",
    status: "firing",
    receiver: "guard",
    truncatedAlerts: 0,
    alerts: [
      {
        status: "firing",
        fingerprint: "c0ffee0000000001",
        startsAt: "2026-11-20T06:12:08.123Z",
        endsAt: "0001-01-01T00:00:00Z",
        labels: { alertname: "OpenClawTest", gateway: "main", remedy: "restart", cause, ...labels },
        annotations: { summary: "A test asks for a restart." },
        ...alert,
      },
    ],
  };
}

/** What the journal of a guard holds, read beside it. */
export function journalOf(stateDir: string) {
  using journal = openJournalReadOnly(join(stateDir, "journal.db"));
  return {
    entries: journal.entries(),
    open: journal.openAlerts("main"),
    verified: journal.verify(),
  };
}
