// Is this checkout ready to run? Every `pre` script of package.json asks; when it is not, `npm ci` makes it so.
// Plain JavaScript for Node 18 and later, because it runs before the Node that the project carries is there.
// Nothing is written to stdout: it belongs to the command that comes next, and may be read by a program.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const carried = join(root, "node_modules", ".bin", "node");
const lockFile = join(root, ".cache", "setup.lock");
const oldestNode = [24, 16];
const longestWaitMs = 10 * 60_000;

// Checked twice: whoever waited for another set-up finds its work done.
if (whyNotReady() !== undefined) underLock(installUnlessReady);

function installUnlessReady() {
  const why = whyNotReady();
  if (why === undefined) return;
  say(`installing the packages of this checkout (${why}); about half a minute`);
  install();
  const still = whyNotReady();
  if (still !== undefined)
    fail(
      `${still}, although npm ci succeeded`,
      `npm rebuild node --ignore-scripts=false    (then the same command again; check \`npm config get ignore-scripts omit\`)`,
    );
  say("ready");
}

/** One line that says what is missing, or undefined. Compares contents, not times: a checkout changes times at will. */
function whyNotReady() {
  const wanted = packagesOf("package-lock.json");
  if (wanted === undefined) fail("package-lock.json: cannot be read", "git checkout package-lock.json");
  // npm writes this file when everything else is in place, so an interrupted installation has none.
  const installed = packagesOf(join("node_modules", ".package-lock.json"));
  if (installed === undefined) return "nothing is installed yet";
  for (const [path, entry] of Object.entries(wanted))
    if (path !== "" && entry.optional !== true && installed[path]?.version !== entry.version)
      return `${path} is ${installed[path]?.version ?? "missing"}, ${entry.version} is wanted`;
  for (const [path, entry] of Object.entries(installed))
    if (wanted[path]?.version !== entry.version) return `${path} is no longer wanted`;
  return whyNodeIsUnfit();
}

function whyNodeIsUnfit() {
  const asked = spawnSync(carried, ["--version"], { encoding: "utf8" });
  const version = /^v(\d+)\.(\d+)\./.exec(asked.stdout ?? "");
  if (version === null)
    return `the carried Node does not run (${asked.error?.code ?? asked.stderr?.trim() ?? "no answer"})`;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return undefined;
  return `the carried Node is ${asked.stdout.trim()}, at least ${oldestNode.join(".")} is needed`;
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
  } catch {
    return undefined;
  }
}

function install() {
  // The npm that called us, if any: a machine can have several.
  const npmCli = process.env.npm_execpath;
  const [program, ...first] =
    npmCli !== undefined && basename(npmCli) === "npm-cli.js" ? [process.execPath, npmCli] : ["npm"];
  // NODE_ENV=production would leave out the development packages, and the carried Node is one of them.
  const args = [...first, "ci", "--include=dev", "--no-audit", "--no-fund"];
  const { status, signal, error } = spawnSync(program, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error !== undefined)
    fail(
      `npm ci: ${error.code === "ENOENT" ? "npm is not on PATH" : error.message}`,
      "sudo apt-get install -y npm    (or install Node 24 from https://nodejs.org, which brings npm)",
    );
  if (signal !== null) fail(`npm ci: ended by ${signal}`, "npm run setup");
  if (status !== 0)
    fail(
      `npm ci: exited ${status}; its own words are above`,
      "npm run setup    (once the network and the disk are in order)",
    );
}

/** Runs `work` while no other set-up of this checkout runs; the lock of a process that died is taken over. */
function underLock(work) {
  mkdirSync(dirname(lockFile), { recursive: true });
  const begun = Date.now();
  for (let told = false; !tryLock(); told = true) {
    if (!told) say("another set-up of this checkout is running; waiting for it");
    if (Date.now() - begun > longestWaitMs) fail("waited 10 min for another set-up", `rm ${lockFile}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  process.on("exit", () => rmSync(lockFile, { force: true }));
  work();
}

function tryLock() {
  try {
    const file = openSync(lockFile, "wx");
    writeSync(file, `${process.pid}`);
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") fail(`${lockFile}: ${error.code}`, `ls -ld ${root}`);
  }
  if (holderLives()) return false;
  rmSync(lockFile, { force: true });
  return false;
}

function holderLives() {
  try {
    const pid = Number(readFileSync(lockFile, "utf8"));
    // Empty for the instant between creation and writing: that holder lives, too.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function fail(problem, next) {
  process.stderr.write(`setup: ${problem}\nnext: ${next}\n`);
  process.exit(1);
}
