// Is the installation found from what a gateway's process shows, and a change of it seen?
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { foldersIn, installationCollector, locate } from "../../src/collect/installation.ts";
import { workOf } from "../../src/collect/package-manager.ts";
import type { ProcessIdentity } from "../../src/core/identity.ts";
import { until } from "../support/gateway.ts";
import { never, type ProcTree, procTree } from "./proc-tree.ts";

for (const [file, folder] of [
  ["/usr/lib/node_modules/openclaw/dist/process/spawn-broker/worker.js", "/usr/lib/node_modules/openclaw"],
  [
    "/srv/gw/node_modules/@openclaw/fs-safe-linux-x64-gnu/fs-safe-native.node",
    "/srv/gw/node_modules/openclaw",
  ],
  [
    "/srv/gw/node_modules/openclaw/node_modules/@openclaw/fs-safe/native.node",
    "/srv/gw/node_modules/openclaw",
  ],
  [
    "/root/.local/share/pnpm/global/5/.pnpm/openclaw@2026.9.6/node_modules/openclaw/dist/index.js",
    "/root/.local/share/pnpm/global/5/node_modules/openclaw",
  ],
  [
    "/srv/gw/node_modules/.pnpm/openclaw@1/node_modules/openclaw/openclaw.mjs",
    "/srv/gw/node_modules/openclaw",
  ],
  ["/home/u/claw-src/dist/entry.js", "/home/u/claw-src"],
  ["/opt/openclaw/openclaw.mjs", "/opt/openclaw"],
] as const) {
  test(`${file} belongs to the package in ${folder}`, () => assert.deepEqual(foldersIn([file]), [folder]));
}

test("what is no file of a package leads nowhere", () => {
  assert.deepEqual(
    foldersIn(["", "openclaw-gateway", "dist/index.js", "/usr/bin/node", "--port", "18789"]),
    [],
  );
});

const folder = "srv/gw/node_modules/openclaw";
const manifest = (version: string, name = "openclaw") => JSON.stringify({ name, version, type: "module" });
const life = (pid: number, pids: readonly number[] = [], startTicks = 7) => ({
  incarnation: { bootId: "b", pid, startTicks },
  pids,
});

/** A recorded gateway whose file system, as it sees it, holds a package. */
function tree(version = "2026.9.6", at = folder): ProcTree {
  const made = procTree();
  made.write(`4242/cmdline`, `openclaw-gateway${" ".repeat(100)}\0`);
  made.write(`4242/root/${at}/package.json`, manifest(version));
  return made;
}

test("the title hides the arguments: a worker's arguments show the way", () => {
  using recorded = tree();
  recorded.write("4300/cmdline", `/usr/bin/node\0/${folder}/dist/process/spawn-broker/worker.js\0`);
  assert.equal(locate(recorded.root, life(4242))?.folder, undefined);
  assert.equal(locate(recorded.root, life(4242, [4300]))?.folder, `/${folder}`);
});

test("so does a native library that is mapped", () => {
  using recorded = tree();
  recorded.write(
    "4242/maps",
    [
      "7f00-7f01 r-xp 00000000 08:01 99 /usr/lib/x86_64-linux-gnu/libc.so.6",
      "7f02-7f03 r-xp 00000000 08:01 77 /srv/gw/node_modules/@openclaw/fs-safe-linux-x64-gnu/fs-safe-native.node",
      "",
    ].join("\n"),
  );
  assert.equal(locate(recorded.root, life(4242))?.folder, `/${folder}`);
});

test("and the places where a package manager puts it: beside its node, or in the working directory", () => {
  using global = tree("2026.9.6", "opt/node/lib/node_modules/openclaw");
  symlinkSync("/opt/node/bin/node", join(global.root, "4242/exe"));
  assert.equal(locate(global.root, life(4242))?.folder, "/opt/node/lib/node_modules/openclaw");
  using local = tree();
  symlinkSync("/srv/gw", join(local.root, "4242/cwd"));
  assert.equal(locate(local.root, life(4242))?.folder, `/${folder}`);
  using checkout = tree("2026.9.6", "home/u/claw");
  symlinkSync("/home/u/claw", join(checkout.root, "4242/cwd"));
  assert.equal(locate(checkout.root, life(4242))?.folder, "/home/u/claw");
});

test("a folder that holds another package is not the gateway's", () => {
  using recorded = tree();
  symlinkSync("/srv/gw", join(recorded.root, "4242/cwd"));
  for (const text of [manifest("1.0.0", "not-openclaw"), "{", "[]", manifest("")]) {
    recorded.write(`4242/root/${folder}/package.json`, text);
    assert.equal(locate(recorded.root, life(4242)), undefined, text);
  }
  recorded.write(`4242/root/${folder}/package.json`, manifest("1.0.0", "@fork/openclaw"));
  assert.equal(locate(recorded.root, life(4242))?.folder, `/${folder}`);
});

test("where the operator names it, it may be called anything", () => {
  using recorded = tree();
  recorded.write("4242/root/opt/claw/package.json", manifest("1.2.3", "our-claw"));
  assert.equal(locate(recorded.root, life(4242), "/opt/claw")?.folder, "/opt/claw");
});

