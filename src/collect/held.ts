// Does somebody hold the process without a signal? A debugger that is attached to it, or the freezer of its cgroup: both
// were put there by a person or a program that wants it so.
import { join, posix } from "node:path";
import type { HeldBy } from "../core/readings.ts";
import { readText, unlessLost } from "./proc.ts";

/** Who holds the process; undefined when nobody does, or when it cannot be read. */
export function heldBy(procRoot: string, sysRoot: string, pid: number): HeldBy | undefined {
  const status = unlessLost(() => readText(join(procRoot, `${pid}`, "status")));
  if (status !== undefined && isTraced(status)) return "tracer";
  const cgroups = unlessLost(() => readText(join(procRoot, `${pid}`, "cgroup")));
  return cgroups !== undefined && isFrozen(sysRoot, cgroups) ? "freezer" : undefined;
}

/** Whether `status` names a tracer; it may let the process run. */
export function isTraced(status: string): boolean {
  return /^TracerPid:\s+[1-9]/m.test(status);
}

/** Whether a cgroup of the process is frozen, or told to, in version 2 (also beside version 1) or by the freezer of version 1. */
export function isFrozen(sysRoot: string, cgroups: string): boolean {
  const root = posix.join(sysRoot, "fs/cgroup");
  return cgroups.split("\n").some((line) => {
    const [, controllers, path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    // A path that climbs is seen from another cgroup namespace.
    if (path.split("/").includes("..")) return false;
    const says = (folder: string, file: string) =>
      unlessLost(() => readText(posix.join(root, folder, path, file)));
    if (controllers === "")
      return ["", "unified"].some((folder) => /^frozen 1$/m.test(says(folder, "cgroup.events") ?? ""));
    if (controllers?.split(",").includes("freezer") !== true) return false;
    return /^FR(?:OZEN|EEZING)/.test(says("freezer", "freezer.state") ?? "");
  });
}
