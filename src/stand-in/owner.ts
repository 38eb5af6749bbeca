// Who would end a stand-in that hangs when the program that started it has died? A thread of its own, which still runs then.
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { lifeOf, lives } from "./running.ts";

const lookEveryMs = 500;

/** Ends this process with SIGKILL within a second after `ownerPid` has ended, also while the main thread hangs. */
export function leaveWith(ownerPid: number): void {
  new Worker(new URL(import.meta.url), { workerData: { ownerPid } }).unref();
}

function watch(ownerPid: number): void {
  const owner = lifeOf(ownerPid);
  const look = (): void => {
    if (owner === undefined || !lives(owner)) process.kill(process.pid, "SIGKILL");
  };
  look();
  setInterval(look, lookEveryMs);
}

const given: unknown = workerData;
if (!isMainThread && typeof given === "object" && given !== null && "ownerPid" in given)
  watch(Number(given.ownerPid));
