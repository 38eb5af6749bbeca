// What are our numbers? `npm run bench -- scrape` measures and writes bench/results.json and the table in docs/bench.md;
// with --short it only shows that it works, within seconds, and writes nothing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { join } from "node:path";
import { benchScrape } from "./scrape.ts";
import { documentWith, type Results } from "./table.ts";

const root = join(import.meta.dirname, "..");
const resultsFile = join(root, "bench", "results.json");
const documentFile = join(root, "docs", "bench.md");
/** Each measures one thing and keeps its results under its own name, beside those of the others. */
const benches = { scrape: benchScrape } as const;

const [name = "", ...options] = process.argv.slice(2);
const isShort = options.includes("--short");
const say = (line: string) => void process.stderr.write(`${line}\n`);
if (!(name in benches) || options.some((option) => option !== "--short")) {
  say(`bench: name one of ${Object.keys(benches).join(", ")}, and --short to only try it`);
  process.exit(2);
}
const rows = await benches[name as keyof typeof benches]({ short: isShort, env: process.env, say });
const measured = { machine: machine(), rows };
process.stdout.write(`${JSON.stringify(measured, undefined, 2)}\n`);
if (!isShort) {
  const before: unknown = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, "utf8")) : {};
  const results = { ...(before as Partial<Results>), [name]: measured } as Results;
  writeFileSync(resultsFile, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(documentFile, documentWith(readFileSync(documentFile, "utf8"), results));
}

/** What the figures depend on; nothing that names the machine. */
function machine(): Results["scrape"]["machine"] {
  return {
    cores: availableParallelism(),
    kernel: /^\d+\.\d+/.exec(release())?.[0] ?? "unknown",
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  };
}
