// Can only one process of this host hold a name, and is it free again however its holder ends?
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { claim } from "../../src/platform/lock.ts";
import { until } from "../support/gateway.ts";

const holder = fileURLToPath(new URL("holder.ts", import.meta.url));
const newName = () => `openclaw-guard-test/${randomUUID()}`;

test("a name is held once, and given back", async () => {
  const name = newName();
  const first = await claim(name);
  assert.notEqual(first, undefined);
  assert.equal(await claim(name), undefined);
  await first?.[Symbol.asyncDispose]();
  await using again = await claim(name);
  assert.notEqual(again, undefined);
});

test("different names do not meet, also where one begins with the other", async () => {
  const name = newName();
  await using one = await claim(name);
  await using other = await claim(`${name}2`);
  assert.ok(one !== undefined && other !== undefined);
});

test("another process holds it for all of the host, and SIGKILL gives it back", async () => {
  const name = newName();
  const child = spawn(process.execPath, [holder, name], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [said] = await once(createInterface({ input: child.stdout }), "line");
    assert.equal(said, "held");
    assert.equal(await claim(name), undefined);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  let mine: AsyncDisposable | undefined;
  await until("the kernel has given it back", async () => {
    mine = await claim(name);
    return mine !== undefined;
  });
  await mine?.[Symbol.asyncDispose]();
});

test("a lock that is held keeps no process alive", async () => {
  const child = spawn(
    process.execPath,
    [
      "-e",
      `import(${JSON.stringify(new URL("../../src/platform/lock.ts", import.meta.url).href)}).then(({ claim }) => claim(${JSON.stringify(newName())}))`,
    ],
    { stdio: "inherit" },
  );
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});
