// What systemctl is asked and how its answers are read, with a script in its place; the real manager is in test/systemd.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { days, hours, minutes, ms, seconds } from "../../src/core/time.ts";
import { run } from "../../src/platform/exec.ts";
import { systemdAction } from "../../src/remedy/systemd.ts";
import { parseShow, parseTimespan, readingOf, type Shown } from "../../src/remedy/unit.ts";
import { patient } from "./action-suite.ts";

test("lengths of time are read as systemd prints them, and nothing else is", () => {
  const table: readonly [string | undefined, number | undefined][] = [
    ["5min 30s", seconds(330)],
    ["1min 30s", seconds(90)],
    ["100ms", 100],
    ["1.250s", 1250],
    ["2h 1ms", hours(2) + 1],
    ["1w 2d", days(9)],
    ["500us", 0.5],
    ["0", 0],
    ["infinity", Number.POSITIVE_INFINITY],
    ["", undefined],
    [undefined, undefined],
    ["90", undefined],
    ["5 min", undefined],
    ["-5s", undefined],
    ["5minutes", undefined],
    ["[not set]", undefined],
  ];
  for (const [text, length] of table) assert.equal(parseTimespan(text), length, `${text}`);
});

// A gateway's unit as `systemctl show` describes it while all is well.
const running: Shown = parseShow(`SystemState=running
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
FreezerState=running
MainPID=4242
NRestarts=3
Result=success
ExecMainCode=0
ExecMainStatus=0
TimeoutStopUSec=5min 30s
KillMode=mixed
Restart=always
RestartPreventExitStatus=78
RestartUSec=5s
InvocationID=4de3dc172f35433083b54e4a36eb2716`);

test("a unit that runs is read in full", () => {
  assert.deepEqual(readingOf(running), {
    reachable: true,
    problem: undefined,
    state: "running",
    stoppedOnPurpose: false,
    mainPid: 4242,
    restarts: 3,
    exitStatus: undefined,
    latched: false,
    stopTimeout: minutes(5.5),
    killMode: "mixed",
    restartDelay: seconds(5),
  });
});

type Wanted = Partial<Record<"state" | "stoppedOnPurpose" | "latched" | "exitStatus", unknown>>;

const stories: readonly [string, Shown, Wanted][] = [
  ["a restart in progress", { ActiveState: "deactivating", SubState: "stop-sigterm" }, { state: "stopping" }],
  [
    "a start in progress",
    { ActiveState: "activating", SubState: "start" },
    { state: "starting", stoppedOnPurpose: false },
  ],
  [
    "the wait for the own restart",
    { ActiveState: "activating", SubState: "auto-restart" },
    { state: "waiting_to_restart" },
  ],
  [
    "the same, in later versions",
    { ActiveState: "activating", SubState: "auto-restart-queued" },
    { state: "waiting_to_restart" },
  ],
  [
    "a stop by a person",
    { ActiveState: "inactive", SubState: "dead" },
    { state: "stopped", stoppedOnPurpose: true },
  ],
  [
    "a stop by a person while systemd waited to restart a crash",
    { ActiveState: "inactive", SubState: "dead", Result: "signal", ExecMainCode: "2", ExecMainStatus: "9" },
    { state: "stopped", stoppedOnPurpose: true, latched: false, exitStatus: 137 },
  ],
  [
    "a unit that was disabled and crashed",
    { ActiveState: "failed", Result: "signal", UnitFileState: "disabled", Restart: "no" },
    { state: "failed", stoppedOnPurpose: true, latched: false },
  ],
  [
    "a unit that is disabled and runs",
    { UnitFileState: "disabled" },
    { state: "running", stoppedOnPurpose: false },
  ],
  [
    "a masked unit",
    { LoadState: "masked", ActiveState: "inactive" },
    { state: "stopped", stoppedOnPurpose: true },
  ],
  [
    "a unit that went missing",
    { LoadState: "not-found", ActiveState: "inactive" },
    { stoppedOnPurpose: false },
  ],
  ["a frozen cgroup", { FreezerState: "frozen" }, { state: "running", stoppedOnPurpose: true }],
  ["a system that goes down", { SystemState: "stopping" }, { stoppedOnPurpose: true }],
  [
    "a service whose process ended well and that stays active",
    { SubState: "exited" },
    { state: "stopped", stoppedOnPurpose: true },
  ],
  [
    "a configuration error",
    { ActiveState: "failed", Result: "exit-code", ExecMainCode: "1", ExecMainStatus: "78" },
    { state: "failed", exitStatus: 78, latched: false, stoppedOnPurpose: false },
  ],
  [
    "an out-of-memory kill that reached the start limit",
    { ActiveState: "failed", Result: "oom-kill", ExecMainCode: "2", ExecMainStatus: "9" },
    { state: "failed", exitStatus: 137, latched: true },
  ],
  [
    "a person's start that was refused by the limit",
    { ActiveState: "failed", Result: "start-limit-hit", Restart: "no" },
    { state: "failed", latched: true },
  ],
  [
    "a crash that the policy does not restart",
    {
      ActiveState: "failed",
      Result: "exit-code",
      Restart: "on-abnormal",
      ExecMainCode: "1",
      ExecMainStatus: "1",
    },
    { state: "failed", exitStatus: 1, latched: false },
  ],
  [
    "an abort",
    { ActiveState: "failed", Result: "core-dump", ExecMainCode: "3", ExecMainStatus: "6" },
    { exitStatus: 134 },
  ],
  [
    "a state of a version to come",
    { ActiveState: "contemplating" },
    { state: "unknown", stoppedOnPurpose: false },
  ],
];