test("the version on the disk is told, also when it changes, and while the package is being replaced it is missing", async () => {
  using recorded = tree();
  symlinkSync("/srv/gw", join(recorded.root, "4242/cwd"));
  const collector = installationCollector({ procRoot: recorded.root, serving: () => life(4242) });
  const version = async () => {
    const reading = await collector.read(never);
    assert.deepEqual(collector.samples(reading), [
      { name: collector.metrics[0]?.name, labels: { version: reading.version }, value: 1 },
    ]);
    return reading.version;
  };
  assert.equal(await version(), "2026.9.6");
  recorded.write(`4242/root/${folder}/package.json`, manifest("2026.10.1"));
  assert.equal(await version(), "2026.10.1");
  rmSync(join(recorded.root, "4242/root", folder), { recursive: true });
  assert.equal(await version(), "missing");
  recorded.write(`4242/root/${folder}/package.json`, '{"name":"openclaw","ver');
  assert.equal(await version(), "missing");
});

test("where nothing shows the installation, its version is unknown and nobody is at work on it", async () => {
  using recorded = tree();
  const collector = installationCollector({ procRoot: recorded.root, serving: () => life(4242) });
  const reading = await collector.read(never);
  assert.deepEqual(reading, {
    path: undefined,
    version: undefined,
    packageManagerAtWork: false,
    worker: undefined,
  });
  assert.deepEqual(collector.samples(reading), []);
});

test("the installation of a gateway that is gone is remembered: somebody may be at work on it", async () => {
  using recorded = tree();
  symlinkSync("/srv/gw", join(recorded.root, "4242/cwd"));
  let serving: ReturnType<typeof life> | undefined = life(4242);
  const collector = installationCollector({ procRoot: recorded.root, serving: () => serving });
  await collector.read(never);
  serving = undefined;
  recorded.remove(4242);
  recorded.write("300/cmdline", "npm ci\0");
  symlinkSync("/srv/gw", join(recorded.root, "300/cwd"));
  const reading = await collector.read(never);
  assert.equal(reading.version, undefined, "what lay below the root of a dead process cannot be read");
  assert.deepEqual(reading.worker, { pid: 300, command: "npm ci" });
});

test("the next life may run from another installation", async () => {
  using recorded = tree();
  symlinkSync("/srv/gw", join(recorded.root, "4242/cwd"));
  let serving = life(4242);
  const collector = installationCollector({ procRoot: recorded.root, serving: () => serving });
  await collector.read(never);
  recorded.write("5000/root/opt/gw/node_modules/openclaw/package.json", manifest("2026.11.1"));
  symlinkSync("/opt/gw", join(recorded.root, "5000/cwd"));
  serving = life(5000, [], 9);
  const { path, version } = await collector.read(never);
  assert.deepEqual([path, version], ["/opt/gw/node_modules/openclaw", "2026.11.1"]);
});

test("a real process behind a title, its worker, and a real npm at work beside it", async () => {
  const dir = mkdtempSync(join(tmpdir(), "guard-installation-"));
  const project = join(dir, "project");
  const modules = join(project, "node_modules", "openclaw");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const go = join(dir, "go");
  write(join(modules, "package.json"), manifest("2026.9.6"));
  write(
    join(modules, "dist", "worker.js"),
    "setInterval(() => {}, 1000); process.on('disconnect', process.exit);",
  );
  write(
    join(modules, "gateway.mjs"),
    `import { fork } from "node:child_process";
     import { join } from "node:path";
     process.title = "openclaw-gateway";
     fork(join(import.meta.dirname, "dist", "worker.js"));`,
  );
  write(join(project, "package.json"), JSON.stringify({ name: "p", version: "1.0.0" }));
  // An install script that ends when the test says so, or with the test's folder.
  const waits = `node -e "const f=require('fs');setInterval(()=>{if(f.existsSync(process.argv[1])||!f.existsSync(process.argv[2]))process.exit()},20)" ${go} ${dir}`;
  write(
    join(dir, "dep", "package.json"),
    JSON.stringify({ name: "dep", version: "1.0.0", scripts: { install: waits } }),
  );
  const gateway = spawn(process.execPath, [join(modules, "gateway.mjs")], { cwd: dir, stdio: "ignore" });
  let npm: ChildProcess | undefined;
  try {
    await until("the title hides the arguments", () => titleOf(gateway.pid ?? 0) === "openclaw-gateway");
    const sight = () => ({ incarnation: identity(gateway.pid ?? 0), pids: childrenOf(gateway.pid ?? 0) });
    await until("the worker runs", () => locate("/proc", sight()) !== undefined);
    const collector = installationCollector({ procRoot: "/proc", serving: sight });
    const idle = await collector.read(never);
    assert.deepEqual([idle.path, idle.version, idle.packageManagerAtWork], [modules, "2026.9.6", false]);

    const env = { ...process.env, npm_config_cache: join(dir, "cache"), HOME: dir };
    npm = spawn("npm", ["install", "--offline", "--no-save", "../dep"], {
      cwd: project,
      env,
      stdio: "ignore",
    });
    const ended = once(npm, "exit");
    let seen = idle;
    await until("npm is seen at work", async () => {
      seen = await collector.read(never);
      return seen.packageManagerAtWork === true;
    });
    assert.match(seen.worker?.command ?? "", /npm.* install/);
    writeFileSync(go, "");
    await ended;
    await until("and seen to have ended", async () => !(await collector.read(never)).packageManagerAtWork);
  } finally {
    writeFileSync(go, "");
    npm?.kill("SIGKILL");
    gateway.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
});

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/[\0 ]+$/, "");
}

function identity(pid: number): ProcessIdentity {
  return { bootId: "b", pid, startTicks: 1 };
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

test("this very test is no package manager at work", () => {
  assert.equal(workOf(readFileSync("/proc/self/cmdline", "utf8")), undefined);
});
