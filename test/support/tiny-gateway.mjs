// The smallest thing that can be supervised: answers on loopback with a word for its life, and writes where it listens.
// argv: the folder for the file `address`; then how long it drains on SIGTERM, in milliseconds.
import { randomUUID } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const [folder, drainMs = "0"] = process.argv.slice(2);
const life = randomUUID();
const server = createServer((_request, response) => response.end(life));
process.on("SIGTERM", () => setTimeout(() => process.exit(0), Number(drainMs)));
// The address is written last and at once: who reads it finds signals and port in place.
server.listen(0, "127.0.0.1", () => {
  const file = join(folder, "address");
  writeFileSync(
    `${file}.new`,
    JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/`, pid: process.pid }),
  );
  renameSync(`${file}.new`, file);
});
