// How does a test get a `systemd --user` of its own? Through sd-user; commands are then run inside its namespaces.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../src/platform/exec.ts";
import type { Run } from "../../src/remedy/action.ts";
import { findBelow } from "./processes.ts";
import { cgroupName } from "./remains.ts";

export type UserManager = AsyncDisposable & {
  /** A folder of the test's own that the units can write to as well. */
  readonly folder: string;
  /** Runs a program inside, where the manager can be reached; its environment says where. */
  readonly run: Run;
  readonly env: Readonly<Record<string, string>>;
  /** Ends the manager as a crash would, and with it everything that it runs. */
  kill(): Promise<void>;
};

/** Starts a manager that knows these units (file name to text, or the folder's path to text); it ends when disposed of. */
export async function startUserManager(
  units: (folder: string) => Readonly<Record<string, string>>,
): Promise<UserManager> {
  const folder = await mkdtemp(join(tmpdir(), "guard-user-manager-"));
  const unitFolder = await mkdtemp(join(folder, "units-"));
  for (const [name, text] of Object.entries(units(folder))) await writeFile(join(unitFolder, name), text);
  const child = spawn(
    fileURLToPath(new URL("./sd-user", import.meta.url)),
    // It waits for the end of its input, so it ends with us, however we end.
    [unitFolder, "sh", "-c", "echo up; exec cat"],
    {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, SD_LOG: join(folder, "systemd.log"), CG_NAME: cgroupName() },
    },
  );
  const exited = once(child, "exit");
  const up = await Promise.race([once(child.stdout, "data").then(() => true), exited.then(() => false)]);
  if (!up) {
    const log = await readFile(join(folder, "systemd.log"), "utf8").catch(() => "");
    await rm(folder, { recursive: true, force: true });
    throw new Error(`sd-user: exited ${child.exitCode} before the manager was up\n${log}`);
  }
  const first = await findBelow(child.pid ?? 0, firstOfItsNamespace);
  if (first === undefined)
    throw new Error("sd-user: the manager is up, but its namespace is not to be found");
  const inside: Run = async (argv, options) =>
    await run(["nsenter", "--target", `${first}`, "--mount", "--pid", "--cgroup", "--", ...argv], options);
  const gone = async () => {
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return {
    folder,
    run: inside,
    env: { XDG_RUNTIME_DIR: `/run/user/${process.getuid?.() ?? 0}` },
    async kill() {
      process.kill(first, "SIGKILL");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await gone();
    },
  };
}

// The first process of the new pid namespace is the only one there that is its own number 1.
const firstOfItsNamespace = async (folder: string) =>
  /^NSpid:\t\d+\t1$/m.test(await readFile(`${folder}/status`, "utf8"));
