// Does package-lock.json name the optional packages of every platform? npm leaves out those that its registry did not
// have when the lock was made, and `npm ci` then refuses the lock. This writes them in; run it after every `npm install`.
import { readFileSync, writeFileSync } from "node:fs";

const platforms = /(android|darwin|freebsd|linux|win32|openharmony|aix|sunos|netbsd|openbsd)/;
const processors = /(arm64|x64|arm(?=-)|ia32|riscv64|s390x|ppc64|loong64|mips64el)/;

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
let added = 0;
for (const [path, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const own = `node_modules/${name}`;
    if (lock.packages[own] !== undefined || lock.packages[`${path}/${own}`] !== undefined) continue;
    const os = platforms.exec(name)?.[1];
    const cpu = processors.exec(name)?.[1];
    if (os === undefined) throw new Error(`${name}: its platform cannot be told from its name`);
    lock.packages[own] = {
      version,
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      os: [os],
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} added\n`);
