// Is a frozen cgroup seen on a real kernel, in both versions? Needs root, to make one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { heldBy } from "../../src/collect/held.ts";
import { until } from "../support/gateway.ts";

/** A hierarchy of this machine in which a cgroup can be made and frozen. */
const freezers = [
  ["the unified hierarchy", ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"], "cgroup.freeze", "1", "0"],
  ["the freezer of version 1", ["/sys/fs/cgroup/freezer"], "freezer.state", "FROZEN", "THAWED"],
] as const;

for (const [what, roots, file, freeze, thaw] of freezers) {
  test(`a real process in a cgroup that is frozen in ${what}`, async () => {
    const root = roots.find((each) => existsSync(join(each, "cgroup.procs")));
    assert.ok(root !== undefined, `this machine has no cgroups in ${what}`);
    const folder = join(root, `guard-test-held-${process.pid}`);
    mkdirSync(folder);
    const child = spawn("sleep", ["600"]);
    const exited = once(child, "exit");
    try {
      await once(child, "spawn");
      const pid = child.pid ?? 0;
      writeFileSync(join(folder, "cgroup.procs"), `${pid}`);
      assert.equal(heldBy("/proc", "/sys", pid), undefined);
      writeFileSync(join(folder, file), freeze);
      await until("it is frozen", () => heldBy("/proc", "/sys", pid) === "freezer");
      writeFileSync(join(folder, file), thaw);
      await until("it is thawed", () => heldBy("/proc", "/sys", pid) === undefined);
    } finally {
      writeFileSync(join(folder, file), thaw);
      child.kill("SIGKILL");
      await exited;
      await until("its cgroup is empty", () => {
        try {
          rmdirSync(folder);
          return true;
        } catch {
          return false;
        }
      });
    }
  });
}
