// Where do the tokens come from? From files or the environment, read when they are needed, so that a rotated one is
// picked up; never from the configuration itself.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Config, ConfigError } from "./config.ts";
import type { Secrets } from "./app.ts";

type Given = { readonly token_file?: string | undefined; readonly token_env?: string | undefined };
type Env = Readonly<Record<string, string | undefined>>;

/** The token file that the guard makes for itself when no control token is configured. */
export function controlTokenFile(config: Config): string {
  return config.control.token_file ?? join(config.state_dir, "control.token");
}

/** Reads the control token as a person's command finds it, without making one. */
export function readControlToken(config: Config, env: Env): string | undefined {
  const { token_env } = config.control;
  return reader(token_env === undefined ? { token_file: controlTokenFile(config) } : { token_env }, env)();
}

/** Opens the way to every token of a configuration; throws `ConfigError` for one that is named but not there. */
export function openSecrets(config: Config, env: Env): Secrets {
  const { control } = config;
  if (control.token_env === undefined && control.token_file === undefined)
    ensureToken(controlTokenFile(config));
  const controlToken = reader(
    { ...control, token_file: control.token_env === undefined ? controlTokenFile(config) : undefined },
    env,
  );
  const gateways = new Map(config.gateways.map((gateway) => [gateway.name, reader(gateway, env)]));
  const missing = [
    ...(controlToken() === undefined
      ? ["control.token_file: there is no token: write one with 32 or more random characters"]
      : []),
    ...config.gateways.flatMap((gateway, i) =>
      (gateway.token_file ?? gateway.token_env) !== undefined && gateways.get(gateway.name)?.() === undefined
        ? [
            `gateways.${i}.token_${gateway.token_file === undefined ? "env" : "file"}: there is no token: check that the guard's user may read it`,
          ]
        : [],
    ),
  ];
  if (missing.length > 0) throw new ConfigError(missing);
  return {
    // An empty token lets nobody in.
    controlToken: () => controlToken() ?? "",
    gatewayToken: (name) => gateways.get(name)?.(),
  };
}

/** Writes a new random token unless the file exists; readable by its owner only. */
export function ensureToken(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
}

function reader({ token_file, token_env }: Given, env: Env): () => string | undefined {
  return () => {
    const text = token_file === undefined ? env[token_env ?? ""] : contents(token_file);
    const token = text?.trim();
    return token === "" ? undefined : token;
  };
}

function contents(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
