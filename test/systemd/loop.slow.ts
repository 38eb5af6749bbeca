// Does the guard get along with a gateway that systemd keeps? Both are units of a real `systemd --user`: the gateway's with
// the settings that OpenClaw generates, the guard's as it is shipped. Every restart that systemd does itself is left to it.
// Scaled: a hang is confirmed after 10 s or less (90 s), settling takes 3 s (10 min), RestartSec is 1 s where nothing else is said.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { seconds } from "../../src/core/time.ts";
import { freePort, standInProgram } from "../support/gateway.ts";
import { figures, type Loop, type LoopPlan, startLoop } from "../support/loop.ts";
import { remains } from "../support/remains.ts";
import { startUserManager, type UserManager } from "../support/user-manager.ts";

const gatewayUnit = "openclaw-gateway.service";
const guardUnit = "openclaw-guard.service";
const shippedGuard = fileURLToPath(new URL("../../units/user/openclaw-guard.service", import.meta.url));
const token = "unit-token";
const mib = 2 ** 20;

type Unit = {
  /** Replaces lines of the generated unit; a later line of a setting wins. */
  readonly service?: string;
  readonly settings?: LoopPlan["settings"];
  /** Prometheus and Alertmanager as well; otherwise the test delivers the alerts. */
  readonly pipeline?: boolean;
};

type Patient = AsyncDisposable & {
  readonly manager: UserManager;
  readonly loop: Loop;
  ill(fault: object): Promise<void>;
  log(): Promise<string>;
  systemctl(...args: readonly string[]): Promise<string>;
  /** A property of the gateway's unit. */
  show(property: string): Promise<string>;
};

