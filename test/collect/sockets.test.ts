// Are the gateway's own sockets counted by state, those of others left out, and is it said when they cannot be told apart?
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { finder } from "../../src/collect/discover.ts";
import { countRows, emptyCounts, socketCollector } from "../../src/collect/sockets.ts";
import type { Incarnation } from "../../src/core/identity.ts";
import { until } from "../support/gateway.ts";
import { never, procTree, recordedPort } from "./proc-tree.ts";

const header =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (local: string, state: string, inode: number) =>
  `   0: ${local} 0100007F:B318 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
/** 18789 and another port. */
const ours = "0100007F:4965";
const other = "0100007F:1F90";
const outbound = "0100007F:C350";

const incarnation = { bootId: "boot", pid: 4242, startTicks: 1 } as Incarnation;
const sight = () => ({ incarnation, pids: [] });

const table =
  header +
  row(ours, "0A", 70001) +
  row(ours, "01", 70011) +
  row(ours, "08", 70012) +
  row(outbound, "01", 70013) +
  // Nobody's any more: at the gateway's port it was the gateway's.
  row(ours, "06", 0) +
  row(other, "06", 0) +
  row(other, "0A", 1679) +
  row(other, "01", 1680);

test("own sockets are told by inode, and closed ones by the gateway's port", async () => {
  using tree = procTree();
  tree.add({ pid: 4242, sockets: [70001, 70011, 70012, 70013] });
  tree.listen(table);
  const collector = socketCollector({ port: recordedPort, procRoot: tree.root, sight });
  const reading = await collector.read(never);
  assert.equal(reading?.scope, "process");
  assert.deepEqual(reading.counts, {
    ...emptyCounts(),
    listen: 1,
    established: 2,
    close_wait: 1,
    time_wait: 1,
  });
  const samples = collector.samples(reading);
  assert.equal(samples.length, 11);
  assert.deepEqual(samples[0], {
    name: "openclaw_gateway_sockets",
    labels: { state: "established", scope: "process" },
    value: 2,
  });
});

test("with more descriptors than can be asked for, all of the namespace are counted and it is said", async () => {
  using tree = procTree();
  const many = Array.from({ length: 2100 }, (_, index) => 90_000 + index);
  tree.add({ pid: 4242, sockets: many });
  tree.listen(table);
  const reading = await socketCollector({ port: recordedPort, procRoot: tree.root, sight }).read(never);
  assert.equal(reading?.scope, "namespace");
  assert.equal(reading.counts.listen, 2);
  assert.equal(reading.counts.established, 3);
});

test("a long table is read to its end, and one without end is a failure", async () => {
  using tree = procTree();
  tree.add({ pid: 4242, sockets: [70001] });
  tree.listen(table + row(ours, "06", 0).repeat(5000));
  const collector = socketCollector({ port: recordedPort, procRoot: tree.root, sight });
  assert.equal((await collector.read(never))?.counts.time_wait, 5001);
  tree.write("4242/net/tcp", row(ours, "06", 0).repeat(80_000));
  await assert.rejects(collector.read(never), /count sockets: more than 8388608 bytes of them/);
});

test("malformed rows are left out", () => {
  const counts = emptyCounts();
  const bad = ["", "nonsense", row(ours, "FF", 5), row(ours, "0x", 5), `   0: ${ours} 0100007F:B318 01`];
  countRows([...bad, row(ours, "01", 5)], undefined, recordedPort, counts);
  assert.deepEqual(counts, { ...emptyCounts(), established: 1 });
});

test("a gateway that is gone, or was replaced since, has no sockets to tell of", async () => {
  using tree = procTree();
  const gone = socketCollector({ port: recordedPort, procRoot: tree.root, sight: () => undefined });
  assert.equal(await gone.read(never), undefined);
  const vanished = socketCollector({ port: recordedPort, procRoot: tree.root, sight });
  assert.equal(await vanished.read(never), undefined);

  tree.add({ pid: 4242, sockets: [70001] });
  tree.listen(table);
  let present = incarnation;
  const collector = socketCollector({
    port: recordedPort,
    procRoot: tree.root,
    sight: () => ({ incarnation: present, pids: [] }),
  });
  const reading = await collector.read(never);
  assert.equal(collector.samples(reading).length, 11);
  present = { ...incarnation, startTicks: 2 };
  assert.deepEqual(collector.samples(reading), []);
});

test("a real process's connections are counted, and those it does not close pile up in close_wait", async () => {
  const held: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => held.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const { port } = address;
  const find = finder({ port, host: "127.0.0.1" }, "/proc");
  const serving = await find(never);
  assert.equal(serving?.incarnation.pid, process.pid);
  const collector = socketCollector({
    port,
    procRoot: "/proc",
    sight: () => ({ incarnation: serving.incarnation, pids: [] }),
  });
  const before = await collector.read(never);
  const clients = Array.from({ length: 3 }, () => connect(port, "127.0.0.1"));
  try {
    await Promise.all(clients.map((client) => once(client, "connect")));
    await until("both ends are seen", async () => {
      const now = await collector.read(never);
      return (now?.counts.established ?? 0) - (before?.counts.established ?? 0) === 6;
    });
    for (const client of clients) client.end();
    await until("the server's ends wait to be closed", async () => {
      const now = await collector.read(never);
      return (now?.counts.close_wait ?? 0) - (before?.counts.close_wait ?? 0) === 3;
    });
  } finally {
    for (const socket of [...clients, ...held]) socket.destroy();
    server.close();
  }
});
