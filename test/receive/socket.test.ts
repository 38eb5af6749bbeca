// Does it hold over a real socket, with senders that are many, slow, oversized or gone, and with a real journal?
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import fc from "fast-check";
import { keyOf } from "../../src/core/alert.ts";
import { instant } from "../../src/core/time.ts";
import { openJournal } from "../../src/record/journal.ts";
import { body, changed, deliver, receiver, token } from "./support.ts";

const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

async function listening(app: FastifyInstance): Promise<{ readonly url: string; readonly port: number }> {
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url: `${url}/api/v1/alerts`, port: Number(new URL(url).port) };
}

/** Waits, without sleeping, for a fact that another turn of the event loop brings about. */
async function until(fact: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await fact())) {
    assert.ok(performance.now() < deadline, "not in time");
    await turn();
  }
}

/** A delivery that stops in the middle of its body. */
async function stuck(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  socket.write(
    `POST /api/v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
      "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
  );
  return socket;
}

test("a delivery over a socket is in the journal when its 202 arrives", async () => {
  const root = mkdtempSync(join(tmpdir(), "openclaw-guard-receive-"));
  try {
    using journal = openJournal(join(root, "journal.db"));
    await using running = receiver({
      keep: (alerts) => journal.keepAlerts(alerts, instant(1), () => undefined),
    });
    const { app } = running;
    const { url } = await listening(app);
    for (const expected of [
      { accepted: 1, duplicate: 0, resolved: 0, ignored: 0 },
      { accepted: 0, duplicate: 1, resolved: 0, ignored: 0 },
    ]) {
      const answer = await fetch(url, { method: "POST", headers, body: body("firing") });
      assert.equal(answer.status, 202);
      assert.deepEqual(await answer.json(), expected);
      assert.equal(journal.openAlerts("main").length, 1);
    }
    const answer = await fetch(url, { method: "POST", headers, body: body("resolved") });
    assert.deepEqual(await answer.json(), { accepted: 0, duplicate: 0, resolved: 1, ignored: 0 });
    assert.deepEqual(journal.openAlerts("main"), []);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("a sender of eight megabytes gets its whole answer, with or without a token, and not a reset", async () => {
  await using running = receiver();
  const { app, counts } = running;
  const { url } = await listening(app);
  const huge = "x".repeat(8 * 1024 * 1024);
  const large = await fetch(url, { method: "POST", headers, body: huge });
  assert.equal(large.status, 413);
  assert.notEqual(
    large.headers.get("connection"),
    "close",
    "a close with unread bytes resets the connection",
  );
  assert.match(await large.text(), /max_alerts/);
  const stranger = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: huge,
  });
  assert.equal(stranger.status, 401);
  assert.match(await stranger.text(), /credentials_file/);
  assert.deepEqual(counts, { requests: 2, too_large: 1, unauthorized: 1 });
});

test("a body of unknown length is bounded as it comes", async () => {
  await using running = receiver();
  const { app, events } = running;
  const { url } = await listening(app);
  const chunks = ReadableStream.from(Array(40).fill(new TextEncoder().encode("x".repeat(10_000))));
  const answer = await fetch(url, { method: "POST", headers, body: chunks, duplex: "half" });
  assert.equal(answer.status, 413);
  assert.deepEqual(events, []);
});

test("the thirty-third delivery at once is 503 full, and there is room again when the others have gone", async () => {
  await using running = receiver();
  const { app, counts } = running;
  const { url, port } = await listening(app);
  const sockets = await Promise.all(Array.from({ length: 32 }, () => stuck(port)));
  await until(() => counts["requests"] === 32);
  const answer = await fetch(url, { method: "POST", headers, body: body("firing") });
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /more than 32 deliveries at once/);
  assert.equal(counts["full"], 1);
  const stranger = await fetch(url, { method: "POST", body: body("firing") });
  assert.equal(stranger.status, 401, "who has no token learns nothing about the load");
  await stranger.text();
  for (const socket of sockets) socket.destroy();
  await until(async () => {
    const again = await fetch(url, { method: "POST", headers, body: body("firing") });
    await again.text();
    return again.status === 202;
  });
});

test("a sender that goes away in the middle of its body changes nothing", async () => {
  await using running = receiver();
  const { app, events, counts } = running;
  const { port } = await listening(app);
  const socket = await stuck(port);
  await until(() => counts["requests"] === 1);
  socket.destroy();
  await until(() => counts["malformed"] === 1);
  assert.deepEqual(events, []);
});

test("a thousand deliveries one after the other leave no room taken", async () => {
  await using running = receiver();
  const { app, counts } = running;
  for (let n = 0; n < 1000; n++) {
    const answer = await deliver(app, n % 2 === 0 ? body("firing") : "not json");
    assert.equal(answer.statusCode, n % 2 === 0 ? 202 : 400);
  }
  assert.equal(counts["full"], undefined);
});

test("any order and repetition of whole deliveries leaves open what was never resolved", async () => {
  const root = mkdtempSync(join(tmpdir(), "openclaw-guard-receive-"));
  const one = fc.record({
    fingerprint: fc.constantFrom("aa", "bb"),
    startsAt: fc.constantFrom("2026-11-20T06:00:00Z", "2026-11-20T07:00:00.5+01:00"),
    status: fc.constantFrom("firing", "resolved"),
  });
  let run = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 10 }), async (deliveries) => {
        using journal = openJournal(join(root, `${run++}.db`));
        await using running = receiver({
          keep: (alerts) => journal.keepAlerts(alerts, instant(1), () => undefined),
        });
        const { app } = running;
        const word = (some: (typeof deliveries)[number]) =>
          `${some.fingerprint}@${Date.parse(some.startsAt)}`;
        for (const some of deliveries) {
          assert.equal((await deliver(app, changed({ alert: some }))).statusCode, 202);
        }
        const over = new Set(deliveries.filter((some) => some.status === "resolved").map(word));
        const expected = new Set(deliveries.map(word).filter((key) => !over.has(key)));
        assert.deepEqual(new Set(journal.openAlerts("main").map(keyOf)), expected);
      }),
      { numRuns: 25 },
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});