/** A gateway and a guard as units of one manager, the guard's loop up and watching. */
async function watched(unit: Unit = {}): Promise<Patient> {
  await using opening = new AsyncDisposableStack();
  const port = await freePort();
  const controlPort = await freePort();
  const manager = opening.use(
    await startUserManager((folder) => ({
      [gatewayUnit]: generated(folder, port, controlPort, unit.service),
    })),
  );
  const { folder } = manager;
  const systemctl = async (...args: readonly string[]) => {
    const env = Object.entries(manager.env).map(([name, value]) => `${name}=${value}`);
    const argv = ["/usr/bin/env", ...env, "systemctl", "--user", ...args];
    return (await manager.run(argv, { deadline: seconds(20), signal: AbortSignal.timeout(60_000) })).stdout;
  };
  // A gateway that still hangs would hold up the manager's end until its stop timeout.
  opening.defer(() =>
    systemctl("kill", "--signal=KILL", gatewayUnit).then(
      () => undefined,
      () => manager.kill(),
    ),
  );
  await systemctl("enable", gatewayUnit);
  await systemctl("start", gatewayUnit);
  await writeFile(join(folder, "token"), token, { mode: 0o600 });
  const loop = opening.use(
    await startLoop({
      gateway: {
        url: `http://127.0.0.1:${port}`,
        token_file: join(folder, "token"),
        state_dir: folder,
        memory_limit: "640MiB",
        supervisor: { kind: "systemd", unit: gatewayUnit, scope: "user" },
      },
      settings: {
        verify: { settle: "3s", replace_within: "6m" },
        drain: { limit: "330s" },
        alerts: { decide_every: "1s" },
        ...unit.settings,
      },
      withoutPipeline: unit.pipeline !== true,
      async launch(argv, logPath) {
        await writeFile(join(folder, guardUnit), await shipped(argv, logPath));
        await systemctl("link", "--runtime", join(folder, guardUnit));
        await systemctl("start", guardUnit);
        return { [Symbol.asyncDispose]: async () => void (await systemctl("stop", guardUnit)) };
      },
    }),
  );
  const log = () => readFile(join(folder, "gateway.log"), "utf8");
  const opened = opening.move();
  return {
    manager,
    loop,
    systemctl,
    log,
    show: async (property) =>
      (await systemctl("show", "--value", `--property=${property}`, gatewayUnit)).trim(),
    async ill(fault) {
      const response = await fetch(`http://127.0.0.1:${controlPort}/stand-in/ill`, {
        method: "POST",
        body: JSON.stringify(fault),
      });
      assert.ok(response.ok, await response.text());
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The unit that `openclaw gateway install` writes, around the stand-in. */
const generated = (folder: string, port: number, controlPort: number, service = ""): string => `[Unit]
Description=OpenClaw Gateway
StartLimitBurst=10
StartLimitIntervalSec=300
[Service]
ExecStart=${process.execPath} ${standInProgram} --state-dir ${folder} --port ${port} --control-port ${controlPort} --startup-ms 500
Environment=OPENCLAW_GATEWAY_TOKEN=${token}
StandardOutput=append:${folder}/gateway.log
StandardError=append:${folder}/gateway.log
Restart=always
RestartSec=1
RestartPreventExitStatus=78
SuccessExitStatus=0 143
TimeoutStartSec=30
TimeoutStopSec=330
KillMode=mixed
OOMPolicy=continue
${service}
[Install]
WantedBy=default.target
`;

/** The shipped unit of the guard with this checkout as its program. */
async function shipped(argv: readonly string[], logPath: string): Promise<string> {
  const text = await readFile(shippedGuard, "utf8");
  const started = text.replace(
    /^ExecStart=.*$/m,
    `ExecStart=${argv.join(" ")}\nStandardOutput=append:${logPath}\nStandardError=append:${logPath}`,
  );
  assert.notEqual(started, text, "the shipped unit has no ExecStart");
  return started;
}

test("a hang goes through the real pipeline: SIGKILL, then systemd's own restart and no second one", async (t) => {
  await using patient = await watched({
    pipeline: true,
    settings: { hang: { confirm: "6s", last_look: "1s" } },
  });
  const { loop } = patient;
  const before = await loop.watching();
  await patient.ill({ fault: "hang" });

  const episode = await loop.ended();
  assert.equal(episode.outcome, "recovered");
  assert.equal(episode.cause, "hang");
  assert.equal(episode.before?.pid, before.pid);
  assert.notEqual(episode.after?.pid, before.pid);
  assert.deepEqual(intents(loop), ["kill_serving"]);
  assert.match(stepSaid(loop, "await_supervisor"), /the supervisor started it/);
  assert.equal(await patient.show("NRestarts"), "1");
  assert.equal(await lives(patient), 2);
  t.diagnostic(figures(episode));
});

test("a leak is cured by one restart job of systemd, in which the gateway drains", async (t) => {
  await using patient = await watched();
  const { loop } = patient;
  const before = await loop.watching();
  await patient.ill({ fault: "leak", bytesPerSecond: 24 * mib, capBytes: 900 * mib });
  await loop.until(
    "the trend shows it",
    async () => isTrue((await loop.status()).trend === "leaking"),
    seconds(60),
  );
  await loop.deliver("memory_leak", { startsAt: new Date() });

  const episode = await loop.ended();
  assert.equal(episode.outcome, "recovered");
  assert.equal(episode.before?.pid, before.pid);
  assert.deepEqual(intents(loop), ["restart"]);
  const log = await patient.log();
  assert.match(log, /admission closed: stop \(SIGTERM\)\nshutdown completed cleanly/);
  // A job that a person or the guard asked for is not one of systemd's automatic restarts.
  assert.equal(await patient.show("NRestarts"), "0");
  assert.equal(await lives(patient), 2);
  t.diagnostic(figures(episode));
});

test("a gateway that a person stopped stays down, and is watched again when the person starts it", async () => {
  await using patient = await watched();
  const { loop } = patient;
  const before = await loop.watching();
  await patient.systemctl("stop", gatewayUnit);
  await loop.until("it is gone", async () => isTrue((await loop.status()).stall === "gone"));
  const startsAt = new Date();
  await loop.deliver("down", { startsAt });
  await loop.until("the refusal", () => isTrue(decisions(loop).includes("stopped_on_purpose")));
  assert.equal(await patient.show("ActiveState"), "inactive");
  assert.equal(
    await loop.series('openclaw_guard_restart_blocked{gateway="main",refusal="stopped_on_purpose"}'),
    0,
    "people were told of what a person wanted",
  );

  await patient.systemctl("start", gatewayUnit);
  const after = await loop.watching();
  assert.notEqual(after.pid, before.pid);
  await loop.until("nothing is to be done", () => isTrue(decisions(loop).at(-1) === "recovered"));
  await loop.deliver("down", { startsAt, status: "resolved" });
  await loop.until("the episode ends", () => isTrue(loop.episodes()[0]?.outcome === "cancelled"));
  assert.deepEqual(intents(loop), []);
});

test("a crash is left to systemd, which starts the gateway after RestartSec", async () => {
  await using patient = await watched({ service: "RestartSec=8" });
  const { loop } = patient;
  const before = await loop.watching();
  await patient.ill({ fault: "crash" }).catch(() => undefined); // it may die before it answers
  await loop.until("it is gone", async () => isTrue((await loop.status()).stall === "gone"));
  const startsAt = new Date();
  await loop.deliver("down", { startsAt });
  await loop.until("the refusal", () => isTrue(decisions(loop).includes("starting")));
  const after = await loop.watching();
  assert.notEqual(after.pid, before.pid);
  await loop.until("nothing is to be done", () => isTrue(decisions(loop).at(-1) === "recovered"));
  await loop.deliver("down", { startsAt, status: "resolved" });
  await loop.until("the episode ends", () => isTrue(loop.episodes()[0]?.outcome === "cancelled"));
  assert.deepEqual(intents(loop), []);
  assert.equal(await patient.show("NRestarts"), "1");
  assert.equal(await lives(patient), 2);
});

test("a unit that would cut work lets the guard only observe: a hang is written down and not ended", async () => {
  await using patient = await watched({
    service: "KillMode=control-group\nTimeoutStopSec=90",
    settings: { hang: { confirm: "3s", probes: 2 } },
  });
  const { loop } = patient;
  await loop.until("it is seen", async () => isTrue((await loop.status()).stall === "alive"));
  const { mode, modeReasons } = await loop.until("the path is checked", async () => {
    const seen = await loop.status();
    return seen.modeReasons.some(({ reason }) => reason === "not_checked") ? undefined : seen;
  });
  assert.equal(mode, "observe");
  assert.deepEqual(
    modeReasons.map(({ reason }) => reason),
    ["stop_timeout_short", "kill_mode"],
  );
  for (const { problem, fix } of modeReasons) assert.ok(problem !== "" && fix.includes("daemon-reload"));
  assert.equal(await loop.series('openclaw_guard_mode{gateway="main",mode="observe"}'), 1);
  assert.equal(await loop.series('openclaw_guard_mode{gateway="main",mode="enforce"}'), 0);
  for (const [reason, value] of Object.entries({ kill_mode: 1, stop_timeout_short: 1, unit_disabled: 0 }))
    assert.equal(
      await loop.series(`openclaw_guard_mode_downgraded{gateway="main",reason="${reason}"}`),
      value,
    );

  await patient.ill({ fault: "hang", forMs: 60_000 });
  await loop.until("the hang is long enough", async () =>
    isTrue(((await loop.series('openclaw_gateway_unresponsive_seconds{gateway="main"}')) ?? 0) >= 3),
  );
  await loop.deliver("hang", { startsAt: new Date() });
  const observing = await loop.until("the decision", () =>
    loop.entries().find((entry) => entry.kind === "decided" && entry.decision === "observing"),
  );
  assert.equal(observing.kind === "decided" && observing.wouldHave, "restart");
  assert.deepEqual(intents(loop), []);
  assert.equal(await lives(patient), 1);
});

test("no cgroup and no mount of these tests is left", async () => {
  assert.deepEqual(await remains(), []);
});

/** How often the gateway has been started. */
const lives = async (patient: Patient) => [...(await patient.log()).matchAll(/^gateway ready$/gm)].length;

const isTrue = (fact: boolean): true | undefined => (fact ? true : undefined);
const decisions = (loop: Loop) =>
  loop.entries().flatMap((entry) => (entry.kind === "decided" ? [entry.decision] : []));
const intents = (loop: Loop) =>
  loop.entries().flatMap((entry) => (entry.kind === "intended" ? [entry.step] : []));
const stepSaid = (loop: Loop, step: string) =>
  loop
    .entries()
    .flatMap((entry) => (entry.kind === "stepped" && entry.step === step ? [entry.detail] : []))
    .join();
