// Which Prometheus and Alertmanager do the tests run? Those that the demo would run, found once per test process.
import { type Components, findComponents } from "../../src/platform/components.ts";

let found: Promise<Components> | undefined;

/** The four programs of this machine; rejects with what to type when they cannot be had. */
export function components(): Promise<Components> {
  found ??= findComponents({
    env: process.env,
    say: (line) => process.stderr.write(`components: ${line}\n`),
    signal: new AbortController().signal,
  });
  return found;
}
