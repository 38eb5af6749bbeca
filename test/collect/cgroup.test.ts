// Are unit and memory limit read right under cgroup version 1, version 2, both, and in a container?
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { livesIn, parseCgroups, parseLimit, readMemoryLimit, unitOf } from "../../src/collect/cgroup.ts";
import { recorded } from "./proc-tree.ts";
import { sysTree } from "./sys-tree.ts";

const unitPath = "user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service";

test("the unit is the innermost service or scope, in every version", () => {
  assert.equal(unitOf(parseCgroups(recorded("cgroup-v2.txt"))), "openclaw-gateway.service");
  assert.equal(unitOf(parseCgroups(recorded("cgroup-v1.txt"))), "openclaw-gateway.service");
  assert.equal(unitOf(parseCgroups(recorded("cgroup-hybrid.txt"))), "session-3.scope");
  assert.equal(unitOf(parseCgroups("0::/\n")), undefined);
  assert.equal(unitOf(parseCgroups("")), undefined);
});

test("a process below a unit lives in it; one in a unit of a longer name does not", () => {
  const below = parseCgroups("0::/system.slice/openclaw-gateway.service/payload\n");
  assert.ok(livesIn(below, "openclaw-gateway.service"));
  const near = parseCgroups("0::/system.slice/openclaw-gateway.service.d\n");
  assert.ok(!livesIn(near, "openclaw-gateway.service"));
  assert.ok(
    !livesIn(parseCgroups("0::/system.slice/my-openclaw-gateway.service\n"), "openclaw-gateway.service"),
  );
});

test("a path may hold colons, and lines that are none are left out", () => {
  assert.equal(parseCgroups("0::/a:b/c\n").unified, "/a:b/c");
  assert.deepEqual(parseCgroups("nonsense\n0:x\n::\n"), {
    unified: undefined,
    memory: undefined,
    systemd: undefined,
  });
});

test("no limit is written as max, as the largest page, or not at all", () => {
  assert.equal(parseLimit("2147483648\n"), 2147483648);
  for (const none of ["max\n", "9223372036854771712\n", "", "-1", "lots"])
    assert.equal(parseLimit(none), undefined, none);
});

test("version 2: the smallest of max and high counts, from the unit up to the root", () => {
  using sys = sysTree({
    [`fs/cgroup/${unitPath}/memory.max`]: "max\n",
    [`fs/cgroup/${unitPath}/memory.high`]: "3221225472\n",
    "fs/cgroup/user.slice/user-1000.slice/memory.max": "2147483648\n",
    "fs/cgroup/user.slice/memory.max": "4294967296\n",
  });
  assert.equal(readMemoryLimit(sys.root, parseCgroups(recorded("cgroup-v2.txt"))), 2147483648);
});

test("version 1: the memory hierarchy counts, and its huge number is none", () => {
  using sys = sysTree({
    "fs/cgroup/memory/system.slice/openclaw-gateway.service/memory.limit_in_bytes": "1073741824\n",
    "fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  });
  assert.equal(readMemoryLimit(sys.root, parseCgroups(recorded("cgroup-v1.txt"))), 1073741824);
});

test("in a container the path is the host's but only the root is mounted, and the root's limit counts", () => {
  using sys = sysTree({ "fs/cgroup/memory/memory.limit_in_bytes": "536870912\n" });
  assert.equal(readMemoryLimit(sys.root, parseCgroups(recorded("cgroup-hybrid.txt"))), 536870912);
});

test("no limit anywhere is unknown, and so is a path seen from another namespace", () => {
  using sys = sysTree({ "fs/cgroup/memory.max": "max\n", "fs/other/memory.max": "1\n" });
  assert.equal(readMemoryLimit(sys.root, parseCgroups(recorded("cgroup-v2.txt"))), undefined);
  assert.equal(readMemoryLimit(sys.root, parseCgroups("0::/../other\n")), undefined);
  assert.equal(
    readMemoryLimit(join(sys.root, "missing"), parseCgroups(recorded("cgroup-v2.txt"))),
    undefined,
  );
});
