// Is anybody else on this host doing the same? A name that only one process can hold, given back by the kernel when the
// holder dies, however it dies.
import { createServer } from "node:net";

/** Takes a host-wide name (a Linux abstract socket); resolves to nothing when another process holds it. */
export async function claim(name: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(`\0${name}`, () => resolve(true));
  });
  if (!taken) return undefined;
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
