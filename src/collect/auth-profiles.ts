// Does the gateway have a credential for each auth profile that its configuration names? Names are compared; no secret
// leaves the database that holds it.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, ms, seconds } from "../core/time.ts";
import { contentOf, isGone, parsed } from "./config-file.ts";

/** How many profiles the configuration names, and how many of them no store holds; `undefined` is unknown. */
export type AuthProfilesReading = {
  readonly named: number | undefined;
  readonly missing: number | undefined;
};

const metrics: readonly MetricSpec[] = [
  {
    name: "openclaw_gateway_auth_profiles_named",
    type: "gauge",
    help: "Auth profiles that the gateway's configuration names and that need a stored credential.",
  },
  {
    name: "openclaw_gateway_auth_profiles_missing",
    type: "gauge",
    help: "Named auth profiles without a stored credential; absent while the stores cannot be read or understood.",
  },
];

/** As the gateway's documentation has it; profiles of mode aws-sdk route only and are never stored. */
const configuration = z.object({
  auth: z
    .object({
      profiles: z.record(z.string(), z.object({ mode: z.string().optional() })).optional(),
      order: z.record(z.string(), z.array(z.string())).optional(),
    })
    .optional(),
});
const legacy = z.object({ profiles: z.record(z.string(), z.unknown()) });

/** The gateway keeps credentials that its agents share in one database, and those of an agent in the agent's own. */
const sharedStore = {
  table: "config_machine_state",
  json: "value_json",
  where: "state_key = 'authProfiles.store'",
};
const agentStore = { table: "auth_profile_store", json: "store_json", where: "store_key = 'primary'" };

const agentsLimit = 200;

/** Compares the names at each reading; rejects when a store is there but cannot be read. Without both paths nothing is known. */
export function authProfilesCollector(options: {
  readonly stateDir: string | undefined;
  /** The gateway's configuration file. */
  readonly configPath: string | undefined;
  readonly every?: Millis;
}): Collector<AuthProfilesReading> {
  const every = options.every ?? seconds(300);
  return {
    name: "auth_profiles",
    every,
    deadline: ms(Math.min(every * 0.9, seconds(10))),
    metrics,
    async read(signal) {
      const { stateDir, configPath } = options;
      const unknown = { named: undefined, missing: undefined };
      if (stateDir === undefined || configPath === undefined) return unknown;
      const file = await contentOf(configPath, signal);
      const names = file === undefined ? undefined : namesIn(file.text);
      if (names === undefined) return unknown;
      // Without a name there is nothing to look for, and nobody's credentials to open.
      if (names.size === 0) return { named: 0, missing: 0 };
      const stored = await storedIn(stateDir, signal);
      const missing =
        stored === undefined ? undefined : [...names].filter((name) => !stored.has(name)).length;
      return { named: names.size, missing };
    },
    samples: ({ named, missing }) => [
      ...(named === undefined ? [] : [{ name: "openclaw_gateway_auth_profiles_named", value: named }]),
      ...(missing === undefined ? [] : [{ name: "openclaw_gateway_auth_profiles_missing", value: missing }]),
    ],
  };
}

function namesIn(text: string): ReadonlySet<string> | undefined {
  const read = configuration.safeParse(parsed(text)?.value);
  if (!read.success) return undefined;
  const profiles = read.data.auth?.profiles ?? {};
  const routed = (name: string) => profiles[name]?.mode === "aws-sdk";
  const ordered = Object.values(read.data.auth?.order ?? {}).flat();
  return new Set([...Object.keys(profiles), ...ordered].filter((name) => !routed(name)));
}

/** Every stored profile's name; `undefined` when there is no store, so that a wrong path does not look like a loss. */
async function storedIn(stateDir: string, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  let stores = 0;
  const take = (names: readonly string[] | undefined) => {
    if (names === undefined) return;
    stores++;
    for (const name of names) found.add(name);
  };
  take(await namesInDatabase(join(stateDir, "state", "openclaw.sqlite"), sharedStore));
  const agents = await readdir(join(stateDir, "agents")).catch((error: unknown) => {
    if (isGone(error)) return [];
    throw error;
  });
  if (agents.length > agentsLimit)
    throw new Error(`read auth profiles: more than ${agentsLimit} agents in ${stateDir}`);
  const older: string[] = [];
  for (const agent of agents) {
    signal.throwIfAborted();
    const folder = join(stateDir, "agents", agent, "agent");
    take(await namesInDatabase(join(folder, "openclaw-agent.sqlite"), agentStore));
    older.push(join(folder, "auth-profiles.json"));
  }
  // A gateway that has databases does not read these any more; one of before has nothing else.
  if (stores === 0)
    for (const path of older) {
      const file = await contentOf(path, signal);
      if (file !== undefined) take(Object.keys(legacy.parse(parsed(file.text)?.value).profiles));
    }
  return stores === 0 ? undefined : found;
}

/** Opens read only and so that nothing is written beside the database either; undefined when there is none. */
async function namesInDatabase(
  path: string,
  { table, json, where }: typeof sharedStore,
): Promise<readonly string[] | undefined> {
  if ((await sizeOf(path)) === undefined) return undefined;
  const log = await sizeOf(`${path}-wal`);
  const index = await sizeOf(`${path}-shm`);
  // After a crash of the gateway only a writer could put the index together again.
  if (log !== undefined && log > 0 && index === undefined)
    throw new Error(`read ${path}: its write-ahead log has no index while the gateway is down`);
  const url = pathToFileURL(path);
  // Without a log the file is whole, and opened as immutable SQLite makes no log and no locks.
  if (log === undefined || log === 0) url.searchParams.set("immutable", "1");
  using database = new DatabaseSync(url, { readOnly: true, timeout: 100 });
  const known = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  if (known.get(table) === undefined) return [];
  const kind = database
    .prepare(`SELECT json_type(${json}, '$.profiles') AS is_a FROM ${table} WHERE ${where}`)
    .get();
  if (kind === undefined) return [];
  if (kind["is_a"] !== "object") throw new Error(`read ${path}: its auth profiles are not understood`);
  // The names alone: the credentials beside them stay in SQLite.
  const names = database.prepare(
    `SELECT p.key AS id FROM ${table}, json_each(${json}, '$.profiles') p WHERE ${where}`,
  );
  return names.all().map(({ id }) => String(id));
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