for (const [name, changes, wanted] of stories)
  test(`${name} is read as such`, () => {
    const reading = readingOf({ ...running, ...changes });
    for (const [key, value] of Object.entries(wanted))
      assert.equal(Object.entries(reading).find(([field]) => field === key)?.[1], value, key);
  });

test("an answer that is empty or of another shape leaves everything unknown", () => {
  const reading = readingOf(parseShow("\n=x\nno equals sign\n"));
  assert.equal(reading.state, "unknown");
  assert.equal(reading.stoppedOnPurpose, false);
  assert.equal(reading.stopTimeout, undefined);
  assert.notEqual(reading.problem, undefined);
});

test("names that are no service's are refused before anything runs", () => {
  for (const unit of ["", "-H evil", "--root=/", "gw service", "a/b", "gw.socket", "gw;reboot", "ü"])
    assert.throws(() => systemdAction({ unit, scope: "user", run }), TypeError, unit);
  systemdAction({ unit: "openclaw-gateway-work@1.service", scope: "system", run });
});

test("each verb is one argv, without waiting, without a password, in words that no language changes", async () => {
  await using systemctl = await scripted('printf "%s " "$LC_ALL" "$@" >> "$0.calls"; echo >> "$0.calls"');
  for (const scope of ["user", "system"] as const) {
    const action = systemdAction({ unit: "gw", scope, run, systemctl: systemctl.path });
    await action.restart(patient());
    await action.start(patient());
    await action.clearFailure(patient());
  }
  assert.deepEqual((await readFile(`${systemctl.path}.calls`, "utf8")).trim().split(" \n"), [
    "C --user --no-ask-password restart --no-block -- gw.service",
    "C --user --no-ask-password start --no-block -- gw.service",
    "C --user --no-ask-password reset-failed -- gw.service",
    "C --system --no-ask-password restart --no-block -- gw.service",
    "C --system --no-ask-password start --no-block -- gw.service",
    "C --system --no-ask-password reset-failed -- gw.service".trim(),
  ]);
});

test("a user's manager is looked for where logind puts it when the environment does not say", async () => {
  await using systemctl = await scripted('echo "$XDG_RUNTIME_DIR" > "$0.seen"');
  const seen = async (env: Record<string, string>) => {
    await systemdAction({ unit: "gw", scope: "user", run, systemctl: systemctl.path, env }).start(patient());
    return (await readFile(`${systemctl.path}.seen`, "utf8")).trim();
  };
  assert.match(await seen({}), /^\/run\/user\/\d+$/);
  assert.equal(await seen({ XDG_RUNTIME_DIR: "/run/user/other" }), "/run/user/other");
});

