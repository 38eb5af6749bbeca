// Prometheus and Alertmanager: found on PATH, in the cache, or unpacked; and what is said when none of that is possible.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ms } from "../../src/core/time.ts";
import { monotonic, sleep } from "../../src/platform/clock.ts";
import { ComponentsMissing, findComponents } from "../../src/platform/components.ts";
import { components } from "../support/components.ts";

test("all four on PATH are taken from there, under either name of Alertmanager", async () => {
  for (const alertmanager of ["alertmanager", "prometheus-alertmanager"]) {
    await using place = await workplace();
    await place.programs("bin", ["prometheus", "promtool", alertmanager, "amtool"]);
    const found = await place.find(["bin"]);
    assert.deepEqual(found, {
      prometheus: join(place.path, "bin/prometheus"),
      promtool: join(place.path, "bin/promtool"),
      alertmanager: join(place.path, "bin", alertmanager),
      amtool: join(place.path, "bin/amtool"),
    });
    assert.deepEqual(place.said, []);
  }
});

test("a server without its checker is no pair: both come from the packages, Alertmanager from PATH", async () => {
  await using place = await workplace();
  await place.programs("bin", ["prometheus", "alertmanager", "amtool"]);
  await place.fakeApt();
  const found = await place.find(["bin", "apt"]);
  assert.equal(found.prometheus, join(place.cached, "usr/bin/prometheus"));
  assert.equal(found.promtool, join(place.cached, "usr/bin/promtool"));
  assert.equal(found.alertmanager, join(place.path, "bin/alertmanager"));
});

test("a folder, a file without the right to run it and a relative entry of PATH are passed over", async () => {
  await using place = await workplace();
  await place.programs("bin", ["promtool", "alertmanager", "amtool"]);
  await mkdir(join(place.path, "bin/prometheus"));
  await mkdir(join(place.path, "plain"));
  await writeFile(join(place.path, "plain/prometheus"), "");
  await place.fakeApt();
  const found = await findComponents({ ...place.search, env: place.env(["bin", "plain", "apt"], "./bin") });
  assert.equal(found.prometheus, join(place.cached, "usr/bin/prometheus"));
});

test("what is missing is unpacked once; a second look finds it at once and says nothing", async () => {
  await using place = await workplace();
  await place.fakeApt();
  await place.find(["apt"]);
  assert.equal(await place.downloads(), 1);
  assert.match(place.said.join("\n"), /package lists of testland.*\n.*downloading.*\nunpacking\n.*ready in /);
  place.said.length = 0;
  await place.find([]);
  assert.equal(await place.downloads(), 1);
  assert.deepEqual(place.said, []);
});

test("two at once unpack once, and both get the whole", async () => {
  await using place = await workplace();
  await place.fakeApt({ slow: true });
  const [one, other] = await Promise.all([place.find(["apt"]), place.find(["apt"])]);
  assert.deepEqual(one, other);
  assert.equal(await place.downloads(), 1);
  assert.ok(place.said.includes("another process is unpacking Prometheus and Alertmanager; waiting for it"));
});

test("a process that is killed while it unpacks leaves nothing that the next one trusts or trips over", async () => {
  await using place = await workplace();
  await place.fakeApt({ slow: true });
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `
      const { findComponents } = await import(${JSON.stringify(new URL("../../src/platform/components.ts", import.meta.url).href)});
      await findComponents({ env: ${JSON.stringify(place.env(["apt"]))}, osRelease: ${JSON.stringify(place.search.osRelease)},
        say: () => {}, signal: new AbortController().signal });`,
    ],
    { stdio: "ignore" },
  );
  const half = join(place.cached, "..");
  await until("the half-filled folder", async () =>
    (await names(half)).some((name) => name.includes(".partial-")),
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  const found = await place.find(["apt"]);
  assert.equal(found.amtool, join(place.cached, "usr/bin/amtool"));
  assert.deepEqual(new Set(await names(half)), new Set(["testland", "testland.lock"]));
});

