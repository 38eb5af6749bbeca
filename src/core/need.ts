// What is needed, if anything? The most urgent of the causes asked about that the guard's own evidence confirms, and the
// manner in which it is cured.
import type { OpenAlert } from "./alert.ts";
import { byUrgency, type Cause, type Urgency, urgencies } from "./cause.ts";
import { confirm, type Evidence, type EvidencePolicy } from "./evidence.ts";
import { after, type Instant, seconds } from "./time.ts";
import { endOfNextWindow, type Window } from "./window.ts";

/** How the incarnation is replaced: ended by force, asked to stop and start again, or only started. */
export type Manner = "kill" | "graceful" | "start";

export type Need = {
  readonly cause: Cause;
  readonly urgency: Urgency;
  readonly manner: Manner;
  /** The alerts that ask for it; none when it is our own attempt that left the gateway dead. */
  readonly alerts: readonly OpenAlert[];
};

export type NeedPolicy = EvidencePolicy & { readonly window: Window };

type Asked = {
  readonly now: Instant;
  readonly alerts: readonly OpenAlert[];
  /** Whether an attempt of ours left nothing serving. */
  readonly ours: boolean;
  readonly evidence: Evidence;
};

/** The most urgent cause that the guard's own evidence confirms, if there is one. */
export function needOf(s: Asked, policy: NeedPolicy): Need | undefined {
  const needs = askedOf(s)
    .filter((cause) => confirm(cause, s.evidence, s.now, policy).answer === "yes")
    .map((cause): Need => {
      const alerts = s.alerts.filter((alert) => alert.cause === cause);
      const asked = alerts.map(({ urgency }) => urgency).sort(mostUrgentFirst)[0] ?? "now";
      const manner = s.evidence.stall.class === "gone" ? "start" : cause === "hang" ? "kill" : "graceful";
      return { cause, urgency: pressing(s, cause, asked, policy) ? "soon" : asked, manner, alerts };
    });
  return needs.sort((a, b) => mostUrgentFirst(a.urgency, b.urgency))[0];
}

/** The causes that somebody asks about; a gateway that our own attempt left dead is asked about by ourselves. */
export function askedOf(s: Asked): readonly Cause[] {
  const causes = new Set(s.alerts.map(({ cause }) => cause));
  if (s.ours && s.evidence.stall.class === "gone") causes.add("down");
  return [...causes].sort(byUrgency);
}

/** A leak that fills the memory before the next window ends cannot wait for it. */
function pressing(s: Asked, cause: Cause, asked: Urgency, policy: NeedPolicy): boolean {
  if (cause !== "memory_leak" || asked !== "scheduled") return false;
  const lower = s.evidence.trend.exhaustionSeconds?.lower;
  const end = endOfNextWindow(policy.window, s.now);
  return lower !== undefined && end !== undefined && after(s.now, seconds(lower)) < end;
}

const mostUrgentFirst = (a: Urgency, b: Urgency): number => urgencies.indexOf(a) - urgencies.indexOf(b);
