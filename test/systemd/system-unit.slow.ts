// The gateway as a system unit of a systemd that is PID 1: the same verbs through the system's manager.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../src/core/time.ts";
import { systemdAction } from "../../src/remedy/systemd.ts";
import { eventually, everyAction, patient, type Subject } from "../remedy/action-suite.ts";
import { remains } from "../support/remains.ts";
import { bootSystemManager, inside, type SystemManager } from "../support/system-manager.ts";

const gatewayUnit = `[Service]
StateDirectory=gw
ExecStart=${inside.node} ${inside.support}/tiny-gateway.mjs /var/lib/gw 100
KillMode=mixed
TimeoutStopSec=330
RestartSec=1
Restart=always
[Install]
WantedBy=multi-user.target
`;

type Supervised = Subject & { readonly manager: SystemManager };

async function supervised(systemctl?: string): Promise<Supervised> {
  const manager = await bootSystemManager({ "gw.service": gatewayUnit });
  const call = async (...argv: readonly string[]) =>
    (await manager.run(argv, { deadline: seconds(20), signal: patient() })).stdout;
  const life = async () => {
    try {
      const { url } = JSON.parse(await call("cat", "/var/lib/gw/address")) as { url: string };
      return await (await fetch(url, { signal: AbortSignal.timeout(1000) })).text();
    } catch {
      return undefined;
    }
  };
  await call("systemctl", "enable", "gw");
  await call("systemctl", "start", "gw");
  await eventually("the first life", life);
  return {
    manager,
    action: systemdAction({ unit: "gw", scope: "system", run: manager.run, systemctl }),
    life,
    [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
  };
}

everyAction("systemd as PID 1", {
  healthy: () => supervised(),
  // Programs of the machine that do as is needed, whatever their arguments are.
  hanging: () => supervised(`${inside.support}/hangs`),
  failing: () => supervised(`${inside.support}/refuses`),
  async gone() {
    const manager = await bootSystemManager({});
    return {
      action: systemdAction({ unit: "gw", scope: "system", run: manager.run }),
      life: async () => undefined,
      [Symbol.asyncDispose]: () => manager[Symbol.asyncDispose](),
    };
  },
});

test("a clean stop by a person is a stop on purpose, a kill is not", async () => {
  await using subject = await supervised();
  const call = async (...argv: readonly string[]) =>
    await subject.manager.run(argv, { deadline: seconds(20), signal: patient() });
  await call("systemctl", "kill", "--signal=KILL", "gw");
  const killed = await eventually("the wait", async () => {
    const reading = await subject.action.inspect(patient());
    return reading.state === "waiting_to_restart" ? reading : undefined;
  });
  assert.equal(killed.stoppedOnPurpose, false);
  assert.equal(killed.exitStatus, 137);
  await call("systemctl", "stop", "gw");
  assert.equal((await subject.action.inspect(patient())).stoppedOnPurpose, true);
});

test("no cgroup, mount or folder of these tests is left", async () => {
  assert.deepEqual(await remains(), []);
});
