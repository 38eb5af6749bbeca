// Does docker compose itself accept the stack? Its plugin is taken from a Debian package, unpacked into a cache.
import assert from "node:assert/strict";
import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { minutes } from "../../src/core/time.ts";
import { ExecError, run } from "../../src/platform/exec.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const limits = { deadline: minutes(5), signal: new AbortController().signal };

/** Unpacks the compose plugin of Debian 13 without installing it; later runs find it in the cache. */
async function plugin(): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "openclaw-guard");
  const done = join(cache, "compose-trixie");
  const program = join(done, "root/usr/bin/docker-compose");
  if (await exists(program)) return program;

  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "compose-"));
  for (const name of ["lists/partial", "archives/partial", "empty", "root"])
    await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, "sources.list"), `deb [signed-by=${keyring}] ${await mirror()} trixie main\n`);
  const settings = {
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": join(folder, "empty"),
    "Dir::State::lists": join(folder, "lists"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache::archives": join(folder, "archives"),
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "APT::Sandbox::User": "root",
    "Acquire::Retries": "2",
  };
  const options = ["-q", ...Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`])];
  const apt = (...args: readonly string[]) =>
    run(["env", `--chdir=${join(folder, "archives")}`, "apt-get", ...options, ...args], limits);
  await apt("update");
  await apt("download", "docker-compose");
  for (const file of await readdir(join(folder, "archives"))) {
    if (file.endsWith(".deb"))
      await run(["dpkg-deb", "-x", join(folder, "archives", file), join(folder, "root")], limits);
  }
  // Another run may have been quicker; then its folder stays.
  await rename(folder, done).catch(() => rm(folder, { recursive: true }));
  return program;
}

/** The mirror that this machine already uses for Debian. */
async function mirror(): Promise<string> {
  const { stdout } = await run(
    ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"],
    limits,
  );
  const found = stdout.split("\n").find((uri) => /debian\/?$/.test(uri));
  if (found === undefined)
    throw new Error(
      "docker compose: apt knows no Debian mirror: put docker-compose of Debian 13 into the cache by hand",
    );
  return found;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

suite("docker compose", () => {
  const compose = async (file: string, ...args: readonly string[]) =>
    run([await plugin(), "-f", file, ...args], limits);

  before(async () => {
    await plugin();
  });

  test("accepts the stack, with and without the optional parts", async () => {
    await compose(`${root}docker-compose.yml`, "config", "-q");
    await compose(
      `${root}docker-compose.yml`,
      "--profile",
      "grafana",
      "--profile",
      "gateway",
      "config",
      "-q",
    );
  });

  test("sees the services that a plain `up` would start", async () => {
    const { stdout } = await compose(`${root}docker-compose.yml`, "config", "--services");
    assert.deepEqual(stdout.trim().split("\n").sort(), [
      "alertmanager",
      "guard",
      "pidns",
      "prometheus",
      "setup",
    ]);
  });

  test("refuses a stack with a service that does not exist, so that its approval means something", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "guard-compose-"));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(
      join(folder, "bad.yml"),
      'services: { a: { image: x, pid: "service:nobody", depends_on: [nobody] } }\n',
    );
    await assert.rejects(compose(join(folder, "bad.yml"), "config", "-q"), ExecError);
  });
});
