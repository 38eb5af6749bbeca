// How does a test get a systemd of its own that is PID 1? Through sd-system; commands are then run inside what it booted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { seconds } from "../../src/core/time.ts";
import { monotonic, sleep } from "../../src/platform/clock.ts";
import { run } from "../../src/platform/exec.ts";
import type { Run } from "../../src/remedy/action.ts";
import { findBelow } from "./processes.ts";
import { cgroupName, systemRoot } from "./remains.ts";

export type SystemManager = AsyncDisposable & {
  /** Runs a program inside, as root. */
  readonly run: Run;
};

/** Where node and the folder of these files are found inside: a booted system has a /tmp of its own, and may hide ours. */
export const inside = { node: "/opt/guard-test/node/node", support: "/opt/guard-test/support" };

// systemd(1): SIGRTMIN+4 asks the first process to power off; Linux with glibc has SIGRTMIN at 34.
const powerOff = 34 + 4;

/** Boots systemd with these units (file name to text); it is powered off when disposed of. */
export async function bootSystemManager(units: Readonly<Record<string, string>>): Promise<SystemManager> {
  const folder = await mkdtemp(join(tmpdir(), "guard-system-"));
  const target = "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=dbus.service\nAllowIsolate=yes\n";
  for (const [name, text] of Object.entries({ ...units, "guard-test.target": target }))
    await writeFile(join(folder, name), text);
  const support = fileURLToPath(new URL(".", import.meta.url));
  const child = spawn(
    join(support, "sd-system"),
    [
      folder,
      "guard-test.target",
      `--bind-ro=${support}:${inside.support}`,
      `--bind-ro=${dirname(process.execPath)}:${dirname(inside.node)}`,
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SD_ROOT: systemRoot, CG_NAME: cgroupName() },
    },
  );
  let words = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (words = (words + text).slice(-4000)));
  const exited = once(child, "exit");
  const end = async (first: number | undefined) => {
    // Killing our child would orphan what it booted; its first process takes all with it.
    if (first !== undefined && child.exitCode === null) process.kill(first, powerOff);
    else child.kill("SIGTERM");
    await exited;
    await rm(folder, { recursive: true, force: true });
    // Only the empty folder: in the namespaces that are now gone it was this machine's root.
    await rmdir(systemRoot).catch(() => undefined);
  };

  let first: number | undefined;
  const enter: Run = async (argv, options) =>
    await run(["nsenter", "-t", `${first}`, "-m", "-p", "-u", "-i", "-C", "--", ...argv], options);
  const begun = monotonic();
  for (;;) {
    first ??= await findBelow(child.pid ?? 0, bootedFirst);
    if (first !== undefined && (await isUp(enter))) break;
    if (child.exitCode !== null || monotonic() - begun > seconds(30)) {
      await end(first);
      throw new Error(`sd-system: not up (exit ${child.exitCode})\n${words}`);
    }
    await sleep(seconds(0.02), new AbortController().signal);
  }
  const booted = first;
  return { run: enter, [Symbol.asyncDispose]: async () => await end(booted) };
}

const bootedFirst = async (folder: string) =>
  /^\/usr\/lib\/systemd\/systemd\0--unit=guard-test\.target\0$/.test(
    await readFile(`${folder}/cmdline`, "utf8"),
  );

async function isUp(enter: Run): Promise<boolean> {
  try {
    const { stdout } = await enter(["systemctl", "is-active", "guard-test.target"], {
      deadline: seconds(5),
      signal: new AbortController().signal,
    });
    return stdout.trim() === "active";
  } catch {
    return false;
  }
}
