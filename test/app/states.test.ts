// What can an operator tell from /metrics alone? One running guard per state of a gateway, and the series that set this
// state apart from every other.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { stallClasses } from "../../src/core/stall.ts";
import { ms } from "../../src/core/time.ts";
import { sleep } from "../../src/platform/clock.ts";
import type { Seams } from "../../src/world.ts";
import { command, type StandInOptions, supervisedStandIn, until } from "../support/gateway.ts";
import { folder, settingsIn, startGuard, valueIn } from "./support.ts";

type Gateway = Awaited<ReturnType<typeof supervisedStandIn>>;

/** A number, `undefined` for a series that must be absent, or what a value has to fulfil. */
type Expected = number | undefined | ((value: number | undefined) => boolean);

type State = {
  readonly name: string;
  readonly born?: StandInOptions;
  readonly become?: (gateway: Gateway) => Promise<void> | void;
  readonly stall: (typeof stallClasses)[number];
  /** Series without the prefix `openclaw_` and without the label `gateway`. */
  readonly shows: Readonly<Record<string, Expected>>;
};

const some = (value: number | undefined) => value !== undefined && value > 0;
const absent = undefined;

/** What holds for every gateway that answers and is started. */
const well: Readonly<Record<string, Expected>> = {
  gateway_up: 1,
  gateway_listening: 1,
  gateway_processes: some,
  gateway_unresponsive_seconds: 0,
  gateway_starting_seconds: 0,
  gateway_draining_seconds: 0,
  'gateway_probe_success{probe="healthz"}': 1,
  'gateway_probe_success{probe="startupz"}': 1,
  'gateway_probe_success{probe="readyz"}': 1,
  'gateway_probe_success{probe="rpc"}': 1,
  'gateway_event_loop_lag_seconds{stat="p99"}': some,
  'gateway_event_loop_lag_seconds{stat="max"}': some,
  'gateway_runtime_memory_bytes{area="heap_used"}': some,
  gateway_drain_budget_seconds: some,
  gateway_health_ok: 1,
};

/** What holds for every gateway whose process is there and whose event loop does not turn. */
const hung: Readonly<Record<string, Expected>> = {
  gateway_up: 0,
  gateway_listening: 1,
  gateway_processes: some,
  gateway_accept_queue_length: some,
  gateway_unresponsive_seconds: some,
  'gateway_probe_success{probe="healthz"}': 0,
  'gateway_probe_failure_info{probe="healthz",reason="timeout"}': 1,
  'gateway_probe_success{probe="startupz"}': absent,
  'gateway_probe_success{probe="rpc"}': 0,
  'gateway_probe_failure_info{probe="rpc",reason="timeout"}': 1,
  gateway_restart_safe: absent,
  'gateway_event_loop_lag_seconds{stat="p99"}': absent,
  gateway_health_ok: absent,
};

const states: readonly State[] = [
  {
    name: "idle",
    stall: "alive",
    shows: { ...well, gateway_restart_safe: 1, 'gateway_work_active{kind="embedded_run"}': 0 },
  },
  {
    name: "busy",
    become: (gateway) => gateway.ill("busy", { runs: 3 }),
    stall: "alive",
    shows: { ...well, gateway_restart_safe: 0, 'gateway_work_active{kind="embedded_run"}': 3 },
  },
  {
    name: "starting",
    born: { startupMs: 600_000, openBeforeMs: 600_000, openOnly: true },
    stall: "starting",
    shows: {
      gateway_up: 1,
      gateway_starting_seconds: some,
      gateway_unresponsive_seconds: 0,
      'gateway_probe_success{probe="healthz"}': 1,
      'gateway_probe_success{probe="startupz"}': 0,
      'gateway_probe_failure_info{probe="startupz",reason="status"}': 1,
      'gateway_probe_success{probe="readyz"}': 0,
    },
  },
  {
    name: "draining",
    async become(gateway) {
      await gateway.ill("busy");
      process.kill(gateway.life()?.pid ?? Number.NaN, "SIGTERM");
    },
    stall: "draining",
    shows: {
      gateway_up: 1,
      gateway_draining_seconds: some,
      gateway_starting_seconds: 0,
      gateway_unresponsive_seconds: 0,
      gateway_restart_safe: 0,
      'gateway_probe_success{probe="healthz"}': 1,
      'gateway_probe_success{probe="startupz"}': 0,
      'gateway_probe_success{probe="readyz"}': 0,
    },
  },
  { name: "hung", become: (gateway) => gateway.ill("hang"), stall: "blocked", shows: hung },
  { name: "hung on itself", become: (gateway) => gateway.ill("deadlock"), stall: "deadlocked", shows: hung },
  { name: "stopped", become: (gateway) => gateway.ill("stop"), stall: "stopped", shows: hung },
  {
    name: "deaf",
    become: (gateway) => gateway.ill("deaf"),
    stall: "no_listener",
    shows: {
      gateway_up: 0,
      gateway_listening: 0,
      gateway_processes: some,
      gateway_unresponsive_seconds: 0,
      'gateway_probe_failure_info{probe="healthz",reason="refused"}': 1,
      gateway_restart_safe: absent,
    },
  },
  {
    name: "gone",
    become: (gateway) => gateway.ill("crash"),
    stall: "gone",
    shows: {
      gateway_up: 0,
      gateway_processes: 0,
      gateway_unresponsive_seconds: 0,
      gateway_start_time_seconds: absent,
      gateway_restart_safe: absent,
      'gateway_probe_failure_info{probe="healthz",reason="refused"}': 1,
      guard_foreign_restarts_total: 0,
    },
  },
];