test("no systemctl, no bus, no answer and no permission are four different sentences", async () => {
  const problem = async (text: string | undefined, signal = patient()) => {
    await using systemctl = text === undefined ? undefined : await scripted(text);
    const action = systemdAction({
      unit: "gw",
      scope: "user",
      run,
      systemctl: systemctl?.path ?? "/nowhere/systemctl",
    });
    const reading = await action.inspect(signal);
    assert.equal(reading.reachable, false);
    assert.equal(reading.state, "unknown");
    const [finding] = await action.check(signal);
    assert.equal(finding?.reason, "supervisor_unreachable");
    return `${reading.problem} | ${finding?.fix}`;
  };
  assert.match(await problem(undefined), /No such file.*\| systemctl is not on this host/);
  assert.match(
    await problem("echo 'Failed to connect to bus: No medium found' >&2; exit 1"),
    /exited 1: Failed to connect to bus: No medium found \| .*enable-linger/,
  );
  assert.match(await problem("exec sleep 3", AbortSignal.timeout(200)), /failed|ended/);
  assert.match(await problem("echo 'Operation not permitted' >&2; exit 1"), /as the user who owns the unit/);
});

test("missing, masked and broken units are found; a unit as OpenClaw writes it is not", async () => {
  const reasons = async (changes: Shown, drain = seconds(330)) => {
    const shown = Object.entries({ ...running, ...changes }).map(([key, value]) => `${key}=${value}`);
    await using systemctl = await scripted(`cat <<'END'\n${shown.join("\n")}\nEND`);
    const action = systemdAction({ unit: "gw", scope: "system", run, systemctl: systemctl.path, drain });
    return (await action.check(patient())).map((finding) => finding.reason);
  };
  assert.deepEqual(await reasons({}), []);
  assert.deepEqual(await reasons({ LoadState: "not-found" }), ["unit_missing"]);
  assert.deepEqual(await reasons({ LoadState: "bad-setting" }), ["unit_missing"]);
  assert.deepEqual(await reasons({ LoadState: "masked" }), ["unit_disabled"]);
  assert.deepEqual(await reasons({ UnitFileState: "static" }), []);
  assert.deepEqual(await reasons({ TimeoutStopUSec: "5min 29s" }), ["stop_timeout_short"]);
  assert.deepEqual(await reasons({ TimeoutStopUSec: "infinity" }), []);
  assert.deepEqual(await reasons({ TimeoutStopUSec: "90s" }, ms(60_000)), []);
  assert.deepEqual(await reasons({ TimeoutStopUSec: "" }), ["stop_timeout_short"]);
  assert.deepEqual(await reasons({ KillMode: "control-group" }), ["kill_mode"]);
  assert.deepEqual(await reasons({ KillMode: "process" }), []);
});

test("the fix for a system unit is a drop-in that any shell can write", async () => {
  const shown = { ...running, TimeoutStopUSec: "30s" };
  await using systemctl = await scripted(
    `cat <<'END'\n${Object.entries(shown)
      .map(([key, value]) => `${key}=${value}`)
      .join("\n")}\nEND`,
  );
  const [finding] = await systemdAction({
    unit: "gw",
    scope: "system",
    run,
    systemctl: systemctl.path,
  }).check(patient());
  assert.equal(
    finding?.fix,
    "sudo mkdir -p /etc/systemd/system/gw.service.d && printf '[Service]\\nTimeoutStopSec=330\\n' | sudo tee /etc/systemd/system/gw.service.d/openclaw-guard-stop.conf && sudo systemctl daemon-reload",
  );
});

/** A program in the place of systemctl. */
async function scripted(text: string): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "guard-systemctl-"));
  const path = join(folder, "systemctl");
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
