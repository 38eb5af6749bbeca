// Is an endpoint that is online but silent told from one that is gone, and does none of many hide another?
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Endpoint, endpointsCollector, lanesFor } from "../../src/collect/endpoints.ts";
import { instant, ms, seconds } from "../../src/core/time.ts";
import { ask, endpoint, freePort, listening, saying, web } from "./endpoint-servers.ts";

const never = new AbortController().signal;
const soon = seconds(0.3);

suite("every kind of endpoint", () => {
  const at = (port: number): readonly Endpoint[] => [
    endpoint({ name: "a", kind: "http", url: `http://127.0.0.1:${port}/`, expect: 200, timeout: soon }),
    endpoint({ name: "b", kind: "websocket", url: `ws://127.0.0.1:${port}/`, timeout: soon }),
    ...(["tcp", "redis", "postgres"] as const).map((kind) =>
      endpoint({ name: kind, kind, host: "127.0.0.1", port, timeout: soon }),
    ),
  ];
  const readAll = async (endpoints: readonly Endpoint[]) =>
    (
      await endpointsCollector(
        () => ({ endpoints, every: seconds(60) }),
        () => instant(0),
      ).read(never)
    ).map(({ endpoint: { kind }, up, reachable, failure }) => [kind, up, reachable, failure]);

  test("is down and out of reach when nobody listens", async () => {
    assert.deepEqual(
      await readAll(at(await freePort())),
      ["http", "websocket", "tcp", "redis", "postgres"].map((kind) => [kind, false, false, "refused"]),
    );
  });

  test("is down, too, when none of several addresses of its host is listened at", async () => {
    const { up, reachable, failure } = await ask({ kind: "tcp", host: "localhost", port: await freePort() });
    assert.deepEqual([up, reachable, failure], [false, false, "refused"]);
  });

  test("is down but within reach when it accepts and says nothing, and tcp asks for no more", async () => {
    await using server = await listening();
    assert.deepEqual(await readAll(at(server.port)), [
      ["http", false, true, "timeout"],
      ["websocket", false, true, "timeout"],
      ["tcp", true, true, undefined],
      ["redis", false, true, "timeout"],
      ["postgres", false, true, "timeout"],
    ]);
  });

  test("is down when it hangs up at once", async () => {
    await using server = await listening((socket) => socket.resetAndDestroy());
    for (const [kind, up, , failure] of await readAll(at(server.port)))
      if (kind !== "tcp") assert.deepEqual([up, failure], [false, "reset"], String(kind));
  });

  test("is down when it talks without end", async () => {
    await using server = await listening((socket) => {
      const talk = () => {
        while (!socket.destroyed && socket.write("x".repeat(65_536)));
      };
      socket.on("drain", talk);
      talk();
    });
    for (const [kind, up] of await readAll(at(server.port))) assert.equal(up, kind === "tcp", String(kind));
  });
});