/** A slower pace than elsewhere: the RPC has to answer a machine at work. */
const pace = { every: "500ms", timeout: "200ms", slow_every: "700ms", process_every: "200ms" };

suite("from /metrics alone it can be told that a gateway is", { concurrency: 2 }, () => {
  for (const { name, born, become, stall, shows } of states)
    test(name, async () => {
      await using gateway = await supervisedStandIn(born);
      await using seen = await scraping(gateway);
      // A gateway that falls ill before it was seen well is one that still starts.
      if (born === undefined)
        await seen.until({ 'gateway_stall_class{class="alive"}': 1, gateway_restart_safe: 1 });
      await become?.(gateway);
      const classes = stallClasses.map((each) => [
        `gateway_stall_class{class="${each}"}`,
        each === stall ? 1 : 0,
      ]);
      await seen.until({ ...shows, ...Object.fromEntries(classes) });
    });

  test("replaced: another start time, and a restart that the guard did not do", async () => {
    await using gateway = await supervisedStandIn();
    // Without anything open a guard takes a turn twice a minute; here it never sleeps that long.
    await using seen = await scraping(gateway, {
      sleep: (length, signal) => sleep(ms(Math.min(length, 500)), signal),
    });
    await seen.until({ ...well, 'gateway_stall_class{class="alive"}': 1, guard_foreign_restarts_total: 0 });
    const before = await seen.series("gateway_start_time_seconds");
    await gateway.ill("crash");
    await seen.until({ gateway_processes: 0 });
    await command(gateway.commands.start);
    await seen.until({
      ...well,
      'gateway_stall_class{class="alive"}': 1,
      gateway_start_time_seconds: (value) => value !== undefined && value > (before ?? 0),
      guard_foreign_restarts_total: 1,
    });
  });
});

test("no two states look the same", () => {
  const looks = states.map(({ name, stall, shows }) => {
    const fixed = Object.entries(shows).filter(([, value]) => typeof value === "number");
    return [name, JSON.stringify([stall, Object.fromEntries(fixed)])] as const;
  });
  assert.equal(new Set(looks.map(([, look]) => look)).size, looks.length);
});

/** A guard that watches the gateway with its token and restarts nothing. */
async function scraping(gateway: Gateway, twist: Partial<Seams> = {}) {
  const at = folder("states");
  const tokenFile = join(at.dir, "gateway.token");
  writeFileSync(tokenFile, gateway.token, { mode: 0o600 });
  const main = { name: "main", url: gateway.url, token_file: tokenFile };
  const guard = await startGuard(settingsIn(at.dir, [main], { probe: pace }), twist);
  const read = async () => (await guard.get(`${guard.metricsUrl}/metrics`)).body;
  const value = (text: string, series: string) => {
    const [name = "", labels = ""] = series.replace("}", "").split("{");
    return valueIn(text, `openclaw_${name}{${[labels, 'gateway="main"'].filter(Boolean).join()}}`);
  };
  return {
    series: async (series: string) => value(await read(), series),
    /** Scrapes until one scrape shows all of it; fails with what was still different. */
    async until(shows: Readonly<Record<string, Expected>>) {
      let different: readonly string[] = [];
      await until(
        "the scrape shows it",
        async () => {
          const text = await read();
          different = Object.entries(shows).flatMap(([series, expected]) => {
            const found = value(text, series);
            const holds = typeof expected === "function" ? expected(found) : found === expected;
            return holds ? [] : [`${series} is ${found}`];
          });
          return different.length === 0;
        },
        30_000,
      ).catch((error: unknown) => {
        throw new Error(different.join(", "), { cause: error });
      });
    },
    async [Symbol.asyncDispose]() {
      await guard[Symbol.asyncDispose]();
      at[Symbol.dispose]();
    },
  };
}
