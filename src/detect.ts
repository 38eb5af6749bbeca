// Which gateway runs on this host, and who would restart it? One look at the owner of the port.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gatewayCollectors } from "./collect/index.ts";
import type { Detected } from "./operate/program.ts";
import { now } from "./platform/clock.ts";

/** Looks for the process that serves `port`; rejects when somebody holds it who cannot be looked at. */
export async function detect(port: number, procRoot: string, sysRoot: string): Promise<Detected | undefined> {
  const target = { host: "127.0.0.1", port, token: () => undefined };
  const collectors = gatewayCollectors(target, { procRoot, sysRoot, now });
  await using _probe = collectors.probe;
  await using _work = collectors.work;
  const signal = AbortSignal.timeout(10_000);
  const found = await collectors.process.read(signal);
  if (!found.found) return undefined;
  const probe = await collectors.probe.read(signal);
  const cgroup = readFileSync(join(procRoot, `${found.incarnation.pid}`, "cgroup"), "utf8");
  return {
    pid: found.incarnation.pid,
    unit: found.unit,
    scope: cgroup.includes("/user.slice/") || cgroup.includes("/user@") ? "user" : "system",
    version: probe.version,
  };
}
