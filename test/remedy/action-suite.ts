// What must every action do, whatever supervisor it speaks to? One suite, run over each of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ms } from "../../src/core/time.ts";
import { monotonic, sleep } from "../../src/platform/clock.ts";
import { type Action, findingReasons } from "../../src/remedy/action.ts";

/** An action and the gateway behind it, as an outsider sees it. */
export type Subject = AsyncDisposable & {
  readonly action: Action;
  /** One word for the life of the gateway that answers now, or undefined when none does. */
  life(): Promise<string | undefined>;
};

export type Subjects = {
  /** A gateway that runs and is supervised well; its supervisor is up. */
  readonly healthy: () => Promise<Subject>;
  /** The supervisor takes the request and never answers. */
  readonly hanging: () => Promise<Subject>;
  /** The supervisor refuses every request with a reason. */
  readonly failing: () => Promise<Subject>;
  /** The unit or program does not exist. */
  readonly gone: () => Promise<Subject>;
};

/** A signal that no case lets run out: the longest takes a second. */
export const patient = () => AbortSignal.timeout(30_000);

/** Polls until `fact` gives something other than undefined; rejects after 20 s. */
export async function eventually<T>(what: string, fact: () => Promise<T | undefined>): Promise<T> {
  const begun = monotonic();
  for (;;) {
    const seen = await fact();
    if (seen !== undefined) return seen;
    if (monotonic() - begun > 20_000) throw new Error(`${what}: not seen within 20 s`);
    await sleep(ms(20), patient());
  }
}

/** Registers the shared cases for one action. */
export function everyAction(name: string, subjects: Subjects): void {
  test(`${name}: a well supervised gateway earns enforce`, async () => {
    await using subject = await subjects.healthy();
    assert.deepEqual(await subject.action.check(patient()), []);
    const reading = await subject.action.inspect(patient());
    assert.equal(reading.problem, undefined);
    assert.equal(reading.state, "running");
    assert.equal(reading.stoppedOnPurpose, false);
  });

  test(`${name}: a restart brings a new life`, async () => {
    await using subject = await subjects.healthy();
    const before = await eventually("the first life", () => subject.life());
    await subject.action.restart(patient());
    await eventually("a new life", async () => otherThan(before, await subject.life()));
  });

  test(`${name}: two restarts in a row leave one gateway that answers`, async () => {
    await using subject = await subjects.healthy();
    const before = await eventually("the first life", () => subject.life());
    await subject.action.restart(patient());
    await subject.action.restart(patient());
    await eventually("a new life", async () => otherThan(before, await subject.life()));
    assert.equal((await subject.action.inspect(patient())).reachable, true);
  });

  test(`${name}: a start of a gateway that runs changes nothing`, async () => {
    await using subject = await subjects.healthy();
    const before = await eventually("the first life", () => subject.life());
    await subject.action.start(patient());
    await subject.action.start(patient());
    assert.equal(await subject.life(), before);
  });

  test(`${name}: clearing a failure that is not there is harmless`, async () => {
    await using subject = await subjects.healthy();
    const before = await eventually("the first life", () => subject.life());
    await subject.action.clearFailure(patient());
    assert.equal(await subject.life(), before);
  });

  test(`${name}: a supervisor that never answers is given up when the signal says so`, async () => {
    await using subject = await subjects.hanging();
    const begun = monotonic();
    await assert.rejects(subject.action.restart(AbortSignal.timeout(200)));
    assert.ok(monotonic() - begun < 5000, "it went on waiting");
  });

  test(`${name}: a request is not made when the signal was aborted before`, async () => {
    await using subject = await subjects.healthy();
    const before = await eventually("the first life", () => subject.life());
    await assert.rejects(subject.action.restart(AbortSignal.abort(new Error("given up before"))));
    assert.equal(await subject.life(), before);
  });

  test(`${name}: a refusal is passed on with its reason`, async () => {
    await using subject = await subjects.failing();
    await assert.rejects(subject.action.restart(patient()), /: .*exited \d+/);
    await assert.rejects(subject.action.start(patient()), /: .*exited \d+/);
  });

  test(`${name}: a target that is gone is a finding with a fix, and a loud failure`, async () => {
    await using subject = await subjects.gone();
    const findings = await subject.action.check(patient());
    assert.ok(findings.length > 0, "nothing was found");
    for (const finding of findings) {
      assert.ok(findingReasons.includes(finding.reason));
      assert.notEqual(finding.fix, "");
    }
    const reading = await subject.action.inspect(patient());
    assert.notEqual(reading.problem, undefined);
    assert.equal(reading.mainPid, undefined);
    await assert.rejects(subject.action.restart(patient()));
    await assert.rejects(subject.action.start(patient()));
  });
}

const otherThan = (before: string, now: string | undefined) => (now === before ? undefined : now);
