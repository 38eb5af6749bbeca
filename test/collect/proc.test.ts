// Are the small files of /proc read right, also when they are cut short or hostile?
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync } from "node:fs";
import { test } from "node:test";
import {
  countFds,
  isDenied,
  isGone,
  parseBootTime,
  parseChildren,
  parseMaxFds,
  parseStat,
  parseStatus,
  readStat,
  readText,
  unlessDenied,
  wholeNumber,
} from "../../src/collect/proc.ts";
import { recorded } from "./proc-tree.ts";

test("a recorded stat line gives identity, state and CPU time", () => {
  assert.deepEqual(parseStat(recorded("stat-gateway.txt")), {
    pid: 4242,
    name: "openclaw-gatewa",
    state: "S",
    parent: 4200,
    cpuSeconds: 13,
    threads: 15,
    startTicks: 151632,
  });
});

test("a command name may hold blanks, brackets and something that looks like the rest of the line", () => {
  for (const name of ["a b", "tricky) R 1 2", "((", "))", "new\nline", ""]) {
    const stat = parseStat(recorded("stat-gateway.txt").replace("openclaw-gatewa", name));
    assert.equal(stat?.name, name);
    assert.equal(stat.state, "S");
    assert.equal(stat.startTicks, 151632);
  }
});

test("a stat line that is cut short or not one is unknown", () => {
  const whole = recorded("stat-gateway.txt");
  const bad = [
    "",
    "garbage",
    "4242",
    "4242 (node",
    "4242 node) S 1",
    ")(",
    whole.slice(0, 90),
    whole.replace(" 151632 ", " -1 "),
  ];
  for (const text of bad) assert.equal(parseStat(text), undefined, text);
});

test("a recorded status gives memory in bytes", () => {
  assert.deepEqual(parseStatus(recorded("status-gateway.txt")), {
    state: "S",
    residentBytes: 804000 * 1024,
    swappedBytes: 2048 * 1024,
    threads: 15,
  });
});

test("a status without memory lines leaves memory unknown, not 0", () => {
  const zombie = parseStatus("Name:\tnode\nState:\tZ (zombie)\nThreads:\t1\n");
  assert.deepEqual(zombie, { state: "Z", residentBytes: undefined, swappedBytes: undefined, threads: 1 });
  assert.equal(parseStatus("VmRSS:\tmany kB\nNoVmRSS:\t 12 kB\n").residentBytes, undefined);
});

test("the soft limit of open files is read, and unlimited is unknown", () => {
  assert.equal(parseMaxFds(recorded("limits-gateway.txt")), 1024);
  assert.equal(
    parseMaxFds("Max open files            unlimited            unlimited            files\n"),
    undefined,
  );
  assert.equal(parseMaxFds(""), undefined);
});

test("boot time and children are read, and nonsense is not", () => {
  assert.equal(parseBootTime(recorded("stat-host.txt")), 1763625600);
  assert.equal(parseBootTime("btime soon\n"), undefined);
  assert.deepEqual(parseChildren("12 13 x -4 14 \n"), [12, 13, 14]);
  assert.deepEqual(parseChildren(""), []);
});

test("only digits make a number", () => {
  assert.equal(wholeNumber(" 42\n"), 42);
  for (const text of [undefined, "", " ", "4.2", "-1", "0x10", "1e3", "99999999999999999999"]) {
    assert.equal(wholeNumber(text), undefined, `${text}`);
  }
});

test("our own descriptors are counted as listing them would", () => {
  const before = countFds("/proc", process.pid);
  const opened = Array.from({ length: 10 }, () => openSync("/dev/null", "r"));
  try {
    const now = countFds("/proc", process.pid);
    assert.equal(now - before, 10);
    // Listing opens one more.
    assert.ok(Math.abs(readdirSync("/proc/self/fd").length - now) <= 1);
  } finally {
    opened.forEach(closeSync);
  }
});

test("a process that does not exist is gone, which is not denied", () => {
  const error = failure(() => readStat("/proc", 2 ** 30));
  assert.ok(isGone(error) && !isDenied(error));
  assert.throws(() => unlessDenied(() => readStat("/proc", 2 ** 30)));
  assert.equal(readStat("/proc", process.pid).pid, process.pid);
  assert.ok(readText("/proc/self/status").includes("VmRSS"));
});

function failure(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
