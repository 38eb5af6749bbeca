// What does a scrape cost, for one gateway and for many, and what do the exporters that everybody knows cost beside it?
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startStandIn } from "../test/support/gateway.ts";
import { manyGateways } from "../test/support/many-gateways.ts";
import { build, type Measured, shippedOptions, startGuard, startPeer } from "./guard.ts";
import { type Figures, idleCpu, scrapeMany } from "./measure.ts";
import { findPeers, type Peers } from "./peers.ts";

/** One row of the comparison. */
export type Row = Figures & { readonly exporter: string; readonly watches: string };

type Size = {
  readonly gateways: readonly number[];
  readonly scrapes: number;
  readonly peerScrapes: number;
  readonly hungScrapes: number;
  readonly warmUp: number;
  readonly idleMs: number;
};

const full: Size = {
  gateways: [1, 10, 50],
  scrapes: 10_000,
  // process-exporter takes tens of milliseconds for one.
  peerScrapes: 1000,
  hungScrapes: 2000,
  warmUp: 200,
  idleMs: 30_000,
};
/** Whether it runs and its numbers can be: the figures themselves are worth nothing. */
const short: Size = {
  gateways: [1, 3],
  scrapes: 50,
  peerScrapes: 0,
  hungScrapes: 20,
  warmUp: 5,
  idleMs: 500,
};

/** Runs the comparison; `short` leaves the peers out and takes seconds. */
export async function benchScrape(given: {
  readonly short: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly say: (line: string) => void;
}): Promise<readonly Row[]> {
  const size = given.short ? short : full;
  const { say } = given;
  say("building the program as it is shipped");
  const main = await build();
  const rows: Row[] = [];
  const measured = async (exporter: string, watches: string, one: Measured, scrapes: number) => {
    const idlePercent = await idleCpu(one.pid, size.idleMs);
    const figures = await scrapeMany(one.url, one.pid, { scrapes, warmUp: size.warmUp, idlePercent });
    rows.push({ exporter, watches, ...figures, idleCpuPercent: idlePercent });
    say(`${exporter}, ${watches}: p50 ${figures.p50Ms} ms, p99 ${figures.p99Ms} ms, ${figures.rssMiB} MiB`);
  };

  for (const count of size.gateways) {
    await using gateways = await manyGateways(count);
    await using guard = await startGuard(main, gateways.urls, shippedOptions());
    await measured(guardName, count === 1 ? "1 gateway" : `${count} gateways`, guard, size.scrapes);
  }

  await using gateway = await startStandIn();
  {
    await using guard = await startGuard(main, [gateway.url], shippedOptions());
    await measured(guardName, "1 gateway, well", guard, size.hungScrapes);
    await gateway.ill("stop");
    await measured(guardName, "1 gateway, stopped", guard, size.hungScrapes);
  }
  const peers = given.short ? undefined : await findPeers(given.env, say);
  if (peers !== undefined) await measurePeers(peers, size, measured);
  return rows;
}

export const guardName = "openclaw-guard";

async function measurePeers(
  peers: Peers,
  size: Size,
  measured: (exporter: string, watches: string, one: Measured, scrapes: number) => Promise<void>,
): Promise<void> {
  await using _group = await manyGateways(1);
  const dir = mkdtempSync(join(tmpdir(), "guard-bench-"));
  try {
    const address = `127.0.0.1:${await freePort()}`;
    {
      await using node = await startPeer(
        [peers.node, `--web.listen-address=${address}`],
        `http://${address}/metrics`,
      );
      await measured("node_exporter", "the host", node, size.peerScrapes);
    }
    const config = join(dir, "groups.yml");
    writeFileSync(config, "process_names:\n  - name: gateway\n    cmdline: [many-gateways]\n");
    await using one = await startPeer(
      [peers.process, "-config.path", config, "-web.listen-address", address],
      `http://${address}/metrics`,
    );
    await measured("process-exporter", "1 group of 1 process", one, size.peerScrapes);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
