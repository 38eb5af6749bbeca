// The operator's own commands: small scripts that start, stop, refuse, hang, and outlive the guard.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ms, seconds } from "../../src/core/time.ts";
import { ExecError, run } from "../../src/platform/exec.ts";
import { commandAction } from "../../src/remedy/command.ts";
import { lifeIn, tinyGateway } from "../support/tiny-gateway.ts";
import { eventually, everyAction, patient, type Subject } from "./action-suite.ts";

// A supervisor in a few lines, idempotent as an operator's script should be.
const supervisor = `#!/bin/bash
cd "$(dirname "$0")"
alive() { # a zombie is dead, however late PID 1 collects it
  [ -s pid ] || return 1
  case $(cut -d ' ' -f 3 "/proc/$(cat pid)/stat" 2>/dev/null) in "" | Z) return 1 ;; esac
}
start() {
  alive && return
  rm -f address
  setsid ${process.execPath} ${tinyGateway} "$PWD" > /dev/null 2>&1 & echo $! > pid
  for _ in {1..200}; do [ -e address ] && return; sleep 0.05; done; exit 1
}
stop() { alive || return; kill "$(cat pid)"; while alive; do sleep 0.02; done; }
case $1 in
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  status) alive || exit 3 ;;
esac
`;

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "guard-command-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function script(path: string, text: string): Promise<string> {
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

async function supervised(): Promise<Subject & { readonly path: string; readonly program: string }> {
  const place = await folder();
  const program = await script(join(place.path, "supervisor"), supervisor);
  const call = async (verb: string) =>
    await run([program, verb], { deadline: seconds(20), signal: patient() });
  await call("start");
  return {
    path: place.path,
    program,
    action: commandAction({
      start: [program, "start"],
      restart: [program, "restart"],
      status: [program, "status"],
      run,
      logPath: join(place.path, "commands.log"),
    }),
    life: () => lifeIn(place.path),
    async [Symbol.asyncDispose]() {
      await call("stop");
      await place[Symbol.asyncDispose]();
    },
  };
}

