// Which programs do the endpoint tests talk to? Real servers on free ports, and one that says exactly the bytes it is given.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createWebServer, type RequestListener } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { instant, seconds } from "../../src/core/time.ts";
import { type Endpoint, endpointsCollector, type EndpointReading } from "../../src/collect/endpoints.ts";

/** A server that hands every connection to `speak`; closing it ends the connections, too. */
export async function listening(
  speak: (socket: Socket) => void = () => undefined,
): Promise<AsyncDisposable & { readonly port: number; readonly open: () => number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    speak(socket);
    // Who does not read does not hear that the other side has gone.
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(server),
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server that answers the first bytes of every connection with these, and with nothing else. */
export function saying(...answers: readonly (string | Buffer)[]) {
  return listening((socket) => {
    socket.once("data", () => {
      for (const answer of answers) socket.write(answer);
    });
  });
}

export function portOf(server: Pick<Server, "address">): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("port: not listening");
  return address.port;
}

/** A port on which nobody listens now. */
export async function freePort(): Promise<number> {
  await using server = await listening();
  return server.port;
}

type Given<E> = E extends Endpoint ? Omit<E, "name" | "timeout" | "failures"> & Partial<E> : never;

/** An endpoint with what a test does not care about filled in. */
export function endpoint(given: Given<Endpoint>): Endpoint {
  return { name: "it", timeout: seconds(20), failures: 3, ...given };
}

/** Asks one endpoint once. */
export async function ask(given: Given<Endpoint>): Promise<EndpointReading> {
  const one = endpoint(given);
  const collector = endpointsCollector(
    () => ({ endpoints: [one], every: seconds(60) }),
    () => instant(7000),
  );
  const [reading] = await collector.read(new AbortController().signal);
  if (reading === undefined) throw new Error("ask: no reading");
  return reading;
}

/** A program of its own that is ended with the test; `said` resolves with its output once that matches. */
export function program(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly uid?: number; readonly cwd?: string } = {},
) {
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (part: Buffer) => {
      output += part.toString();
    });
  const ended = once(child, "close");
  return {
    child,
    output: () => output,
    async said(what: RegExp): Promise<string> {
      const stop = AbortSignal.timeout(30_000);
      while (!what.test(output)) {
        if (child.exitCode !== null || stop.aborted) throw new Error(`${command} said: ${output}`);
        await Promise.race([
          once(child.stdout ?? child, "data", { signal: stop }),
          once(child.stderr ?? child, "data", { signal: stop }),
          ended,
        ]).catch(() => undefined);
      }
      return output;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A web server with this one answer. */
export async function web(answer: RequestListener) {
  const server = createWebServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    url: `http://127.0.0.1:${portOf(server)}/health`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
