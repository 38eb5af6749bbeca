// A small gateway that runs a command and waits for it, as `execSync` does, when it is asked to: argv says which command.
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";

const [, , program, ...args] = process.argv;
const answers = {
  "/healthz": { ok: true, status: "live" },
  "/startupz": { ok: true, status: "started", version: "2026.9.6" },
  "/readyz": { ready: true },
};
const server = createServer((request, response) => {
  response.setHeader("connection", "close");
  response.end(JSON.stringify(answers[request.url] ?? {}), () => {
    if (request.url !== "/run") return;
    // Once this answer is out; the timeout is for a test that was killed.
    setTimeout(
      () => execFileSync(program, args, { timeout: 60_000, killSignal: "SIGKILL", stdio: "ignore" }),
      50,
    );
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