/** Start, restart and status all run the same script. */
async function withScript(text: string): Promise<Subject> {
  const place = await folder();
  const program = await script(join(place.path, "does"), text);
  return {
    action: commandAction({ start: [program], restart: [program], status: [program], run }),
    life: async () => undefined,
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

everyAction("command", {
  healthy: supervised,
  // It ends by itself soon after the test; nothing of ours may be left.
  hanging: () => withScript("#!/bin/sh\nexec sleep 3\n"),
  failing: () => withScript("#!/bin/sh\necho 'no such app' >&2\nexit 7\n"),
  async gone() {
    const place = await folder();
    const program = join(place.path, "nowhere");
    return {
      action: commandAction({ start: [program], restart: [program], run }),
      life: async () => undefined,
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    };
  },
});

test("a stopped gateway is read as stopped, and started", async () => {
  await using subject = await supervised();
  await run([subject.program, "stop"], { deadline: seconds(20), signal: patient() });
  const reading = await subject.action.inspect(patient());
  assert.equal(reading.reachable, true);
  assert.equal(reading.state, "stopped");
  await subject.action.start(patient());
  await eventually("a life", () => subject.life());
});

test("a status that exits neither 0 nor 3 is an unreachable supervisor", async () => {
  await using subject = await withScript("#!/bin/sh\necho 'cannot connect to daemon' >&2\nexit 4\n");
  const [finding, ...more] = await subject.action.check(patient());
  assert.equal(finding?.reason, "supervisor_unreachable");
  assert.match(finding?.problem ?? "", /exited 4: cannot connect to daemon/);
  assert.deepEqual(more, []);
  assert.equal((await subject.action.inspect(patient())).reachable, false);
});

test("a file that may not be executed, a folder and a bare name off PATH are not programs", async () => {
  await using place = await folder();
  const plain = join(place.path, "plain");
  await writeFile(plain, "#!/bin/sh\n");
  const action = commandAction({
    start: [plain],
    restart: [place.path],
    status: ["no-such-program-here"],
    run,
    env: { PATH: "/usr/bin:/bin" },
  });
  const findings = await action.check(patient());
  assert.deepEqual(
    findings.map((finding) => finding.reason),
    ["command_missing", "command_missing", "command_missing"],
  );
});

test("a bare name is looked for on the PATH that the commands get", async () => {
  await using place = await folder();
  await script(join(place.path, "does-it"), "#!/bin/sh\nexit 0\n");
  const argv = ["does-it"];
  const action = commandAction({
    start: argv,
    restart: argv,
    run,
    env: { PATH: `${place.path}:/usr/bin:/bin` },
  });
  assert.deepEqual(await action.check(patient()), []);
  await action.start(patient());
});

test("without a restart command enforce is not earned", async () => {
  const action = commandAction({ start: ["/bin/true"], run });
  assert.deepEqual(
    (await action.check(patient())).map((finding) => [finding.reason, finding.problem]),
    [["command_missing", "restart: no command is configured"]],
  );
  await assert.rejects(action.restart(patient()), /restart: no restart command is configured/);
});

test("a restart that overruns its deadline is reported and left to finish", async () => {
  await using place = await folder();
  const done = join(place.path, "done");
  const program = await script(join(place.path, "slow"), `#!/bin/sh\nsleep 1\ntouch ${done}\n`);
  const action = commandAction({ start: [program], restart: [program], run, restartDeadline: ms(100) });
  await assert.rejects(action.restart(patient()), /has not ended after 0\.1 s and is left to finish/);
  await eventually("its end", async () => await exists(done));
});

test("a start command that becomes the gateway counts as accepted", async () => {
  await using place = await folder();
  const argv = [process.execPath, tinyGateway, place.path];
  const action = commandAction({ start: argv, restart: argv, run, startDeadline: ms(300) });
  await action.start(patient());
  await eventually("a life", () => lifeIn(place.path));
  const { pid } = JSON.parse(await readFile(join(place.path, "address"), "utf8")) as { pid: number };
  process.kill(pid, "SIGKILL");
});

test("a restart goes on when the guard dies in the middle of it", async () => {
  await using place = await folder();
  const [begun, done] = [join(place.path, "begun"), join(place.path, "done")];
  const program = await script(
    join(place.path, "slow"),
    `#!/bin/sh\ntouch ${begun}\nsleep 1\necho loud\ntouch ${done}\n`,
  );
  const guard = spawn(
    process.execPath,
    [fileURLToPath(new URL("../support/restarts-by-command.ts", import.meta.url)), program],
    { stdio: "ignore", detached: true },
  );
  await eventually("its beginning", async () => await exists(begun));
  // The whole process group, as a terminal or a supervisor does it.
  process.kill(-(guard.pid ?? assert.fail("it was not started")), "SIGKILL");
  await once(guard, "exit");
  assert.equal(await exists(done), undefined);
  await eventually("its end", async () => await exists(done));
});

test("a gateway started by a guard inside a unit does not inherit that unit", async () => {
  await using place = await folder();
  const seen = join(place.path, "env");
  const program = await script(join(place.path, "does"), `#!/bin/sh\nenv > ${seen}\n`);
  const env = {
    PATH: "/usr/bin:/bin",
    INVOCATION_ID: "x",
    JOURNAL_STREAM: "1:2",
    NOTIFY_SOCKET: "/x",
    KEPT: "yes",
  };
  await commandAction({ start: [program], restart: [program], run, env }).start(patient());
  const text = await readFile(seen, "utf8");
  assert.match(text, /^KEPT=yes$/m);
  assert.doesNotMatch(text, /INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET/);
});

test("arguments reach the program as they are, through no shell", async () => {
  await using place = await folder();
  await mkdir(join(place.path, "out"));
  const seen = join(place.path, "out", "args");
  const program = await script(join(place.path, "does"), `#!/bin/sh\nprintf '%s|' "$@" > ${seen}\n`);
  const argv = [program, "$(exit 9)", "a b", "; exit 9", "*"];
  await commandAction({ start: argv, restart: argv, run }).start(patient());
  assert.equal(await readFile(seen, "utf8"), "$(exit 9)|a b|; exit 9|*|");
});

test("a program that cannot be started is an error of its own", async () => {
  const action = commandAction({ start: ["/nowhere/at/all"], restart: ["/nowhere/at/all"], run });
  await assert.rejects(
    action.start(patient()),
    (error) => error instanceof ExecError && error.code === "ENOENT",
  );
});

async function exists(path: string): Promise<true | undefined> {
  return await readFile(path).then(
    () => true as const,
    () => undefined,
  );
}
