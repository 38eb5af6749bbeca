// Which phases of the gateway would hold a restart back right now, and until when at the latest? For people, also while
// nobody asks for a restart.
import type { Evidence } from "./evidence.ts";
import type { Refusal } from "./refusal.ts";
import { startBudget, type StallPolicy } from "./stall.ts";
import { after, type Instant, type Millis } from "./time.ts";
import { updateUnderWay } from "./updating.ts";

/** A phase by the name of its refusal; it ends by itself at `until`, or before. */
export type Wait = { readonly refusal: Refusal; readonly until: Instant };

/** The phases under way, in the order of the refusals. */
export function waitsOf(
  { stall, updating, wokeAt }: Evidence,
  now: Instant,
  policy: StallPolicy & { readonly updateLimit: Millis; readonly justWoke: Millis },
): readonly Wait[] {
  const phase = (refusal: Refusal, since: Instant | undefined, limit: Millis): readonly Wait[] =>
    since === undefined || after(since, limit) <= now ? [] : [{ refusal, until: after(since, limit) }];
  const update = updateUnderWay(updating, now, policy.updateLimit);
  return [
    ...(stall.class === "starting" ? phase("starting", stall.startingSince, startBudget(stall, policy)) : []),
    ...(stall.class === "draining" ? phase("draining", stall.drainingSince, policy.drainLimit) : []),
    ...(update === undefined ? [] : [{ refusal: "updating" as const, until: update.until }]),
    ...phase("just_woke", wokeAt, policy.justWoke),
  ];
}
