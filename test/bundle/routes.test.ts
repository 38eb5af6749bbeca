// Does Alertmanager send each alert where it belongs, and can nothing mute the cure?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { minutes } from "../../src/core/time.ts";
import { ExecError, run } from "../../src/platform/exec.ts";
import { components } from "../support/components.ts";
import { root, routes, yaml } from "./bundle.ts";

const file = `${root}alertmanager/alertmanager.yml`;
const limits = { deadline: minutes(1), signal: new AbortController().signal };
const amtool = async (...args: readonly string[]) => run([(await components()).amtool, ...args], limits);
const reaches = (receivers: string, labels: readonly string[]) =>
  amtool("config", "routes", "test", `--config.file=${file}`, `--verify.receivers=${receivers}`, ...labels);

type Route = {
  readonly receiver: string;
  readonly matchers?: readonly string[];
  readonly group_by?: readonly string[];
  readonly group_wait?: string;
  readonly group_interval?: string;
  readonly repeat_interval?: string;
  readonly continue?: boolean;
  readonly active_time_intervals?: readonly string[];
  readonly mute_time_intervals?: readonly string[];
};
type Inhibition = {
  readonly source_matchers: readonly string[];
  readonly target_matchers: readonly string[];
  readonly equal: readonly string[];
};
type Webhook = {
  readonly url: string;
  readonly send_resolved: boolean;
  readonly max_alerts: number;
  readonly http_config: {
    readonly follow_redirects: boolean;
    readonly authorization: { readonly credentials_file: string };
  };
};
type Receiver = { readonly name: string; readonly webhook_configs?: readonly Webhook[] };
type Shipped = {
  readonly route: Route & { readonly routes: readonly Route[] };
  readonly inhibit_rules: readonly Inhibition[];
  readonly receivers: readonly Receiver[];
};
const shipped = yaml<Shipped>("alertmanager/alertmanager.yml");

test("amtool accepts the file", async () => {
  const { stdout } = await amtool("check-config", file);
  assert.match(stdout, /4 receivers/);
});

suite("routes.txt holds", () => {
  for (const { words, receivers } of routes)
    test(`${words.join(" ")} reaches ${receivers}`, async () => {
      await reaches(receivers, words);
    });

  test("and a wrong line would be noticed", async () => {
    await assert.rejects(
      reaches("people", ["alertname=OpenClawGatewayDown", "remedy=restart", "urgency=now"]),
      ExecError,
    );
  });
});

suite("the way to the guard", () => {
  const toGuard = shipped.route.routes.filter(({ receiver }) => receiver === "guard");

  test("is immediate, repeated every minute, and never closed by the clock", () => {
    assert.equal(toGuard.length, 2);
    for (const route of toGuard) {
      assert.deepEqual(route.group_by, ["alertname", "job", "instance", "gateway"]);
      assert.equal(route.group_wait, "0s");
      assert.equal(route.group_interval, "10s");
      assert.equal(route.repeat_interval, "1m");
      assert.equal(route.continue, true);
      assert.equal(route.active_time_intervals ?? route.mute_time_intervals, undefined);
    }
  });

  test("people hear of what the guard may cure only after five minutes", () => {
    const hold = shipped.route.routes.find(
      ({ receiver, matchers }) => receiver === "people" && matchers?.includes('remedy = "restart"') === true,
    );
    assert.equal(hold?.group_wait, "5m");
    assert.equal(hold?.continue, undefined);
  });

  test("a catch-all for people ends the list, since `continue` never falls back", () => {
    assert.deepEqual(shipped.route.routes.at(-1), { receiver: "people" });
  });

  test("both webhooks carry the token by file, do not follow redirects and are bounded", () => {
    const hooks = shipped.receivers.flatMap(({ name, webhook_configs = [] }) =>
      webhook_configs.map((hook) => ({ name, ...hook })),
    );
    assert.deepEqual(
      hooks.map(({ name, send_resolved }) => [name, send_resolved]),
      [
        ["guard", true],
        ["guard-heartbeat", false],
      ],
    );
    for (const { url, max_alerts, http_config } of hooks) {
      assert.equal(url, "http://127.0.0.1:9478/api/v1/alerts");
      assert.equal(max_alerts, 50);
      assert.equal(http_config.follow_redirects, false);
      assert.equal(http_config.authorization.credentials_file, "guard.token");
    }
  });
});

suite("inhibition", () => {
  test("never mutes a remedy, an alert about the guard or a restart, or an alert of others", () => {
    assert.ok(shipped.inhibit_rules.length > 0);
    for (const { target_matchers, equal } of shipped.inhibit_rules) {
      assert.ok(target_matchers.includes('remedy = ""'), "may mute the cure");
      assert.ok(target_matchers.includes('alertname !~ "OpenClaw(Guard|Restart).*"'), "may mute the guard");
      // A label that is missing on both sides counts as equal: without this, alerts of other teams would match.
      assert.ok(target_matchers.includes('gateway =~ ".+"'), "may mute others");
      assert.ok(equal.includes("job") && equal.includes("instance"));
    }
  });
});

test("the snippet for an existing Alertmanager says the same as the whole file", () => {
  type Snippet = Pick<Shipped, "inhibit_rules" | "receivers"> & { readonly routes: readonly Route[] };
  const snippet = yaml<Snippet>("alertmanager/snippet.yml");
  assert.deepEqual(snippet.routes, shipped.route.routes.slice(0, -1));
  assert.deepEqual(snippet.inhibit_rules, shipped.inhibit_rules);
  assert.deepEqual(
    snippet.receivers,
    shipped.receivers.filter(({ name }) => name !== "people"),
  );
});
