// Are the metrics documented as they are, and named so that nobody takes them for something else?
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { metricsDoc } from "../../scripts/metrics-doc.ts";
import { catalogue } from "../../src/catalogue.ts";

const root = join(import.meta.dirname, "../..");
const doc = readFileSync(join(root, "docs/metrics.md"), "utf8");
const official = JSON.parse(
  readFileSync(join(root, "test/fixtures/metrics/official-plugin.json"), "utf8"),
) as { readonly taken: string; readonly names: readonly string[] };

/** Names of the field that every exporter may have about itself. */
const reserved = /^(process|nodejs)_/;
const prefix = /^openclaw_(gateway|host|guard|endpoint)_[a-z0-9_]+$/;
const baseUnits = /_(seconds|bytes|bytes_per_second)$/;
/** Gauges of counted things and of states have no unit: each is named here, so that a new one is a decision. */
const unitless: ReadonlySet<string> = new Set([
  "openclaw_endpoint_failures_threshold",
  "openclaw_endpoint_probe_consecutive_failures",
  "openclaw_endpoint_reachable",
  "openclaw_endpoint_up",
  "openclaw_gateway_auth_profiles_missing",
  "openclaw_gateway_auth_profiles_named",
  "openclaw_gateway_child_processes",
  "openclaw_gateway_claimants",
  "openclaw_gateway_config_backups",
  "openclaw_gateway_config_drifted",
  "openclaw_gateway_config_present",
  "openclaw_gateway_config_valid",
  "openclaw_gateway_storage_complete",
  "openclaw_gateway_storage_files",
  "openclaw_gateway_unit_kill_mode",
  "openclaw_gateway_unit_safe",
  "openclaw_gateway_unit_start_limit_burst",
  "openclaw_gateway_accept_queue_length",
  "openclaw_gateway_health_ok",
  "openclaw_gateway_held",
  "openclaw_gateway_listening",
  "openclaw_gateway_max_fds",
  "openclaw_gateway_plugins",
  "openclaw_gateway_memory_trend",
  "openclaw_gateway_model_runtime_degraded",
  "openclaw_gateway_open_fds",
  "openclaw_gateway_probe_consecutive_failures",
  "openclaw_gateway_probe_success",
  "openclaw_gateway_process_tree_cut",
  "openclaw_gateway_processes",
  "openclaw_gateway_restart_safe",
  "openclaw_gateway_sockets",
  "openclaw_gateway_stall_class",
  "openclaw_gateway_threads",
  "openclaw_gateway_threshold",
  "openclaw_gateway_up",
  "openclaw_gateway_updating",
  "openclaw_gateway_work_active",
  "openclaw_gateway_zombie_processes",
  "openclaw_host_cpu_cores",
  "openclaw_host_load_average",
  "openclaw_guard_budget_left",
  "openclaw_guard_collector_success",
  "openclaw_guard_config_last_reload_successful",
  "openclaw_guard_episode_running",
  "openclaw_guard_gave_up",
  "openclaw_guard_mode",
  "openclaw_guard_mode_downgraded",
  "openclaw_guard_paused",
  "openclaw_guard_restart_blocked",
]);

suite("docs/metrics.md", () => {
  test("is up to date (npm run docs)", () => assert.equal(doc, metricsDoc()));

  test("has every family once", () => {
    assert.ok(catalogue.length > 40, `${catalogue.length} families`);
    const rows = [...doc.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? "");
    assert.deepEqual(rows.sort(), catalogue.map(({ name }) => name).sort());
  });
});

suite("the names of the metrics", () => {
  test("are each declared once", () =>
    assert.equal(new Set(catalogue.map(({ name }) => name)).size, catalogue.length));

  test("differ from those of the gateway's own plugin, also in their parts", () => {
    assert.ok(official.names.length > 70, `${official.names.length} names, taken ${official.taken}`);
    const parts = (name: string) => ["", "_bucket", "_sum", "_count"].map((part) => `${name}${part}`);
    const theirs = new Set(official.names.flatMap(parts));
    assert.deepEqual(
      catalogue.flatMap(({ name }) => parts(name)).filter((name) => theirs.has(name)),
      [],
    );
  });

  for (const { name, type, labels, help } of catalogue)
    test(`follow the conventions: ${name}`, () => {
      if (!reserved.test(name)) assert.match(name, prefix);
      if (type === "counter") assert.match(name, /_total$/);
      else assert.doesNotMatch(name, /_total$/);
      if (type === "histogram") assert.match(name, baseUnits);
      assert.doesNotMatch(name, /_(ms|milliseconds|minutes|hours|kb|mb|kilobytes|megabytes|percent)(_|$)/);
      if (type === "gauge" && !/_(info|ratio)$/.test(name) && !reserved.test(name))
        assert.notEqual(
          baseUnits.test(name),
          unitless.has(name),
          "a base unit, or a place in the list above",
        );
      for (const label of labels ?? []) {
        assert.match(label, /^[a-z]+$/);
        assert.ok(!["gateway", "job", "instance", "le", "quantile"].includes(label), label);
      }
      assert.match(help, /^[A-Z].*[a-z0-9)]\.$/, "a sentence");
    });
});

test("the list of names without a unit has no name that is gone", () => {
  const names = new Set(catalogue.map(({ name }) => name));
  assert.deepEqual(
    [...unitless].filter((name) => !names.has(name)),
    [],
  );
});
