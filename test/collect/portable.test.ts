// What is told of a gateway where there is no /proc: enough to see it, nothing made up, and never enough to kill it?
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gatewayCollectors } from "../../src/collect/index.ts";
import {
  type ListedConnection,
  type ListedProcess,
  type Listing,
  portableProcessCollector,
  servingIn,
} from "../../src/collect/portable.ts";
import { decide } from "../../src/core/decide.ts";
import { isProven } from "../../src/core/identity.ts";
import { instant, seconds } from "../../src/core/time.ts";
import { killVerified } from "../../src/platform/signal.ts";
import { hung } from "../core/situation.ts";
import { alert, incarnation, policy } from "../core/support.ts";
import { startStandIn } from "../support/gateway.ts";

const never = new AbortController().signal;
const target = { port: 18789, host: "127.0.0.1" };
const started = "2026-11-20 06:12:08";
const startedAt = Date.parse("2026-11-20T06:12:08");
const now = () => instant(startedAt + 60_000);

const listed = (pid: number, more: Partial<ListedProcess> = {}): ListedProcess => ({
  pid,
  parentPid: 1,
  cpu: 12.5,
  memRss: 700_000,
  started,
  state: "sleeping",
  ...more,
});
const listener = (pid: number | null, more: Partial<ListedConnection> = {}): ListedConnection => ({
  localAddress: "127.0.0.1",
  localPort: "18789",
  state: "LISTEN",
  pid,
  ...more,
});
const family = [
  listed(1, { parentPid: 0 }),
  listed(500),
  listed(501, { parentPid: 500, memRss: 60_000 }),
  listed(502, { parentPid: 501, state: "zombie", memRss: 0 }),
];

test("the owner of the port is told with memory, tree and start, and nothing that cannot be known", async () => {
  const listing: Listing = { processes: family, connections: [listener(500)] };
  const collector = portableProcessCollector({ target, now, list: async () => listing });
  const reading = await collector.read(never);
  assert.ok(reading.found);
  assert.equal(reading.incarnation.pid, 500);
  assert.equal(reading.incarnation.startedAt, startedAt);
  assert.equal(reading.foundBy, "port");
  assert.deepEqual(
    [reading.tree.processes, reading.tree.zombies, reading.children, reading.tree.residentBytes],
    [2, 1, 1, 760_000 * 1024],
  );
  const names = collector.samples(reading).map(({ name }) => name.replace("openclaw_gateway_", ""));
  assert.deepEqual(
    new Set(names),
    new Set([
      "processes",
      "child_processes",
      "process_tree_cut",
      "zombie_processes",
      "listening",
      "resident_memory_bytes",
      "start_time_seconds",
      "process_info",
    ]),
  );
  const again = await collector.read(never);
  assert.ok(again.found && (again.cpuShare ?? 0) > 0);
});

test("such an identity is unproven, and neither decides nor permits a kill", async () => {
  const listing: Listing = { processes: family, connections: [listener(500)] };
  const reading = await portableProcessCollector({ target, now, list: async () => listing }).read(never);
  assert.ok(reading.found);
  assert.equal(isProven(reading.incarnation), false);
  for (const proven of [true, false]) {
    const one = proven ? incarnation() : reading.incarnation;
    const situation = hung({ unit: undefined, alerts: [alert({ incarnation: one })] }, one);
    const decision = decide(situation, policy);
    assert.equal(decision.do === "restart" ? "restart" : decision.because, proven ? "restart" : "blind");
  }
  // The most dangerous case: a real process with this pid, and a /proc that could be asked.
  const self = { ...reading.incarnation, pid: process.ppid };
  assert.throws(() => killVerified("/proc", self, "SIGKILL"), /its start ticks are unknown/);
});

test("a start that wavers by a second is the same life, a start after the last look is another", async () => {
  let start = started;
  let at = now();
  const collector = portableProcessCollector({
    target,
    now: () => at,
    list: async () => ({ processes: [listed(500, { started: start })], connections: [listener(500)] }),
  });
  const ticks = async () => {
    const reading = await collector.read(never);
    return reading.found ? reading.incarnation.startTicks : undefined;
  };
  const first = await ticks();
  start = "2026-11-20 06:12:09";
  assert.equal(await ticks(), first);
  start = "2026-11-20 06:14:00";
  at = instant(at + 120_000);
  assert.notEqual(await ticks(), first);
});

