// When is it time for the next turn? One loop per gateway that sleeps until something is due or somebody hints.
import { type Millis, ms } from "../core/time.ts";
import { nothingCarried, turn } from "./runner.ts";
import type { Policy, World } from "./world.ts";

/** After a turn failed, for instance because the journal could not be written, it is tried again this much later. */
const afterFailure = ms(5000);

/** Lets a sleeping loop be woken: a hint counts even when it comes just before the sleep. */
export type Wake = {
  readonly hint: () => void;
  readonly wait: (length: Millis, signal: AbortSignal) => Promise<void>;
};

/** A wake for one loop; hints while it works are remembered, any number of them as one. */
export function wake(sleep: World["sleep"]): Wake {
  let hinted = false;
  let awake: AbortController | undefined;
  return {
    hint() {
      hinted = true;
      awake?.abort();
    },
    async wait(length, signal) {
      if (!hinted && !signal.aborted) {
        awake = new AbortController();
        await sleep(length, AbortSignal.any([signal, awake.signal])).catch(() => undefined);
        awake = undefined;
      }
      hinted = false;
    },
  };
}

/** What one turn is taken with; it stays the same until the turn is over. */
export type Means = { readonly world: World; readonly policy: Policy };

/**
 * Runs the episodes of one gateway until the signal; a failed turn is reported and tried again, never skipped. `means` is
 * asked before each turn: another configuration holds from the next one on.
 */
export async function runEpisodes(
  means: () => Promise<Means>,
  woken: Wake,
  onFailure: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const carry = nothingCarried();
  while (!signal.aborted) {
    let length = afterFailure;
    try {
      const { world, policy } = await means();
      if (signal.aborted) return;
      length = await turn(world, policy, carry, signal);
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
    await woken.wait(length, signal);
  }
}
