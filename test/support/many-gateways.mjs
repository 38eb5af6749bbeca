// Many gateways that are well, in one small process: each has a port of its own on loopback and answers its probes.
// argv: how many. Prints their ports as JSON and ends with its standard input.
import { once } from "node:events";
import { createServer } from "node:http";

const bodies = {
  "/healthz": { ok: true, status: "live" },
  "/startupz": { ok: true, status: "started", version: "2026.9.6" },
  "/readyz": { ready: true, eventLoop: { delayP99Ms: 1, delayMaxMs: 2 } },
};
const servers = Array.from({ length: Number(process.argv[2]) }, () =>
  createServer((request, response) => {
    const body = bodies[request.url ?? ""];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? {}));
  }).listen(0, "127.0.0.1"),
);
await Promise.all(servers.map((server) => server.listening || once(server, "listening")));
process.stdout.write(`${JSON.stringify(servers.map((server) => server.address().port))}\n`);
process.stdin.resume().on("end", () => process.exit(0));
