// Does a running guard take over another configuration without forgetting what it knows, and refuse a wrong one whole?
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { freePort, startStandIn, supervisedStandIn, until } from "../support/gateway.ts";
import { home } from "../operate/support.ts";
import { fast, folder, type Guard, settingsIn, startGuard, valueIn } from "./support.ts";

const silence = 'openclaw_gateway_unresponsive_seconds{gateway="main"}';
const successful = "openclaw_guard_config_last_reload_successful";
const succeededAt = "openclaw_guard_config_last_reload_success_timestamp_seconds";

suite("taking another configuration over", () => {
  test("keeps a hang's streak, which is confirmed on time although everything about probing changes", async () => {
    await using gateway = await startStandIn();
    using at = folder();
    const main = { name: "main", url: gateway.url };
    const settings = settingsIn(at.dir, [main], { hang: { ...fast.hang, confirm: "4s" } });
    await using guard = await startGuard(settings);
    await until("it is seen", async () => (await guard.series('openclaw_gateway_up{gateway="main"}')) === 1);
    await gateway.ill("hang");
    await until("the silence counts", async () => ((await guard.series(silence)) ?? 0) > 0.5);
    const begun = await beginOf(guard);

    assert.ok(
      await guard.reloadWith({
        ...settings,
        gateways: [{ ...main, state_dir: gateway.stateDir, memory_limit: "3GiB" }],
        probe: { ...fast.probe, every: "400ms", timeout: "150ms" },
        hang: { ...fast.hang, confirm: "3s" },
        thresholds: { memory_ratio: { critical: 0.9 } },
      }),
    );
    assert.equal(await guard.series(successful), 1);
    const text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    const threshold = (signal: string) =>
      valueIn(text, `openclaw_gateway_threshold{signal="${signal}",level="critical",gateway="main"}`);
    assert.equal(threshold("memory_ratio"), 0.9);
    assert.equal(threshold("unresponsive_seconds"), 3);

    await until("it is long enough", async () => ((await guard.series(silence)) ?? 0) >= 3);
    assert.ok(
      Math.abs((await beginOf(guard)) - begun) < 1,
      "it is the same silence, from its first moment on",
    );
    await until(
      "it is known to be one",
      async () => (await guard.series('openclaw_gateway_memory_limit_bytes{gateway="main"}')) === 3 * 2 ** 30,
    );
  });

  test("adds, replaces and lets go of gateways, and leaves the others alone", async () => {
    await using first = await startStandIn();
    await using second = await startStandIn();
    using at = folder();
    const [kept, other] = [
      { name: "kept", url: first.url },
      { name: "other", url: second.url },
    ];
    const gone = { name: "gone", url: `http://127.0.0.1:${await freePort()}` };
    const settings = settingsIn(at.dir, [kept, gone]);
    await using guard = await startGuard(settings);
    const up = (name: string) => guard.series(`openclaw_gateway_up{gateway="${name}"}`);
    const decisions = (name: string) =>
      guard.series(`openclaw_guard_decisions_total{gateway="${name}",decision="restart"}`);
    await until("both are seen", async () => (await up("kept")) === 1 && (await up("gone")) === 0);
    const heardOf = () =>
      guard.series(
        'openclaw_guard_collector_last_success_timestamp_seconds{collector="probe",gateway="kept"}',
      );
    const before = (await heardOf()) ?? Number.NaN;

    assert.ok(await guard.reloadWith({ ...settings, gateways: [kept, other] }));
    assert.ok(((await heardOf()) ?? 0) >= before, "what was known of it is still known");
    const text = (await guard.get(`${guard.metricsUrl}/metrics`)).body;
    assert.ok(!text.includes('gateway="gone"'), "nothing is said of what is not watched");
    assert.equal(await decisions("other"), 0, "every known combination of labels, as at the start");
    await until("the new one is seen", async () => (await up("other")) === 1);

    // The same name at another address is another gateway.
    assert.ok(await guard.reloadWith({ ...settings, gateways: [kept, { ...gone, name: "other" }] }));
    await until("it is looked at there", async () => (await up("other")) === 0);
    assert.deepEqual(
      guard.logged
        .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
        .filter(({ event }) => event === "reloaded")
        .map(({ added, kept: stayed, replaced, removed }) => ({ added, kept: stayed, replaced, removed })),
      [
        { added: ["other"], kept: ["kept"], replaced: [], removed: ["gone"] },
        { added: [], kept: ["kept"], replaced: ["other"], removed: [] },
      ],
    );
  });

  test("earns the mode again", async () => {
    await using gateway = await supervisedStandIn();
    using at = folder();
    const { start, restart, status } = gateway.commands;
    const main = { name: "main", url: gateway.url };
    const settings = settingsIn(at.dir, [main]);
    const supervised = [{ ...main, supervisor: { kind: "command", start, restart, status } }];
    await using guard = await startGuard(settings);
    const mode = (of: string) => guard.series(`openclaw_guard_mode{gateway="main",mode="${of}"}`);
    const reason = (of: string) =>
      guard.series(`openclaw_guard_mode_downgraded{gateway="main",reason="${of}"}`);
    await until("nothing is earned", async () => (await reason("no_supervisor")) === 1);

    assert.ok(await guard.reloadWith({ ...settings, gateways: supervised }));
    await until("it may act", async () => (await mode("enforce")) === 1);
    assert.equal(await reason("another_guard"), 0, "its own lock is not another's");

    assert.ok(await guard.reloadWith({ ...settings, gateways: supervised, mode: "observe" }));
    assert.equal(await mode("enforce"), 0, "at once");
    assert.ok(await guard.reloadWith({ ...settings, gateways: supervised }));
    await until("it may act again", async () => (await mode("enforce")) === 1);

    const broken = ["/nonexistent/program"];
    const supervisor = { kind: "command", start: broken, restart: broken, status: broken };
    assert.ok(await guard.reloadWith({ ...settings, gateways: [{ ...main, supervisor }] }));
    assert.equal(await mode("enforce"), 0, "another path has earned nothing yet");
  });
});

