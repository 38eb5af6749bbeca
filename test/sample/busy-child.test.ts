// Is a real gateway that waits for a command of its own told from a hung one? A second stands for a hundred and fifty.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayCollectors } from "../../src/collect/index.ts";
import { hangConfirmed, silentFor } from "../../src/core/stall.ts";
import { ms, seconds } from "../../src/core/time.ts";
import { now, sleep } from "../../src/platform/clock.ts";
import { watchGateway } from "../../src/sample/watch.ts";
import { policy as defaults } from "../core/support.ts";
import { until } from "../support/gateway.ts";

const program = fileURLToPath(new URL("command.mjs", import.meta.url));
const policy = { ...defaults, hangConfirm: ms(600), hangConfirmBusyChild: seconds(4), hangProbes: 2 };

/** How long the silence had lasted when the hang was confirmed, for a gateway that waits for this command. */
async function confirmedAfter(
  command: readonly string[],
): Promise<{ readonly silent: number; readonly saw: string }> {
  const gateway = spawn(process.execPath, [program, ...command], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(gateway, "exit");
  const ending = new AbortController();
  let loop: Promise<void> | undefined;
  let collectors: ReturnType<typeof gatewayCollectors> | undefined;
  try {
    const [line] = (await once(gateway.stdout, "data")) as [Buffer];
    const port = Number(line.toString());
    const cadence = { process: ms(200), probe: ms(300), probeTimeout: ms(100), slowProbe: ms(300) };
    collectors = gatewayCollectors(
      { host: "127.0.0.1", port, token: () => undefined, cadence },
      { procRoot: "/proc", sysRoot: "/sys", now },
    );
    const { process: ofProcess, probe } = collectors;
    const watched = { process: ofProcess, probe, work: undefined };
    const watch = watchGateway(
      watched,
      () => undefined,
      { now, sleep },
      () => policy,
    );
    loop = watch.run(ending.signal);
    const { promise: confirmed, resolve } = Promise.withResolvers<{ silent: number; saw: string }>();
    await until("it answers", () => watch.evidence().stall.class === "alive");
    await fetch(`http://127.0.0.1:${port}/run`);
    await until("the hang is confirmed", () => {
      const { stall } = watch.evidence();
      const at = now();
      const hung = hangConfirmed(stall, at, policy);
      if (hung) resolve({ silent: silentFor(stall, at, policy), saw: `${stall.class}` });
      return hung;
    });
    return await confirmed;
  } finally {
    ending.abort(new Error("the test is over"));
    const children = readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, "utf8").trim();
    gateway.kill("SIGKILL");
    await exited;
    // Only those that were its children a moment ago; its command lives on without it.
    for (const pid of children.split(" ").filter((each) => each !== "")) killIfThere(Number(pid));
    await loop;
    await collectors?.probe[Symbol.asyncDispose]();
    await collectors?.work[Symbol.asyncDispose]();
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

test("a gateway in execSync of a command that computes is not hung after 90 s, and is after 600 s (1:150)", async () => {
  const { silent, saw } = await confirmedAfter([process.execPath, "-e", "for (;;);"]);
  assert.equal(saw, "deadlocked", "its own main thread sleeps");
  assert.ok(silent >= 4000, `${silent} ms`);
});

test("a gateway in execSync of a command that does nothing is hung after 90 s (1:150)", async () => {
  const { silent, saw } = await confirmedAfter(["sleep", "600"]);
  assert.equal(saw, "deadlocked");
  assert.ok(silent >= 600 && silent < 4000, `${silent} ms`);
});
