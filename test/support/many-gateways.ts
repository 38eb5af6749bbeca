// How does one have dozens of gateways on a small machine? In one process, which ends with the test that started it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("./many-gateways.mjs", import.meta.url));

export type ManyGateways = AsyncDisposable & { readonly pid: number; readonly urls: readonly string[] };

/** Starts `count` gateways that are well. */
export async function manyGateways(count: number): Promise<ManyGateways> {
  const child = spawn(process.execPath, [program, `${count}`], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [line] = (await Promise.race([
    once(child.stdout.setEncoding("utf8"), "data"),
    exited.then(() => {
      throw new Error("many gateways: ended before they listened");
    }),
  ])) as [string];
  const ports = JSON.parse(line) as readonly number[];
  return {
    pid: child.pid ?? 0,
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
