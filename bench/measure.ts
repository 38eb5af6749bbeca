// What does a running exporter cost? Scrapes over one kept connection, timed here; CPU and memory as the kernel counts them.
import { readFileSync } from "node:fs";
import { Agent, get } from "node:http";

/** Clock ticks per second of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;
const mib = 2 ** 20;

export type Figures = {
  readonly scrapes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  /** CPU of the exporter for one scrape, without what it uses anyway in that time. */
  readonly cpuMsPerScrape: number;
  /** Share of one core that it uses without being scraped; absent where that was not measured. */
  readonly idleCpuPercent?: number;
  readonly rssMiB: number;
  readonly bytes: number;
};

/** User and system time of a process with all its threads, in milliseconds. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

/** Resident memory of a process in MiB. */
export function rssMiB(pid: number): number {
  const kb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return round((kb * 1024) / mib, 1);
}

/** Share of one core, in percent, that a process uses within `forMs` without being asked anything. */
export async function idleCpu(pid: number, forMs: number): Promise<number> {
  const [from, before] = [performance.now(), cpuMs(pid)];
  await new Promise((resolve) => setTimeout(resolve, forMs));
  return round((100 * (cpuMs(pid) - before)) / (performance.now() - from), 2);
}

/** Scrapes `url` one after the other, `warmUp` times first without counting. */
export async function scrapeMany(
  url: string,
  pid: number,
  given: { readonly scrapes: number; readonly warmUp: number; readonly idlePercent: number },
): Promise<Figures> {
  using agent = keptConnection();
  for (let n = 0; n < given.warmUp; n++) await scrape(url, agent.agent);
  const lengths: number[] = [];
  let bytes = 0;
  const [from, before] = [performance.now(), cpuMs(pid)];
  for (let n = 0; n < given.scrapes; n++) {
    const begun = performance.now();
    bytes = await scrape(url, agent.agent);
    lengths.push(performance.now() - begun);
  }
  const took = performance.now() - from;
  const cpu = Math.max(0, cpuMs(pid) - before - (took * given.idlePercent) / 100);
  return {
    scrapes: given.scrapes,
    p50Ms: round(quantile(lengths, 0.5), 2),
    p99Ms: round(quantile(lengths, 0.99), 2),
    perSecond: round((1000 * given.scrapes) / took, 0),
    cpuMsPerScrape: round(cpu / given.scrapes, 2),
    rssMiB: rssMiB(pid),
    bytes,
  };
}

/** Reads one exposition to its end and returns its length; rejects when it is not 200. */
export function scrape(url: string, agent?: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, agent === undefined ? {} : { agent }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () =>
        response.statusCode === 200 ? resolve(bytes) : reject(new Error(`${url}: ${response.statusCode}`)),
      );
      response.on("error", reject);
    }).on("error", reject);
  });
}

function keptConnection(): Disposable & { readonly agent: Agent } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return { agent, [Symbol.dispose]: () => agent.destroy() };
}

/** The value below which a share `q` of all values lies; the nearest that was really seen. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
