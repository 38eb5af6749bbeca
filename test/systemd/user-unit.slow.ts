// The gateway as a unit of a real `systemd --user`: every verb, every state that a decision reads, and nothing left behind.
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { minutes, seconds } from "../../src/core/time.ts";
import { systemdAction } from "../../src/remedy/systemd.ts";
import { eventually, everyAction, patient, type Subject } from "../remedy/action-suite.ts";
import { remains } from "../support/remains.ts";
import { lifeIn, tinyGateway } from "../support/tiny-gateway.ts";
import { startUserManager, type UserManager } from "../support/user-manager.ts";

const gatewayUnit = (folder: string, service: string, unit = "") => `[Unit]
${unit}
[Service]
ExecStart=${process.execPath} ${tinyGateway} ${folder} 100
KillMode=mixed
TimeoutStopSec=330
RestartSec=1
${service}
[Install]
WantedBy=default.target
`;

const systemctl = async (manager: UserManager, ...args: readonly string[]) =>
  await manager.run(
    [
      "/usr/bin/env",
      ...Object.entries(manager.env).map(([k, v]) => `${k}=${v}`),
      "systemctl",
      "--user",
      ...args,
    ],
    { deadline: seconds(20), signal: patient() },
  );

type Supervised = Subject & { readonly manager: UserManager };