suite("a configuration that cannot be taken over", () => {
  test("changes nothing, and every problem in it is said", async () => {
    using at = folder();
    const settings = settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]);
    await using guard = await startGuard(settings);
    const before = await guard.series(succeededAt);
    assert.ok(before !== undefined && before > 0);
    assert.equal(await guard.series(successful), 1);
    const wrong = { ...settings, mode: "brutal", gateways: [], hang: { confirm: "1h" }, just_woke: "soon" };
    assert.equal(await guard.reloadWith(wrong), false);
    assert.equal(await guard.series(successful), 0);
    assert.equal(await guard.series(succeededAt), before, "the one before it still holds");
    assert.equal(
      await guard.series(
        'openclaw_gateway_threshold{signal="unresponsive_seconds",level="critical",gateway="main"}',
      ),
      2,
    );
    assert.deepEqual(
      problems(guard).map((problem) => problem.split(":")[0]),
      ["mode", "gateways", "just_woke"],
    );
    assert.ok(await guard.reloadWith(settings));
    assert.equal(await guard.series(successful), 1);
    assert.ok(((await guard.series(succeededAt)) ?? 0) >= before);
  });

  test("names what needs the guard to be restarted", async () => {
    using at = folder();
    const settings = settingsIn(at.dir, [{ name: "main", url: "http://127.0.0.1:1" }]);
    await using guard = await startGuard(settings);
    const moved = {
      ...settings,
      state_dir: join(at.dir, "elsewhere"),
      metrics: { listen: "127.0.0.1:1" },
      control: { listen: "127.0.0.1:2", token_file: join(at.dir, "control.token") },
      gateways: [{ name: "other", url: "http://127.0.0.1:1" }],
    };
    assert.equal(await guard.reloadWith(moved), false);
    assert.deepEqual(
      problems(guard),
      ["metrics.listen", "control.listen", "state_dir"].map(
        (setting) => `${setting}: cannot change while the guard runs: restart the guard, or set it back`,
      ),
    );
    assert.match((await guard.get(`${guard.metricsUrl}/metrics`)).body, /gateway="main"/);
  });

  test("is one whose token is not there", async () => {
    using at = folder();
    const main = { name: "main", url: "http://127.0.0.1:1" };
    const settings = settingsIn(at.dir, [main]);
    await using guard = await startGuard(settings);
    const gateways = [{ ...main, token_file: join(at.dir, "none") }];
    assert.equal(await guard.reloadWith({ ...settings, gateways }), false);
    assert.match(problems(guard).join(), /^gateways\.0\.token_file: there is no token/);
  });
});

test("SIGHUP reads the file again, any number of times, and the program goes on", async () => {
  await using at = home();
  const port = await freePort();
  const write = (confirm: string) =>
    at.write(
      "guard.yml",
      `state_dir: ${join(at.dir, "state")}\nmetrics: { listen: "127.0.0.1:${port}" }\ncontrol: { listen: "127.0.0.1:0" }\n` +
        `hang: { confirm: ${confirm} }\ngateways: [{ url: "http://127.0.0.1:1" }]\n`,
    );
  const file = write("90s");
  const guard = at.start("serve", "--config", file);
  await guard.says('"event":"serving"');
  const series = async (name: string) =>
    valueIn(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), name);
  const confirm = 'openclaw_gateway_threshold{signal="unresponsive_seconds",level="critical",gateway="main"}';
  assert.equal(await series(confirm), 90);

  write("2m");
  for (let n = 0; n < 3; n++) guard.child.kill("SIGHUP");
  await until("it is taken over", async () => (await series(confirm)) === 120);

  writeFileSync(file, "hang: { confirm: never }\nsurprise: 1\n");
  guard.child.kill("SIGHUP");
  await until("it is refused", async () => (await series(successful)) === 0);
  await guard.says("surprise: there is no such setting");
  await guard.says("hang.confirm: write a duration");
  assert.equal(await series(confirm), 120);

  guard.child.kill("SIGTERM");
  assert.equal(await guard.ended, 0);
});

/** When the running silence began, in seconds. */
async function beginOf(guard: Guard): Promise<number> {
  return performance.now() / 1000 - ((await guard.series(silence)) ?? Number.NaN);
}

function problems(guard: Guard): readonly string[] {
  return guard.logged
    .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
    .filter(({ event }) => event === "reload_failed")
    .map(({ problem }) => String(problem));
}
