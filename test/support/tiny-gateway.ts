// Does the tiny gateway answer, and which life of it?
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program, for units and scripts. */
export const tinyGateway = fileURLToPath(new URL("./tiny-gateway.mjs", import.meta.url));

/** The word that the gateway of `folder` answers with, or undefined when none answers. */
export async function lifeIn(folder: string): Promise<string | undefined> {
  try {
    const { url } = JSON.parse(await readFile(join(folder, "address"), "utf8")) as { url: string };
    return await (await fetch(url, { signal: AbortSignal.timeout(1000) })).text();
  } catch {
    return undefined;
  }
}
