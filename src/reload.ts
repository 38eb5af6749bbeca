// How does a running guard take over another configuration? Read and checked as a whole first: a wrong one changes nothing,
// and every problem in it is said.
import { type Config, ConfigError } from "./config.ts";
import type { Instant } from "./core/time.ts";

/** How the last reading of the configuration went. */
export type LastReload = { readonly ok: boolean; readonly succeededAt: Instant };

/** What cannot change while the guard runs, because it holds it open. */
const fixed: readonly { readonly setting: string; readonly of: (config: Config) => string }[] = [
  { setting: "metrics.listen", of: ({ metrics }) => metrics.listen },
  { setting: "control.listen", of: ({ control }) => control.listen },
  { setting: "state_dir", of: ({ state_dir }) => state_dir },
];

/** Throws one `ConfigError` that names every setting for which the guard has to be started anew. */
export function refuseWhatNeedsRestart(before: Config, next: Config): void {
  const problems = fixed
    .filter(({ of }) => of(before) !== of(next))
    .map(
      ({ setting }) => `${setting}: cannot change while the guard runs: restart the guard, or set it back`,
    );
  if (problems.length > 0) throw new ConfigError(problems);
}

export type Reloading<Loaded> = {
  readonly last: () => LastReload;
  /** Reads and takes over; says whether it did. One at a time: a request during another waits for it. */
  readonly reload: (read: () => Loaded) => Promise<boolean>;
};

/** Takes configurations over, one after the other; `said` is told every problem of one that is refused. */
export function reloading<Loaded>(
  startedAt: Instant,
  takeOver: (loaded: Loaded) => Promise<void>,
  given: { readonly now: () => Instant; readonly said: (problem: string) => void },
): Reloading<Loaded> {
  let last: LastReload = { ok: true, succeededAt: startedAt };
  let before: Promise<unknown> = Promise.resolve();

  async function once(read: () => Loaded): Promise<boolean> {
    try {
      await takeOver(read());
      last = { ok: true, succeededAt: given.now() };
    } catch (error) {
      last = { ...last, ok: false };
      const problems =
        error instanceof ConfigError ? error.problems : [error instanceof Error ? error.message : "failed"];
      for (const problem of problems) given.said(problem);
    }
    return last.ok;
  }

  return {
    last: () => last,
    reload(read) {
      const one = before.then(() => once(read));
      before = one;
      return one;
    },
  };
}
