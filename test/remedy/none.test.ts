// A gateway that nothing supervises: the guard says so and does nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { actions } from "../../src/remedy/index.ts";
import { patient } from "./action-suite.ts";

test("without a supervisor the one finding is that there is none, and what to do", async () => {
  const findings = await actions.none().check(patient());
  assert.deepEqual(
    findings.map((finding) => finding.reason),
    ["no_supervisor"],
  );
  assert.match(findings[0]?.fix ?? "", /supervisor/);
});

test("without a supervisor every verb refuses, again and again, and reading never throws", async () => {
  const action = actions.none();
  for (const _ of [1, 2]) {
    await assert.rejects(action.restart(patient()), /restart: no supervisor is configured/);
    await assert.rejects(action.start(patient()), /no supervisor/);
    await assert.rejects(action.clearFailure(patient()), /no supervisor/);
  }
  const reading = await action.inspect(patient());
  assert.equal(reading.reachable, false);
  assert.equal(reading.stoppedOnPurpose, false);
});

test("the list holds each action under its own name", () => {
  assert.deepEqual(Object.keys(actions).sort(), ["command", "none", "systemd"]);
  assert.equal(actions.none().name, "none");
});
