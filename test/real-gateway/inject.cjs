// How is a real gateway made ill? Preloaded by NODE_OPTIONS=--require into `openclaw gateway run`; polls one control file.
// The file is renamed when its fault is taken, so that the next life of the gateway starts healthy, and then carried out.
"use strict";
const { openSync, readFileSync, renameSync } = require("node:fs");
const { isMainThread, Worker } = require("node:worker_threads");

const control = process.env.GUARD_TEST_FAULT_FILE;
const owner = Number(process.env.GUARD_TEST_OWNER_PID);
const lookEveryMs = 100;
// A forgotten gateway must not take the machine with it.
const most = { bytes: 2048 * 1024 * 1024, blockMs: 600_000, descriptors: 100_000 };

const held = [];

const faults = {
  /** Native memory, which the gateway's heap figures do not show. */
  leak: ({ bytesPerSecond = 20 * 1024 * 1024, capBytes = most.bytes }) =>
    atRate(bytesPerSecond, Math.min(capBytes, most.bytes), (bytes) => held.push(Buffer.alloc(bytes, 1))),
  block: ({ forMs = most.blockMs }) => {
    const end = performance.now() + Math.min(forMs, most.blockMs);
    while (performance.now() < end);
  },
  crash: () => process.kill(process.pid, "SIGKILL"),
  fds: ({ perSecond = 50, cap = most.descriptors }) =>
    atRate(perSecond, Math.min(cap, most.descriptors), (count) => {
      for (let opened = 0; opened < count; opened++) held.push(openSync("/dev/null", "r"));
    }),
};

// The option reaches every worker and child of the gateway as well; only the gateway itself may fall ill.
const serves = process.argv.includes("gateway") && process.argv.includes("run");
if (isMainThread && serves && control !== undefined) {
  setInterval(look, lookEveryMs).unref();
  if (owner > 0) leaveWithOwner();
}

function look() {
  let asked;
  try {
    asked = JSON.parse(readFileSync(control, "utf8"));
    renameSync(control, `${control}.taken`);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  const fault = faults[asked.fault];
  if (fault === undefined) throw new Error(`inject: unknown fault ${asked.fault}`);
  fault(asked);
}

function atRate(perSecond, cap, step) {
  const start = performance.now();
  let done = 0;
  const timer = setInterval(() => {
    const due = Math.min(cap, Math.floor(((performance.now() - start) / 1000) * perSecond));
    if (due > done) step(due - done);
    done = due;
    if (done >= cap) clearInterval(timer);
  }, lookEveryMs).unref();
}

/** A thread still runs while the gateway's event loop is blocked, and ends it when the test that owns it has died. */
function leaveWithOwner() {
  const watch = `
    const { readFileSync } = require("node:fs");
    const seen = () => {
      try {
        const stat = readFileSync("/proc/${owner}/stat", "utf8");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return fields[0] === "Z" || fields[0] === "X" ? "" : fields[19];
      } catch {
        return "";
      }
    };
    const first = seen();
    setInterval(() => { if (first === "" || seen() !== first) process.kill(process.pid, "SIGKILL"); }, 500);`;
  new Worker(watch, { eval: true, execArgv: [] }).unref();
}
