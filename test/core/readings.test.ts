import assert from "node:assert/strict";
import { test } from "node:test";
import { probes, waysFound } from "../../src/core/readings.ts";

test("the owner of the listening port is believed before any file that names a pid", () => {
  assert.deepEqual(waysFound, ["port", "lock_file", "systemd_unit", "pid_file"]);
});

test("liveness, start and readiness are three questions", () => {
  assert.deepEqual(probes, ["healthz", "startupz", "readyz"]);
});