suite("the endpoints together", () => {
  test("are counted: failures in a row, the last success, and the series of each", async () => {
    let well = true;
    await using server = await web((_, answer) => answer.writeHead(well ? 200 : 500).end());
    const bot = endpoint({ name: "bot", gateway: "main", kind: "http", url: server.url, expect: 200 });
    let now = 1000;
    const collector = endpointsCollector(
      () => ({ endpoints: [bot], every: seconds(60) }),
      () => instant(now),
    );
    const shown = async () => {
      now += 1000;
      const samples = collector.samples(await collector.read(never));
      for (const { labels } of samples)
        assert.deepEqual(labels, { endpoint: "bot", kind: "http", gateway: "main" });
      return Object.fromEntries(
        samples.map(({ name, value }) => [name.replace("openclaw_endpoint_", ""), value]),
      );
    };
    const { probe_duration_seconds: length, ...first } = await shown();
    assert.ok(length !== undefined && length > 0 && length < 20);
    const same = { reachable: 1, failures_threshold: 3 };
    assert.deepEqual(first, {
      ...same,
      up: 1,
      probe_consecutive_failures: 0,
      last_success_timestamp_seconds: 2,
    });
    well = false;
    await shown();
    const { probe_duration_seconds: _, ...third } = await shown();
    assert.deepEqual(third, {
      ...same,
      up: 0,
      probe_consecutive_failures: 2,
      last_success_timestamp_seconds: 2,
    });
    well = true;
    assert.equal((await shown())["probe_consecutive_failures"], 0);
    assert.deepEqual(
      [...new Set(collector.samples(await collector.read(never)).map(({ name }) => name))].sort(),
      collector.metrics.map(({ name }) => name).sort(),
    );
  });

  test("keep their streaks under other settings, except behind another address", async () => {
    const port = await freePort();
    let one = endpoint({ kind: "tcp", host: "127.0.0.1", port });
    const collector = endpointsCollector(
      () => ({ endpoints: [one], every: seconds(60) }),
      () => instant(0),
    );
    const failures = async () => (await collector.read(never)).map((each) => each.consecutiveFailures);
    assert.deepEqual([await failures(), await failures()], [[1], [2]]);
    one = { ...one, timeout: soon };
    assert.deepEqual(await failures(), [3]);
    one = { ...one, kind: "redis", host: "127.0.0.1", port };
    assert.deepEqual(await failures(), [1]);
  });

  test("have nothing to say before they are asked, and nothing when there are none", async () => {
    const collector = endpointsCollector(
      () => ({ endpoints: [], every: seconds(60) }),
      () => instant(0),
    );
    assert.deepEqual(collector.samples(await collector.read(never)), []);
  });

  test("say nothing about an endpoint when the fault is our own, and count nothing", async () => {
    // Nobody can connect to the broadcast address: the kernel refuses it before anything is sent.
    const { up, reachable, duration, consecutiveFailures } = await ask({
      kind: "tcp",
      host: "255.255.255.255",
      port: 9,
    });
    assert.deepEqual([up, reachable, duration, consecutiveFailures], [undefined, undefined, undefined, 0]);
  });

  test("end with the signal, and leave no connection behind", async () => {
    await using server = await listening();
    const url = `http://127.0.0.1:${server.port}/`;
    const one = endpoint({ kind: "http", url, expect: 200 });
    const collector = endpointsCollector(
      () => ({ endpoints: [one], every: seconds(60) }),
      () => instant(0),
    );
    const ending = new AbortController();
    const reading = collector.read(ending.signal);
    while (server.open() === 0) await new Promise(setImmediate);
    ending.abort(new Error("the guard is ending"));
    await assert.rejects(reading, /the guard is ending/);
    while (server.open() > 0) await new Promise(setImmediate);
  });

  test("are not asked all at once, and one that is silent does not hide another", async () => {
    let most = 0;
    await using silent = await listening(() => {
      most = Math.max(most, silent.open());
    });
    await using well = await saying("+PONG\r\n");
    const endpoints = Array.from({ length: 100 }, (_, i) =>
      endpoint({
        name: `e${i}`,
        kind: "redis",
        host: "127.0.0.1",
        port: i % 10 === 0 ? well.port : silent.port,
        timeout: ms(i % 10 === 0 ? 20_000 : 100),
      }),
    );
    const collector = endpointsCollector(
      () => ({ endpoints, every: seconds(60) }),
      () => instant(0),
    );
    const readings = await collector.read(never);
    assert.equal(readings.length, 100);
    assert.deepEqual(
      readings
        .filter(({ up }) => up === true)
        .map(({ endpoint: { name } }) => name)
        .sort(),
      endpoints
        .filter((_, i) => i % 10 === 0)
        .map(({ name }) => name)
        .sort(),
    );
    assert.ok(most <= 12, `${most} at once`);
  });
});

suite("the lanes in which endpoints are asked", () => {
  for (const [says, timeouts] of [
    ["none", []],
    ["one", [2000]],
    ["a hundred alike", Array.from({ length: 100 }, () => 2000)],
    ["a hundred of the longest", Array.from({ length: 100 }, () => 7500)],
    ["short ones and a few long", Array.from({ length: 100 }, (_, i) => (i % 9 === 0 ? 7500 : 300))],
  ] as const)
    test(`suffice for a round in which every endpoint is silent: ${says}`, () => {
      const lanes = lanesFor(timeouts.map(ms), ms(13_500));
      const ends = Array.from({ length: lanes }, () => 0);
      for (const each of timeouts) {
        const next = ends.indexOf(Math.min(...ends));
        ends[next] = (ends[next] ?? 0) + each;
      }
      assert.ok(Math.max(0, ...ends) < 13_500, `${lanes} lanes end at ${Math.max(...ends)}`);
      assert.ok(lanes <= timeouts.length);
    });
});
