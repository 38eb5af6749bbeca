// Is the listener of a port found among all sockets, with the connections that wait on it?
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Listener, parseListeners, readListeners, serves } from "../../src/collect/net.ts";
import { recorded } from "./proc-tree.ts";

const loopback6 = "00000000000000000000000001000000";

test("only the LISTEN rows of the port count, not its connections nor the ports of others", () => {
  assert.deepEqual(parseListeners(recorded("net-tcp.txt"), 18789), [
    { inode: 70001, queued: 3, address: "0100007F" },
  ]);
  assert.deepEqual(parseListeners(recorded("net-tcp6.txt"), 18789), [
    { inode: 70002, queued: 2, address: loopback6 },
  ]);
  assert.deepEqual(parseListeners(recorded("net-tcp.txt"), 45848), []);
  assert.deepEqual(parseListeners(recorded("net-tcp.txt"), 2024), [
    { inode: 1679, queued: 0, address: "00000000" },
  ]);
});

test("rows that cannot be read are left out", () => {
  const row =
    "   1: 0100007F:4965 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 70001 1";
  assert.equal(parseListeners(row, 18789).length, 1);
  for (const bad of [
    "",
    row.replace("70001", "x"),
    row.replace("70001", "0"),
    row.replace(":00000003", ""),
    row.slice(0, 60),
  ]) {
    assert.deepEqual(parseListeners(bad, 18789), [], bad);
  }
});

test("a kernel without IPv6 has one table; none at all is an error", () => {
  const folder = mkdtempSync(join(tmpdir(), "guard-net-"));
  try {
    assert.throws(() => readListeners(folder, 18789), /has no tcp table/);
    writeFileSync(join(folder, "tcp"), recorded("net-tcp.txt"));
    assert.equal(readListeners(folder, 18789).length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a table is read until the listening sockets end, however long the rest is", () => {
  const folder = mkdtempSync(join(tmpdir(), "guard-net-"));
  try {
    mkdirSync(folder, { recursive: true });
    const listening = recorded("net-tcp.txt").split("\n").slice(0, 3);
    const filler = Array.from(
      { length: 500 },
      (_, i) => `${i}: 0100007F:${(i + 4096).toString(16)} 00000000:0000 0A 0:0 0:0 0 0 0 ${i + 1} 1`,
    );
    const [header = "", ...rest] = listening;
    // What follows the listeners must not be looked at: this row would be taken for one.
    const connections = Array.from(
      { length: 9000 },
      (_, i) => `${i}: 0100007F:4965 0100007F:0001 01 0:0 0:0 0 0 0 ${i + 1} 1`,
    );
    writeFileSync(
      join(folder, "tcp"),
      [header, ...filler, ...rest, ...connections, rest[1] ?? ""].join("\n"),
    );
    assert.deepEqual(
      readListeners(folder, 18789).map(({ inode }) => inode),
      [70001],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a listener serves its own address, any address when it is a wildcard, and nobody else's", () => {
  assert.ok(serves(at("0100007F"), "127.0.0.1") && serves(at("0100007F"), "localhost"));
  assert.ok(serves(at("00000000"), "10.0.0.5") && serves(at("0".repeat(32)), "::1"));
  assert.ok(serves(at(loopback6), "::1") && serves(at(loopback6), "localhost"));
  assert.ok(serves(at("0500000A"), "10.0.0.5") && !serves(at("0500000A"), "127.0.0.1"));
  assert.ok(serves(at("0000000000000000FFFF00000100007F"), "127.0.0.1"));
  assert.ok(!serves(at("0500000A"), "localhost"));
  // A name may resolve to anything.
  assert.ok(serves(at("0500000A"), "gateway.internal"));
});

test("our own listener shows up in the real table", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    assert.equal(readListeners("/proc/self/net", address.port).length, 1);
  } finally {
    server.close();
  }
});

function at(address: string): Listener {
  return { inode: 1, queued: 0, address };
}
