// Why was nothing done, and must a person hear of it? The closed set of refusals in the order in which they are tried.
import type { Urgency } from "./cause.ts";
import { elapsed, type Instant, minutes } from "./time.ts";
import { endOfNextWindow, type Window } from "./window.ts";

/** Every reason for not acting; the first that holds wins. */
export const refusals = [
  "cannot_record",
  "blind",
  "recovered",
  "unconfirmed",
  "stale_alert",
  "already_replaced",
  "stopped_on_purpose",
  "gave_up",
  "paused",
  "silenced",
  "observing",
  "supervisor_unreachable",
  "starting",
  "draining",
  "updating",
  "just_woke",
  "not_curable",
  "unsafe_unit",
  "cooling_down",
  "budget_spent",
  "breaker_risk",
  "outside_window",
  "busy",
] as const;
export type Refusal = (typeof refusals)[number];

/** Whether a word names a refusal. */
export function isRefusal(word: string | undefined): word is Refusal {
  return refusals.some((refusal) => refusal === word);
}

/** They hold until a person does something, so a person hears of them at once. */
const lastingAtOnce: ReadonlySet<Refusal> = new Set<Refusal>([
  "cannot_record",
  "gave_up",
  "observing",
  "supervisor_unreachable",
  "not_curable",
  "unsafe_unit",
  "budget_spent",
]);
/** A person wanted it so: told as information only. */
const wanted: ReadonlySet<Refusal> = new Set<Refusal>(["paused", "silenced", "stopped_on_purpose"]);

/** Whether people must hear that a confirmed need is refused: at once, or after the urgency's patience. */
export function lasting(
  refusal: Refusal,
  urgency: Urgency,
  since: Instant,
  now: Instant,
  window: Window,
): boolean {
  if (wanted.has(refusal)) return false;
  if (lastingAtOnce.has(refusal)) return true;
  const held = elapsed(since, now);
  if (urgency === "now") return held >= minutes(5);
  if (urgency === "soon") return held >= minutes(60);
  const missed = endOfNextWindow(window, since);
  return missed !== undefined && now >= missed;
}
