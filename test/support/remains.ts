// What did the tests with a systemd of their own leave on this machine? It must be nothing.
import { readdir, readFile } from "node:fs/promises";
import { seconds } from "../../src/core/time.ts";
import { run } from "../../src/platform/exec.ts";

// Another run on the same machine has a process, and so names, of its own.
const ours = `guard-test-${process.pid}`;
let count = 0;

/** A name for a cgroup of this test process, for CG_NAME. */
export const cgroupName = (): string => `${ours}-${++count}`;

/** Where this test process binds the machine's root for a booted system, for SD_ROOT. */
export const systemRoot = `/var/lib/${ours}-root`;

/** One line for each cgroup, mount and folder of this test process that is still there. */
export async function remains(): Promise<readonly string[]> {
  const { stdout } = await run(["find", "/sys/fs/cgroup", "-name", `${ours}-*`], {
    deadline: seconds(10),
    signal: new AbortController().signal,
  });
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const left = [
    ...stdout.split("\n"),
    ...mounts.filter((line) => line.includes(`${ours}-`)),
    ...(await readdir("/var/lib")).filter((name) => name.includes(`${ours}-`)),
  ];
  // With it every program would believe that systemd runs this machine.
  const runsHere = (await readFile("/proc/1/comm", "utf8")).trim() === "systemd";
  if (!runsHere && (await readdir("/run/systemd/system").catch(() => undefined)) !== undefined)
    left.push("/run/systemd/system");
  return left.filter((line) => line !== "");
}
