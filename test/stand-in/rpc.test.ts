// Does the stand-in speak the gateway's WebSocket protocol: handshake, refusals, and what it says about its work?
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { z } from "zod";
import { type StandIn, startStandIn, until } from "../support/gateway.ts";

const frameShape = z.object({
  type: z.string(),
  id: z.string().optional(),
  event: z.string().optional(),
  ok: z.boolean().optional(),
  payload: z.record(z.string(), z.unknown()).optional(),
  error: z
    .object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()).optional() })
    .optional(),
});
type Frame = z.infer<typeof frameShape>;

/** Sends `first` after the challenge, then each method in turn; resolves to all frames and the close code. */
function talk(
  gateway: StandIn,
  first: object | string,
  methods: readonly string[] = [],
): Promise<{
  readonly answers: readonly Frame[];
  readonly events: readonly string[];
  readonly code: number;
}> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`);
    const answers: Frame[] = [];
    const events: string[] = [];
    socket.on("message", (data: Buffer) => {
      const frame = frameShape.parse(JSON.parse(data.toString("utf8")));
      if (frame.type === "event") {
        events.push(frame.event ?? "");
        if (frame.event === "connect.challenge")
          socket.send(typeof first === "string" ? first : JSON.stringify(first));
        return;
      }
      answers.push(frame);
      const next = methods[answers.length - 1];
      if (frame.ok === false && answers.length === 1) return; // the gateway closes
      if (next === undefined) socket.close(4000);
      else
        socket.send(JSON.stringify({ type: "req", id: `${answers.length + 1}`, method: next, params: {} }));
    });
    socket.on("error", reject);
    socket.on("close", (code) => resolve({ answers, events, code }));
  });
}

function connectWith(gateway: StandIn, changes: object = {}): object {
  const params = {
    minProtocol: 4,
    maxProtocol: 4,
    client: { id: "gateway-client", version: "0", platform: "linux", mode: "backend" },
    role: "operator",
    scopes: ["operator.read"],
    caps: [],
    auth: { token: gateway.token },
    ...changes,
  };
  return { type: "req", id: "1", method: "connect", params };
}

test("a backend client with the token learns that an idle gateway is safe to restart", async () => {
  await using gateway = await startStandIn();
  const { answers, events, code } = await talk(gateway, connectWith(gateway), ["gateway.restart.preflight"]);
  assert.equal(answers[0]?.payload?.["type"], "hello-ok");
  assert.equal(answers[0]?.payload?.["protocol"], 4);
  assert.deepEqual(answers[1]?.payload, {
    safe: true,
    counts: {
      queueSize: 0,
      pendingReplies: 0,
      embeddedRuns: 0,
      cronRuns: 0,
      backgroundExecSessions: 0,
      rootRequests: 0,
      activeTasks: 0,
      totalActive: 0,
    },
    blockers: [],
    summary: "safe to restart now",
  });
  assert.deepEqual(events, ["connect.challenge", "tick"], "events come between answers");
  assert.equal(code, 4000, "the client ends the conversation");
});

test("a run in flight blocks a restart and is counted in every category it touches", async () => {
  await using gateway = await startStandIn();
  await gateway.ill("busy", { runs: 1, forMs: 60_000 });
  const preflight = async () =>
    (await talk(gateway, connectWith(gateway), ["gateway.restart.preflight"])).answers[1]?.payload;
  await until("busy", async () => (await preflight())?.["safe"] === false);
  const counts = z.record(z.string(), z.number()).parse((await preflight())?.["counts"]);
  const { queueSize, embeddedRuns, rootRequests, totalActive } = counts;
  assert.deepEqual(
    { queueSize, embeddedRuns, rootRequests, totalActive },
    { queueSize: 2, embeddedRuns: 1, rootRequests: 1, totalActive: 4 },
  );
  const blockers = z.array(z.object({ kind: z.string() })).parse((await preflight())?.["blockers"]);
  assert.deepEqual(
    blockers.map((one) => one.kind),
    ["queue", "embedded-run", "root-request"],
  );
  await gateway.ill("well");
  await until("idle", async () => (await preflight())?.["safe"] === true);
});

test("status and health tell pid, version and memory", async () => {
  await using gateway = await startStandIn();
  const { answers } = await talk(gateway, connectWith(gateway), ["status", "health"]);
  assert.equal(answers[1]?.payload?.["pid"], gateway.pid);
  assert.equal(answers[1]?.payload?.["runtimeVersion"], "2026.9.6");
  const memory = z.object({ rssBytes: z.number() }).parse(answers[1]?.payload?.["processMemory"]);
  assert.ok(memory.rssBytes > 10_000_000);
  assert.equal(answers[2]?.payload?.["ok"], true);
});

test("each way of being refused has its code and its close code", async () => {
  await using gateway = await startStandIn();
  const cases: readonly [string, object, string, string | undefined, number][] = [
    ["no token", { auth: undefined }, "NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", 1008],
    ["wrong token", { auth: { token: "wrong" } }, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH", 1008],
    ["old protocol", { minProtocol: 3, maxProtocol: 3 }, "INVALID_REQUEST", "PROTOCOL_MISMATCH", 1002],
    ["another client", { client: { id: "me", mode: "backend" } }, "INVALID_REQUEST", undefined, 1008],
  ];
  for (const [name, changes, code, detail, closed] of cases) {
    const said = await talk(gateway, connectWith(gateway, changes));
    assert.equal(said.answers[0]?.error?.code, code, name);
    assert.equal(said.answers[0]?.error?.details?.["code"], detail, name);
    assert.equal(said.code, closed, name);
  }
});

test("a call without its scope is forbidden, and so is a method that nobody knows", async () => {
  await using gateway = await startStandIn();
  const noScope = await talk(gateway, connectWith(gateway, { scopes: [] }), ["gateway.restart.preflight"]);
  assert.equal(noScope.answers[1]?.error?.code, "FORBIDDEN");
  assert.equal(noScope.answers[1]?.error?.details?.["missingScope"], "operator.read");
  const unknown = await talk(gateway, connectWith(gateway), ["gateway.restart.request"]);
  assert.equal(unknown.answers[1]?.error?.details?.["missingScope"], "operator.admin");
});

test("what is no request, and a call before connect, end the conversation", async () => {
  await using gateway = await startStandIn();
  assert.equal((await talk(gateway, "hello")).code, 1000);
  const early = await talk(gateway, { type: "req", id: "1", method: "health", params: {} });
  assert.match(early.answers[0]?.error?.message ?? "", /first request must be connect/);
  assert.equal(early.code, 1008);
});
