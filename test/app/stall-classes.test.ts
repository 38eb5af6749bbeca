// Are the ways in which a gateway does not answer told apart? A real process for each, watched by the product's own
// collectors and rules, and what is exported of it.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { gatewayCollectors } from "../../src/collect/index.ts";
import { type StallClass, stallClasses } from "../../src/core/stall.ts";
import { hours, instant, minutes, ms, seconds } from "../../src/core/time.ts";
import { derivedSamples } from "../../src/expose/derived.ts";
import { now, sleep } from "../../src/platform/clock.ts";
import { watchGateway, type WatchPolicy } from "../../src/sample/watch.ts";
import { policy } from "../core/support.ts";
import { startCutOff } from "../support/cut-off.ts";
import { type StandIn, startStandIn, until } from "../support/gateway.ts";

/** Two probes fit into a round; a round is long enough for a kernel that counts CPU in hundredths of a second. */
const cadence = {
  process: ms(200),
  probe: ms(500),
  probeTimeout: ms(200),
  slowProbe: ms(500),
};

// Each story waits for the facts of a process of its own; two at a time share the cores.
suite("a gateway that", { concurrency: 2 }, () => {
  test("answers is alive", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway);
    await watch.sees("alive");
    assert.equal(watch.shown().unresponsive, 0);
    assert.equal(watch.shown().up, 1);
  });

  const hangs = [
    { fault: "hang", is: "blocked", does: "computes without end" },
    { fault: "deadlock", is: "deadlocked", does: "waits for itself on its main thread" },
    { fault: "stop", is: "stopped", does: "was stopped by a signal" },
  ] as const;
  for (const { fault, is, does } of hangs)
    test(`${does} is ${is}, and its silence counts`, async () => {
      await using gateway = await startStandIn();
      await using watch = watching(gateway);
      await watch.sees("alive");
      await gateway.ill(fault);
      await watch.sees(is);
      await until("the silence is counted", () => (watch.shown().unresponsive ?? 0) > 1);
      await watch.sees(is);
      assert.equal(watch.shown().up, 0);
      if (fault !== "stop") return;
      process.kill(gateway.pid, "SIGCONT");
      await watch.sees("alive");
      assert.equal(watch.shown().unresponsive, 0);
    });

  test("closed its port is no_listener, and its silence counts once a start would be over", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway, { startBudget: minutes(20) });
    await watch.sees("alive");
    await gateway.ill("deaf");
    await watch.sees("no_listener");
    assert.equal(watch.shown().unresponsive, 0, "an in-process restart closes the port as well");
    watch.hold({ startBudget: seconds(1) });
    await until("the silence is counted", () => (watch.shown().unresponsive ?? 0) > 0);
    assert.equal(watch.shown().class, "no_listener");
    await gateway.ill("well");
    await watch.sees("alive");
  });

  test("starts is starting, also when it is silent meanwhile", async () => {
    await using gateway = await startStandIn({ startupMs: 600_000, openBeforeMs: 600_000, openOnly: true });
    await using watch = watching(gateway, { startBudget: minutes(20) });
    await watch.sees("starting");
    const before = watch.failures();
    await gateway.ill("hang");
    await until("it has been silent for a while", () => watch.failures() > before + 3);
    assert.deepEqual(watch.shown(), { class: "starting", unresponsive: 0, up: 0 });
    // Only when it has taken longer than a start may: but what never answered well does not hang.
    watch.hold({ startBudget: seconds(0) });
    await watch.sees("blocked");
    assert.equal(watch.shown().class, "blocked");
  });

  test("drains is draining, also when it is silent meanwhile", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway);
    await watch.sees("alive");
    await gateway.ill("busy");
    process.kill(gateway.pid, "SIGTERM");
    await watch.sees("draining");
    assert.equal(watch.shown().unresponsive, 0);
    const before = watch.failures();
    await gateway.ill("hang");
    await until("it has been silent for a while", () => watch.failures() > before + 3);
    assert.deepEqual(watch.shown(), { class: "draining", unresponsive: 0, up: 0 });
    watch.hold({ drainLimit: seconds(0) });
    await watch.sees("blocked");
    await until("then it counts", () => (watch.shown().unresponsive ?? 0) > 0);
  });

  test("has ended is gone, and not silent", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway);
    await watch.sees("alive");
    await gateway.ill("crash");
    await watch.sees("gone");
    assert.deepEqual(watch.shown(), { class: "gone", unresponsive: 0, up: 0 });
  });

  test("packets no longer reach is unreachable, which is never counted as its silence", async () => {
    await using gateway = await startCutOff();
    await using watch = watching(gateway);
    await watch.sees("alive");
    await gateway.cut();
    await watch.sees("unreachable");
    const before = watch.failures();
    await until("it stays so", () => watch.failures() > before + 3);
    assert.deepEqual(watch.shown(), { class: "unreachable", unresponsive: 0, up: 0 });
    await gateway.mend();
    await watch.sees("alive");
  });

  test("accepts and never answers is not taken for a hang: nothing waits for its event loop", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway);
    await watch.sees("alive");
    await gateway.ill("mute");
    await watch.sees("unreachable");
    assert.equal(watch.shown().unresponsive, 0);
  });

  test("answers late is slow, not hung: the probe that stayed open hears of it", async () => {
    await using gateway = await startStandIn();
    await using watch = watching(gateway);
    await watch.sees("alive");
    await gateway.ill("slow", { delayMs: 350 });
    await until("probes go unanswered", () => watch.failures() >= 4);
    assert.equal(watch.shown().class, "alive");
    assert.equal(watch.shown().unresponsive, 0);
  });

  test("is silent while the host sleeps is not blamed for it: the silence begins anew", async () => {
    let slept = ms(0);
    await using gateway = await startStandIn();
    await using watch = watching(gateway, {}, () => instant(now() + slept));
    await watch.sees("alive");
    await gateway.ill("stop");
    await until("the silence is counted", () => (watch.shown().unresponsive ?? 0) > 1);
    slept = hours(8);
    await until("the gap is noticed", () => watch.evidence().wokeAt !== undefined);
    const { wokeAt, stall } = watch.evidence();
    assert.ok(stall.silence === undefined || stall.silence.since >= (wokeAt ?? Number.POSITIVE_INFINITY));
    await until("it is counted again", () => (watch.shown().unresponsive ?? 0) > 0.5);
    assert.equal(watch.shown().class, "stopped");
    assert.ok((watch.shown().unresponsive ?? 0) < 3600, "hours of sleep are no silence");
  });

  test("cannot be asked for a fault of ours is of no class at all", async () => {
    await using gateway = await startStandIn();
    // The process is found by its port; the name under which it would be asked does not exist.
    await using watch = watching(gateway, {}, now, "gateway.invalid");
    await until("it was tried", () => watch.evidence().probe?.reading.healthz.outcome === "inconclusive");
    await until("the process is found", () => watch.evidence().process?.reading.found === true);
    assert.deepEqual(watch.shown(), { class: undefined, unresponsive: undefined, up: undefined });
    assert.equal(watch.failures(), 0);
  });
});

