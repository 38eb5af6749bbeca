// What of a gateway has to be kept in order beside its process? The collectors of its files, and where those files are.
import { join } from "node:path";
import type { Millis } from "../core/time.ts";
import { authProfilesCollector } from "./auth-profiles.ts";
import { configFileCollector } from "./config-file.ts";
import { type StoragePaths, workspaceCollector } from "./workspace.ts";

/** Where to look; what is not set follows from the state directory, and without that stays unknown. */
export type Upkeep = {
  readonly every?: Millis;
  readonly paths?: StoragePaths;
  readonly configPath?: string | undefined;
  readonly goodConfigPath?: string | undefined;
  readonly backupsPath?: string | undefined;
};

/** Those of a list that holds them among others. */
export function upkeepIn(all: ReturnType<typeof upkeepCollectors>) {
  return [all.workspace, all.config_file, all.auth_profiles];
}

/** The collectors of a gateway's files, each under its name; no decision rests on them. */
export function upkeepCollectors(stateDir: string | undefined, upkeep: Upkeep = {}) {
  const every = upkeep.every === undefined ? {} : { every: upkeep.every };
  const usual = stateDir === undefined ? undefined : join(stateDir, "openclaw.json");
  const configPath = upkeep.configPath ?? usual;
  return {
    workspace: workspaceCollector({
      stateDir,
      ...every,
      ...(upkeep.paths === undefined ? {} : { paths: upkeep.paths }),
    }),
    config_file: configFileCollector({
      path: configPath,
      goodPath: upkeep.goodConfigPath,
      backupPath: upkeep.backupsPath,
      ...every,
    }),
    auth_profiles: authProfilesCollector({ stateDir, configPath, ...every }),
  };
}
