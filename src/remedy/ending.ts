// How does an episode end, and which alerts has it answered by then?
import { keyOf } from "../core/alert.ts";
import { afterVerdict, type Episode } from "../core/episode.ts";
import type { Entry, Outcome } from "../core/history.ts";
import { sameIncarnation } from "../core/identity.ts";
import type { World } from "./world.ts";

/** Ends an episode whose verdicts leave nothing to do, also when an earlier life of the guard came no further. */
export function finish(episode: Episode, world: World): boolean {
  const next = afterVerdict(episode);
  if (next === "decide_again") return false;
  const said = episode.lastVerdict?.verdict ?? "unknown";
  const tried = `${episode.attempts} ${episode.attempts === 1 ? "attempt" : "attempts"}`;
  end(episode, next, next === "recovered" ? `after ${tried}` : `${tried}, last verdict ${said}`, world);
  return true;
}

/** Ends an episode and closes the alerts that it answered; one about a later life is decided again. */
export function end(episode: Episode, outcome: Outcome, why: string, world: World): void {
  append(world, {
    kind: "ended",
    episode: episode.id,
    gateway: world.gateway,
    at: world.now(),
    outcome,
    why,
  });
  if (outcome === "cancelled" || outcome === "mode_changed") return;
  const serving = world.latest().stall.incarnation;
  const backAt = episode.lastVerdict?.backAt;
  const answered = world.book
    .openAlerts()
    .filter(({ startsAt, incarnation }) =>
      outcome === "recovered"
        ? backAt !== undefined && startsAt <= backAt
        : outcome === "gave_up" || !sameIncarnation(incarnation, serving),
    );
  world.book.closeAlerts(answered.map(keyOf), outcome === "recovered" ? "cured" : "ended");
}

/** Writes an entry down and tells of it; throws when it cannot be written. */
export function append(world: World, entry: Entry): void {
  world.book.append(entry);
  world.log(entry.kind, { ...entry });
}