/** Watches a gateway as the product does; a start of the stand-in is over when the test begins. */
function watching(
  gateway: StandIn,
  different: Partial<WatchPolicy> = {},
  clock = now,
  probedAs = "127.0.0.1",
) {
  let held: WatchPolicy = { ...policy, startBudget: seconds(0), ...different };
  const at = { host: "127.0.0.1", port: gateway.port, token: () => undefined, cadence };
  const world = { procRoot: "/proc", sysRoot: "/sys", now: clock };
  const { process } = gatewayCollectors(at, world);
  const { probe } = gatewayCollectors({ ...at, host: probedAs }, world);
  const watch = watchGateway(
    { process, probe, work: undefined },
    () => undefined,
    { now: clock, sleep },
    () => held,
  );
  const ending = new AbortController();
  const running = watch.run(ending.signal);
  const shown = () => {
    const samples = derivedSamples(watch.evidence(), {
      now: clock(),
      supervisor: "none",
      thresholds: [],
      stall: held,
    });
    const valueOf = (name: string) => samples.find((one) => one.name === `openclaw_gateway_${name}`)?.value;
    const classes = samples.filter(({ name }) => name === "openclaw_gateway_stall_class");
    assert.ok(classes.length === 0 || classes.length === stallClasses.length, "a state set is complete");
    const holding = classes.filter(({ value }) => value === 1).map(({ labels }) => labels?.["class"]);
    assert.ok(holding.length <= 1, `at most one class: ${holding.join()}`);
    return { class: holding[0], unresponsive: valueOf("unresponsive_seconds"), up: valueOf("up") };
  };
  return {
    shown,
    evidence: watch.evidence,
    failures: () => {
      const reading = watch.evidence().probe?.reading;
      const samples = reading === undefined ? [] : probe.samples(reading);
      const name = "openclaw_gateway_probe_consecutive_failures";
      const found = samples.find((one) => one.name === name && one.labels?.["probe"] === "healthz");
      return found?.value ?? 0;
    },
    /** Other limits from now on. */
    hold(limits: Partial<WatchPolicy>) {
      held = { ...held, ...limits };
    },
    async sees(stallClass: StallClass) {
      await until(`it is ${stallClass}`, () => shown().class === stallClass, 30_000).catch(
        (error: unknown) => {
          throw new Error(`it is ${shown().class ?? "of no class"}`, { cause: error });
        },
      );
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new Error("the story is over"));
      await running.catch(() => undefined);
      await probe[Symbol.asyncDispose]();
    },
  };
}