test("without apt the error says what is missing and what to type", async () => {
  await using place = await workplace();
  await assert.rejects(place.find([]), (error) => {
    assert.ok(error instanceof ComponentsMissing);
    assert.match(error.message, /^prometheus and alertmanager: not on PATH, and this machine has no apt-get/);
    assert.match(
      error.message,
      /sudo apt-get install -y --no-install-recommends prometheus prometheus-alertmanager/,
    );
    assert.match(error.message, /https:\/\/prometheus\.io\/download\//);
    assert.match(error.message, /export PATH=/);
    return true;
  });
});

test("apt's last words reach the person, and nothing half-done stays", async () => {
  await using place = await workplace();
  await place.fakeApt({ fails: "E: Unable to locate package prometheus" });
  await assert.rejects(place.find(["apt"]), (error) => {
    assert.ok(error instanceof ComponentsMissing);
    assert.match(error.message, /exited 100: E: Unable to locate package prometheus/);
    assert.match(error.message, /Then run the same command again/);
    return true;
  });
  assert.deepEqual(await names(join(place.cached, "..")), ["testland.lock"]);
});

test("packages that lack a program are not taken for whole", async () => {
  await using place = await workplace();
  await place.fakeApt({ without: "promtool" });
  await assert.rejects(place.find(["apt"]), /the packages of testland lack some of the four programs/);
});

test("a cache folder that cannot be made is an error with its reason, not a crash", async () => {
  await using place = await workplace();
  await place.fakeApt();
  await writeFile(join(place.path, "cache"), "a file where the folder should be");
  await assert.rejects(place.find(["apt"]), /could not be unpacked into .*(ENOTDIR|EEXIST)/);
});

test("giving up while unpacking ends at once and cleans up", async () => {
  await using place = await workplace();
  await place.fakeApt({ slow: true });
  const signal = AbortSignal.timeout(300);
  await assert.rejects(findComponents({ ...place.search, env: place.env(["apt"]), signal }));
  assert.deepEqual(await names(join(place.cached, "..")), ["testland.lock"]);
});

test("the real Alertmanager of this machine becomes ready, wherever it was found", async () => {
  const { alertmanager } = await components();
  const folder = await mkdtemp(join(tmpdir(), "guard-alertmanager-"));
  await writeFile(join(folder, "am.yml"), "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n");
  const child = spawn(
    alertmanager,
    [
      `--config.file=${folder}/am.yml`,
      `--storage.path=${folder}/data`,
      "--web.listen-address=127.0.0.1:0",
      "--cluster.listen-address=",
      "--log.format=json",
    ],
    // Elsewhere than the caller: the starter must find its files from its own place.
    { cwd: "/", stdio: ["ignore", "ignore", "pipe"] },
  );
  try {
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (words += text));
    const address = /"address":"(127\.0\.0\.1:[1-9]\d*)"/;
    await until("its address", async () => {
      assert.equal(child.exitCode, null, words);
      return address.test(words);
    });
    const url = `http://${address.exec(words)?.[1]}/-/ready`;
    await until("its readiness", async () => (await fetch(url, { signal: AbortSignal.timeout(1000) })).ok);
  } finally {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
    await rm(folder, { recursive: true, force: true });
  }
});

type Apt = { readonly slow?: boolean; readonly fails?: string; readonly without?: string };

/** A machine of its own: a release called testland, a cache folder, and what a test puts on PATH. */
async function workplace() {
  const path = await mkdtemp(join(tmpdir(), "guard-components-"));
  const said: string[] = [];
  const osRelease = join(path, "os-release");
  await writeFile(osRelease, 'ID=debian\nVERSION_CODENAME="testland"\n');
  const search = {
    say: (line: string) => void said.push(line),
    signal: AbortSignal.timeout(30_000),
    osRelease,
  };
  const env = (folders: readonly string[], ...more: readonly string[]) => ({
    PATH: [...more, ...folders.map((folder) => join(path, folder))].join(":"),
    XDG_CACHE_HOME: join(path, "cache"),
  });
  const programs = async (folder: string, files: readonly string[], text = "#!/bin/sh\n") => {
    await mkdir(join(path, folder), { recursive: true });
    for (const file of files) {
      await writeFile(join(path, folder, file), text);
      await chmod(join(path, folder, file), 0o755);
    }
  };
  return {
    path,
    said,
    search,
    env,
    programs,
    cached: join(path, "cache/openclaw-guard/components/testland"),
    find: async (folders: readonly string[]) => await findComponents({ ...search, env: env(folders) }),
    downloads: async () => (await readFile(join(path, "downloads"), "utf8")).trim().split("\n").length,
    /** apt-get and dpkg-deb as scripts: one package that holds the four programs. */
    async fakeApt(apt: Apt = {}) {
      await programs("apt", ["apt-get"], aptGet(path, apt));
      await programs("apt", ["dpkg-deb"], dpkgDeb(apt));
      await symlink("/usr/bin/env", join(path, "apt/env"));
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

const aptGet = (path: string, apt: Apt) => `#!/bin/bash
PATH=/usr/bin:/bin
case " $* " in
  *" indextargets "*) exit 0 ;;
  *" update "*) ${apt.slow === true ? "sleep 0.7" : ":"} ;;
  *" promtool "*) echo 'E: Unable to locate package promtool' >&2; exit 100 ;;
  *" download "*)
    ${apt.fails === undefined ? ":" : `echo '${apt.fails}' >&2; exit 100`}
    echo once >> ${path}/downloads; touch prometheus.deb ;;
  *) exit 64 ;;
esac
`;

const dpkgDeb = (apt: Apt) => `#!/bin/bash
PATH=/usr/bin:/bin
mkdir -p "$3/usr/bin" && cd "$3/usr/bin" || exit 1
for program in prometheus promtool prometheus-alertmanager amtool; do
  [ "$program" = "${apt.without ?? ""}" ] || { echo '#!/bin/sh' > "$program"; chmod 755 "$program"; }
done
`;

const names = async (folder: string) => await readdir(folder).catch(() => []);

async function until(what: string, fact: () => Promise<boolean>): Promise<void> {
  const begun = monotonic();
  while (!(await fact())) {
    if (monotonic() - begun > 20_000) throw new Error(`${what}: not seen within 20 s`);
    await sleep(ms(20), new AbortController().signal);
  }
}
