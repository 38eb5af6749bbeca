// What does /proc look like to the collectors? A tree in a temporary folder, filled from recorded files.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A file recorded on a Linux host. */
export function recorded(name: string): string {
  return readFileSync(new URL(`../fixtures/proc/${name}`, import.meta.url), "utf8");
}

/** One process of the tree; what is left out is as on a kernel that does not have it. */
export type FakeProcess = {
  readonly pid: number;
  readonly parent?: number;
  readonly name?: string;
  readonly state?: string;
  readonly startTicks?: number;
  readonly residentKb?: number;
  /** CPU time in ticks of 10 ms; as recorded: 1300. */
  readonly cpuTicks?: number;
  readonly cgroup?: string;
  /** Socket inodes it holds open. */
  readonly sockets?: readonly number[];
  /** Writes `task/<pid>/children`. */
  readonly children?: readonly number[];
};

export type ProcTree = Disposable & {
  readonly root: string;
  add(process: FakeProcess): void;
  remove(pid: number): void;
  write(path: string, text: string): void;
  /** The listening sockets of every process and of the guard's own network namespace. */
  listen(tcp: string, tcp6?: string): void;
};

/** Ticks at which the recorded gateway started: 1516.32 s after boot. */
export const recordedTicks = 151632;
/** `btime` of the recorded host. */
export const recordedBoot = 1763625600;
export const recordedPort = 18789;

/** An empty host: boot id, boot time, empty socket tables. */
export function procTree(): ProcTree {
  const root = mkdtempSync(join(tmpdir(), "guard-proc-"));
  const pids = new Set<number>();
  let tables: readonly [string, string] = ["", ""];
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const writeTables = (folder: string) => {
    write(`${folder}/net/tcp`, tables[0]);
    write(`${folder}/net/tcp6`, tables[1]);
  };
  write("sys/kernel/random/boot_id", "6f1c3a52-0d3e-4d0c-9f0a-3a2f6d1c9b11\n");
  write("stat", recorded("stat-host.txt"));
  writeTables(".");
  return {
    root,
    write,
    add(one) {
      const { pid, startTicks = recordedTicks, parent = 1, name = "openclaw-gatewa", state = "S" } = one;
      pids.add(pid);
      const stat = recorded("stat-gateway.txt")
        .replace("4242 (openclaw-gatewa) S 4200", `${pid} (${name}) ${state} ${parent}`)
        .replace(` ${recordedTicks} `, ` ${startTicks} `)
        .replace(" 1234 66 ", ` ${one.cpuTicks ?? 1300} 0 `);
      const status = recorded("status-gateway.txt")
        .replace("804000 kB", `${one.residentKb ?? 804000} kB`)
        .replace("S (sleeping)", `${state} (recorded)`);
      write(`${pid}/stat`, stat);
      write(`${pid}/task/${pid}/stat`, stat);
      if (one.children !== undefined) write(`${pid}/task/${pid}/children`, `${one.children.join(" ")} `);
      write(`${pid}/status`, status);
      write(`${pid}/limits`, recorded("limits-gateway.txt"));
      write(`${pid}/cgroup`, one.cgroup ?? recorded("cgroup-v2.txt"));
      writeTables(`${pid}`);
      // Adding a process again changes it.
      rmSync(join(root, `${pid}`, "fd"), { recursive: true, force: true });
      mkdirSync(join(root, `${pid}`, "fd"));
      symlinkSync("/dev/null", join(root, `${pid}`, "fd", "0"));
      for (const [index, inode] of (one.sockets ?? []).entries()) {
        symlinkSync(`socket:[${inode}]`, join(root, `${pid}`, "fd", `${index + 20}`));
      }
    },
    remove(pid) {
      pids.delete(pid);
      rmSync(join(root, `${pid}`), { recursive: true, force: true });
    },
    listen(tcp, tcp6 = "") {
      tables = [tcp, tcp6];
      for (const folder of [".", ...[...pids].map(String)]) writeTables(folder);
    },
    [Symbol.dispose]() {
      readable(root);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Gives back what a test took away: only root may remove what it may not list. */
function readable(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) readable(join(folder, entry.name));
}

/** A tree in which the recorded gateway listens on both loopback addresses. */
export function gatewayTree(more: Partial<FakeProcess> = {}): ProcTree {
  const tree = procTree();
  tree.add({ pid: 4242, parent: 4200, sockets: [70001, 70002], ...more });
  tree.listen(recorded("net-tcp.txt"), recorded("net-tcp6.txt"));
  return tree;
}

export const never = new AbortController().signal;
