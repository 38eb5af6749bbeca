// What is kept of a gateway before it is ended, and what is not?
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keepEvidence } from "../../src/remedy/evidence.ts";
import { evidence, incarnation, noon, processReading } from "../core/support.ts";

const never = new AbortController().signal;
const pid = incarnation().pid;

/** A recorded /proc with one process, whose files the test writes. */
function recordedProc(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}) {
  const root = mkdtempSync(join(tmpdir(), "guard-proc-"));
  const dir = join(root, `${pid}`);
  mkdirSync(join(dir, "fd"), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(dir, "fd", name));
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

test("the facts of the process are kept, and the readings that led to the decision", async () => {
  using proc = recordedProc(
    { status: "VmRSS: 900 kB\n", smaps_rollup: "Pss: 800 kB\n", wchan: "ep_poll", schedstat: "1 2 3\n" },
    {
      "0": "/dev/null",
      "3": "socket:[123]",
      "4": "socket:[124]",
      "5": "pipe:[9]",
      "6": "/home/me/private.json",
      "7": "anon_inode:[eventpoll]",
    },
  );
  const kept = await keepEvidence(proc.root, evidence(), never);
  assert.deepEqual(Object.keys(kept).sort(), [
    "descriptors",
    "host",
    "probe",
    "schedstat",
    "smaps_rollup",
    "stall",
    "status",
    "trend",
    "wchan",
    "work",
  ]);
  assert.equal(kept["wchan"], "ep_poll");
  assert.deepEqual(JSON.parse(kept["descriptors"] ?? ""), {
    open: 6,
    device: 1,
    socket: 2,
    pipe: 1,
    file: 1,
    anon_inode: 1,
  });
});

test("nothing that can hold a secret is kept: no environment, no command line, no path", async () => {
  const secret = "canary-7f3a";
  using proc = recordedProc(
    { status: "VmRSS: 900 kB\n", environ: `TOKEN=${secret}`, cmdline: `node\0--token=${secret}`, io: secret },
    { "3": `/home/${secret}/auth.json` },
  );
  const kept = await keepEvidence(proc.root, evidence(), never);
  assert.equal(JSON.stringify(kept).includes(secret), false);
});

test("a file that cannot be read is left out, and one without end is cut", async () => {
  using proc = recordedProc({ status: "x".repeat(1_000_000) });
  mkdirSync(join(proc.root, `${pid}`, "wchan"));
  const kept = await keepEvidence(proc.root, evidence(), never);
  assert.equal(kept["status"]?.length, 4096);
  assert.equal("wchan" in kept, false);
  assert.equal("smaps_rollup" in kept, false);
});

test("of a gateway that is gone or was never seen only the readings are kept", async () => {
  using proc = recordedProc({ status: "VmRSS: 900 kB\n" });
  const gone = evidence({ process: { at: noon, reading: { found: false } } });
  assert.deepEqual(Object.keys(await keepEvidence(proc.root, gone, never)).sort(), [
    "host",
    "probe",
    "stall",
    "trend",
    "work",
  ]);
  const unseen = evidence({ process: undefined, probe: undefined, work: undefined, host: undefined });
  assert.deepEqual(Object.keys(await keepEvidence(proc.root, unseen, never)).sort(), ["stall", "trend"]);
  const elsewhere = evidence({
    process: { at: noon, reading: processReading({ incarnation: incarnation({ pid: 1 }) }) },
  });
  assert.equal("status" in (await keepEvidence(proc.root, elsewhere, never)), false);
});

test("the curve of the memory is kept for its last hour", async () => {
  using proc = recordedProc({});
  const floors = Array.from({ length: 500 }, (_, i) => i);
  const kept = await keepEvidence(proc.root, evidence({ trend: { ...evidence().trend, floors } }), never);
  assert.deepEqual(JSON.parse(kept["trend"] ?? "").lastFloors, floors.slice(-60));
});

test("it stops when its time is up", async () => {
  using proc = recordedProc({ status: "VmRSS: 900 kB\n" });
  await assert.rejects(
    keepEvidence(proc.root, evidence(), AbortSignal.abort(new Error("time is up"))),
    /time is up/,
  );
});
