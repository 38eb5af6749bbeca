// Which alert is this, and is it the one we already have? Fingerprint and startsAt make two deliveries the same.
import type { Cause, Urgency } from "./cause.ts";
import type { Incarnation } from "./identity.ts";
import type { Instant } from "./time.ts";

/** One alert of a webhook payload, after parsing; `gateway` and `cause` are as labelled and not yet known to be ours. */
export type Alert = {
  readonly fingerprint: string;
  readonly startsAt: Instant;
  readonly status: "firing" | "resolved";
  readonly name: string;
  readonly gateway: string;
  readonly cause: Cause;
  /** The lower of the cause's own urgency and the label. */
  readonly urgency: Urgency;
};

/** An accepted alert as the journal keeps it, until it is resolved, cured, or its episode ends. */
export type OpenAlert = {
  readonly fingerprint: string;
  readonly startsAt: Instant;
  readonly name: string;
  readonly gateway: string;
  readonly cause: Cause;
  readonly urgency: Urgency;
  readonly receivedAt: Instant;
  readonly lastDeliveredAt: Instant;
  readonly deliveries: number;
  /** The life that was serving when the alert was accepted. */
  readonly incarnation: Incarnation | undefined;
};

/** The word that makes two deliveries the same alert. */
export function keyOf(alert: { readonly fingerprint: string; readonly startsAt: Instant }): string {
  return `${alert.fingerprint}@${alert.startsAt}`;
}