test("a pid file finds a gateway that does not listen, unless it is older than the process", () => {
  const dir = mkdtempSync(join(tmpdir(), "guard-pid-"));
  try {
    const pidFile = join(dir, "gateway.pid");
    const listing: Listing = { processes: family, connections: [listener(1, { localPort: "22" })] };
    const find = () => servingIn(listing, { ...target, pidFile });
    assert.equal(find(), undefined, "no such file");
    writeFileSync(pidFile, "500\n");
    assert.equal(find()?.foundBy, "pid_file");
    assert.equal(find()?.listening, false);
    utimesSync(pidFile, startedAt / 1000 - 60, startedAt / 1000 - 60);
    assert.equal(find(), undefined);
    for (const text of ["", "gateway", "502", "777"]) {
      writeFileSync(pidFile, text);
      assert.equal(find(), undefined, text);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("gone is said only when the lists can tell", () => {
  const strangers = [listener(1, { localPort: "22" })];
  assert.equal(servingIn({ processes: family, connections: strangers }, target), undefined);
  assert.throws(() => servingIn({ processes: [], connections: strangers }, target), /cannot be listed/);
  assert.throws(
    () => servingIn({ processes: family, connections: [] }, target),
    /listeners of this host cannot/,
  );
  assert.throws(
    () => servingIn({ processes: family, connections: [listener(null)] }, target),
    /port 18789 is held by a process this user cannot inspect/,
  );
});

test("only a listener at the gateway's address counts, in whatever way the platform writes it", () => {
  const at = (localAddress: string, host = "127.0.0.1") =>
    servingIn(
      { processes: family, connections: [listener(500, { localAddress }), listener(1, { localPort: "22" })] },
      { ...target, host },
    )?.process.pid;
  for (const address of ["127.0.0.1", "*", "0.0.0.0", "::", "[::]"]) assert.equal(at(address), 500, address);
  assert.equal(at("10.0.0.5"), undefined);
  assert.equal(at("[::1]", "localhost"), 500);
  assert.equal(at("::1", "[::1]"), 500);
});

test("a child that inherited the socket is not the gateway, and a start that is no time is an error", () => {
  const both = [listed(500), listed(501, { parentPid: 500, started: "2026-11-20 06:13:00" })];
  const connections = [listener(501), listener(500)];
  assert.equal(servingIn({ processes: both, connections }, target)?.process.pid, 500);
  const bad = [listed(500, { started: "soon" }), listed(501)];
  assert.throws(() => servingIn({ processes: bad, connections }, target), /its start "soon" is no time/);
});

test("its programs are started every 15 seconds at most", () => {
  const every = (asked: number | undefined) =>
    portableProcessCollector({ target, now, ...(asked === undefined ? {} : { every: seconds(asked) }) })
      .every;
  assert.deepEqual([every(undefined), every(1), every(60)], [15_000, 15_000, 60_000]);
});

test("with /proc switched off, a real gateway is found on this machine, and its end is seen", async () => {
  const port = await (async () => {
    await using standIn = await startStandIn();
    const blind = mkdtempSync(join(tmpdir(), "guard-no-proc-"));
    try {
      const { process: collector, work } = gatewayCollectors(
        { port: standIn.port, host: "127.0.0.1", token: () => undefined },
        { procRoot: blind, sysRoot: blind, now: () => instant(Date.now()) },
      );
      await work[Symbol.asyncDispose]();
      const reading = await collector.read(never);
      assert.ok(reading.found);
      assert.equal(reading.incarnation.pid, standIn.pid);
      assert.ok((reading.self.residentBytes ?? 0) > 10_000_000);
      assert.ok(Math.abs(reading.incarnation.startedAt - Date.now()) < 60_000);
      assert.equal(reading.listening, true);
    } finally {
      rmSync(blind, { recursive: true });
    }
    return standIn.port;
  })();
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  try {
    const collector = portableProcessCollector({
      target: { port, host: "127.0.0.1" },
      now: () => instant(Date.now()),
    });
    assert.deepEqual(await collector.read(never), { found: false });
  } finally {
    stranger.close();
  }
});