async function supervised(service = "Restart=always", unit = ""): Promise<Supervised> {
  const manager = await startUserManager((folder) => ({ "gw.service": gatewayUnit(folder, service, unit) }));
  await systemctl(manager, "enable", "gw");
  await systemctl(manager, "start", "gw");
  await eventually("the first life", () => lifeIn(manager.folder));
  return {
    manager,
    action: systemdAction({ unit: "gw", scope: "user", run: manager.run, env: manager.env }),
    life: () => lifeIn(manager.folder),
    [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
  };
}

/** A systemctl that does what `text` says, in front of a manager that is up. */
async function withSystemctl(text: string): Promise<Subject> {
  const subject = await supervised();
  const program = join(subject.manager.folder, "systemctl");
  await writeFile(program, text);
  await chmod(program, 0o755);
  const { run, env } = subject.manager;
  return {
    action: systemdAction({ unit: "gw", scope: "user", run, env, systemctl: program }),
    life: () => subject.life(),
    [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose](),
  };
}

everyAction("systemd --user", {
  healthy: supervised,
  hanging: () => withSystemctl("#!/bin/sh\nexec sleep 3\n"),
  failing: () => withSystemctl("#!/bin/sh\necho 'Access denied' >&2\nexit 4\n"),
  async gone() {
    const manager = await startUserManager(() => ({}));
    return {
      action: systemdAction({ unit: "gw", scope: "user", run: manager.run, env: manager.env }),
      life: async () => undefined,
      [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
    };
  },
});

test("a running unit is read with its pid, its stop time and its kill mode", async () => {
  await using subject = await supervised();
  const reading = await subject.action.inspect(patient());
  const { pid } = JSON.parse(await readFile(join(subject.manager.folder, "address"), "utf8")) as {
    pid: number;
  };
  assert.deepEqual(reading, {
    reachable: true,
    problem: undefined,
    state: "running",
    stoppedOnPurpose: false,
    mainPid: pid,
    restarts: 0,
    exitStatus: undefined,
    latched: false,
    stopTimeout: minutes(5.5),
    killMode: "mixed",
    restartDelay: seconds(1),
    // systemd's own defaults: the unit sets none.
    startLimit: { burst: 5, interval: seconds(10) },
  });
});

test("a restart is accepted at once, while the gateway still drains", async () => {
  await using subject = await supervised("ExecStopPost=/bin/sleep 0.5");
  const before = await subject.life();
  await subject.action.restart(patient());
  assert.equal((await subject.action.inspect(patient())).state, "stopping");
  await eventually("a new life", async () => {
    const life = await subject.life();
    return life === before ? undefined : life;
  });
});

test("a clean stop by a person is a stop on purpose", async () => {
  await using subject = await supervised();
  await systemctl(subject.manager, "stop", "gw");
  const reading = await subject.action.inspect(patient());
  assert.equal(reading.state, "stopped");
  assert.equal(reading.stoppedOnPurpose, true);
  assert.equal(reading.mainPid, undefined);
});

test("a killed gateway waits for its automatic restart, which is counted", async () => {
  await using subject = await supervised();
  await systemctl(subject.manager, "kill", "--signal=KILL", "--kill-who=main", "gw");
  const waiting = await eventually("the wait", async () => {
    const reading = await subject.action.inspect(patient());
    return reading.state === "waiting_to_restart" ? reading : undefined;
  });
  assert.equal(waiting.stoppedOnPurpose, false);
  assert.equal(waiting.exitStatus, 137);
  const back = await eventually("the restart", async () => {
    const reading = await subject.action.inspect(patient());
    return reading.state === "running" ? reading : undefined;
  });
  assert.equal(back.restarts, 1);
});

test("a configuration error shows its exit status 78 and is not a latch", async () => {
  const manager = await startUserManager(() => ({
    "gw.service": "[Service]\nExecStart=/bin/sh -c 'exit 78'\nRestart=always\nRestartPreventExitStatus=78\n",
  }));
  await using _ = manager;
  const action = systemdAction({ unit: "gw", scope: "user", run: manager.run, env: manager.env });
  await action.start(patient());
  const reading = await eventually("the failure", async () => {
    const now = await action.inspect(patient());
    return now.state === "failed" ? now : undefined;
  });
  assert.equal(reading.exitStatus, 78);
  assert.equal(reading.latched, false);
  assert.equal(reading.stoppedOnPurpose, false);
});

test("a start limit latches the unit; clearing it makes a start possible again", async () => {
  await using subject = await supervised(
    "Restart=always\nRestartSec=100ms",
    "StartLimitBurst=2\nStartLimitIntervalSec=300",
  );
  const state = async () => await subject.action.inspect(patient());
  const life = await subject.life();
  await systemctl(subject.manager, "kill", "--signal=KILL", "gw");
  await eventually("the second life", async () => otherThan(life, await subject.life()));
  await systemctl(subject.manager, "kill", "--signal=KILL", "gw");
  const latched = await eventually("the latch", async () => {
    const now = await state();
    return now.state === "failed" ? now : undefined;
  });
  assert.equal(latched.latched, true);
  await subject.action.clearFailure(patient());
  assert.equal((await state()).latched, false);
  await subject.action.start(patient());
  await eventually("the third life", async () => otherThan(undefined, await subject.life()));
});

test("a unit that is disabled, stops too soon or kills the whole group is found, with what to type", async () => {
  await using subject = await supervised("TimeoutStopSec=90\nKillMode=control-group");
  await systemctl(subject.manager, "disable", "gw");
  const findings = await subject.action.check(patient());
  assert.deepEqual(
    findings.map((finding) => finding.reason),
    ["unit_disabled", "stop_timeout_short", "kill_mode"],
  );
  assert.match(findings[1]?.problem ?? "", /killed 1min 30s after/);
});

test("the fixes of the findings are commands that cure them", async () => {
  await using subject = await supervised("TimeoutStopSec=90\nKillMode=control-group");
  for (const { fix } of await subject.action.check(patient()))
    await subject.manager.run(
      [
        "/usr/bin/env",
        ...Object.entries(subject.manager.env).map(([k, v]) => `${k}=${v}`),
        "/bin/sh",
        "-c",
        // The manager of this test reads its units from another place than a user's home.
        fix.replaceAll("~/.config", "/run/sd-user/config"),
      ],
      { deadline: seconds(20), signal: patient() },
    );
  assert.deepEqual(await subject.action.check(patient()), []);
});

test("a masked unit is neither started nor taken for a fault", async () => {
  await using subject = await supervised();
  await systemctl(subject.manager, "stop", "gw");
  await systemctl(subject.manager, "disable", "gw");
  await systemctl(subject.manager, "mask", "--runtime", "gw").catch(() => undefined);
  const reading = await subject.action.inspect(patient());
  assert.equal(reading.stoppedOnPurpose, true);
  assert.deepEqual(
    (await subject.action.check(patient())).map((finding) => finding.reason),
    ["unit_disabled"],
  );
});

test("a manager that is gone is unreachable, and is not an exception", async () => {
  await using subject = await supervised();
  const { manager } = subject;
  const elsewhere = { ...manager.env, XDG_RUNTIME_DIR: join(manager.folder, "nothing-here") };
  const action = systemdAction({ unit: "gw", scope: "user", run: manager.run, env: elsewhere });
  const reading = await action.inspect(patient());
  assert.equal(reading.reachable, false);
  assert.match(reading.problem ?? "", /Failed to connect to bus/);
  const [finding] = await action.check(patient());
  assert.equal(finding?.reason, "supervisor_unreachable");
  assert.match(finding?.fix ?? "", /enable-linger .*XDG_RUNTIME_DIR=\/run\/user\/\d+/);
  await assert.rejects(action.restart(patient()), /Failed to connect to bus/);
});

test("a killed manager takes its gateway with it and leaves nothing on this machine", async () => {
  await using subject = await supervised();
  await subject.manager.kill();
  await eventually("the end of the gateway", async () =>
    (await subject.life()) === undefined ? true : undefined,
  );
  assert.equal((await subject.action.inspect(patient())).reachable, false);
});

test("no cgroup and no mount of these tests is left", async () => {
  assert.deepEqual(await remains(), []);
});

const otherThan = (before: string | undefined, now: string | undefined) => (now === before ? undefined : now);
