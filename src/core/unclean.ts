// How often did the gateway end uncleanly of late, by anyone's doing? Its own breaker counts such boots and then keeps
// every channel off.
import type { Entry } from "./history.ts";
import { elapsed, type Instant, minutes } from "./time.ts";

/** The time in which the gateway's breaker counts. */
const countedFor = minutes(5);

/** Unclean ends within the last five minutes, each counted once however many entries tell of it. */
export function uncleanEnds(entries: readonly Entry[], now: Instant): number {
  let ends = 0;
  /** The attempt whose end was counted already, and the one that asked for a clean stop. */
  let counted: string | undefined;
  let asked: string | undefined;
  for (const entry of entries) {
    const recent = elapsed(entry.at, now) <= countedFor;
    if (entry.kind === "verified" || entry.kind === "ended") counted = undefined;
    // What came of our own attempt was counted with its kill or its start.
    if (entry.kind === "replaced" && counted === undefined && recent && !entry.clean) ends++;
    if (entry.kind !== "intended") continue;
    const attempt = `${entry.episode} ${entry.attempt}`;
    if (entry.step === "restart") asked = attempt;
    const killed = entry.step === "kill_serving" || entry.step === "kill_main";
    // Whatever is started without having been asked to stop has ended by itself.
    const startedDead = entry.step === "start" && attempt !== asked;
    if (!(killed || startedDead) || attempt === counted) continue;
    counted = attempt;
    if (recent) ends++;
  }
  return ends;
}
