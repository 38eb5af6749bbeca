// What does Alertmanager say? Webhook JSON of version 4 becomes alerts: strict about what we read, blind to the rest.
import { z } from "zod";
import type { Alert } from "../core/alert.ts";
import { isCause, isUrgency, lower, urgencyOf } from "../core/cause.ts";
import { instant } from "../core/time.ts";

/** The alert that fires always; it comes to prove that the pipeline works and asks for nothing. */
const watchdog = "OpenClawWatchdog";

/** Far above what one gateway can raise; `max_alerts` in the shipped route is 50. */
const alertLimit = 1000;

const labelLimitChars = 1024;
/** Bounds on what is logged about labels that we do not know. */
const namesLimit = 32;
const nameLimitChars = 64;

/** What the receiver recognises as its own. */
export type Knows = { readonly gateways: ReadonlySet<string> };

export const ignoredReasons = ["no_remedy", "unknown_gateway", "unknown_cause", "unknown_urgency"] as const;
export type IgnoredReason = (typeof ignoredReasons)[number];

/** A valid alert that is not for us, with the names of its labels, never their values. */
export type Ignored = { readonly why: IgnoredReason; readonly labelNames: readonly string[] };

export type Payload = {
  readonly ok: true;
  readonly alerts: readonly Alert[];
  readonly ignored: readonly Ignored[];
  /** Whether the dead man's switch was among the firing alerts. */
  readonly heartbeat: boolean;
  /** Alerts that Alertmanager left out because of its `max_alerts`. */
  readonly truncated: number;
};

/** Why a payload can never be valid, which field shows it, and what the sender can do. No text of the payload. */
export type PayloadProblem = {
  readonly ok: false;
  readonly reason: "malformed" | "unsupported_version" | "too_many_alerts";
  readonly error: string;
  readonly field: string;
  readonly fix: string;
};

const readLabel = z.string().max(labelLimitChars);
const envelope = z.object({
  truncatedAlerts: z.number().int().nonnegative().optional(),
  alerts: z.array(z.unknown()),
});
const deliveredAlert = z.object({
  status: z.enum(["firing", "resolved"]),
  fingerprint: z.string().regex(/^[0-9a-f]{1,64}$/i),
  startsAt: z.iso
    .datetime({ offset: true })
    // The zero time stands for "not set", and an alert that never began cannot be told from another one.
    .refine((text) => Date.parse(text) > 0),
  labels: z.record(z.string(), z.string()),
});
const deliveredLabels = z.object({
  alertname: readLabel.optional(),
  remedy: readLabel.optional(),
  gateway: readLabel.optional(),
  cause: readLabel.optional(),
  urgency: readLabel.optional(),
});
type Labels = z.infer<typeof deliveredLabels>;

/** Reads one delivery; alerts that are not ours come back as ignored, and only what can never be valid is a problem. */
export function parsePayload(body: unknown, knows: Knows): Payload | PayloadProblem {
  const version = z.object({ version: z.unknown() }).safeParse(body);
  if (!version.success) return malformed("", "a JSON object");
  if (version.data.version !== "4") {
    return {
      ok: false,
      reason: "unsupported_version",
      error: "unsupported payload version",
      field: "version",
      fix: 'send the webhook payload of Alertmanager, whose version is the text "4"',
    };
  }
  const outer = envelope.safeParse(body);
  if (!outer.success) return malformed(pathOf(outer.error), expectedAt(outer.error));
  // Counted before anything inside is looked at: ten thousand bad alerts are too many, not malformed.
  const delivered = outer.data.alerts;
  if (delivered.length > alertLimit) {
    return {
      ok: false,
      reason: "too_many_alerts",
      error: `more than ${alertLimit} alerts in one payload`,
      field: "alerts",
      fix: "set max_alerts: 50 in the webhook_configs of this receiver",
    };
  }
  const alerts: Alert[] = [];
  const ignored: Ignored[] = [];
  let heartbeat = false;
  for (const [index, one] of delivered.entries()) {
    const alert = deliveredAlert.safeParse(one);
    if (!alert.success) return malformed(pathOf(alert.error, index), expectedAt(alert.error));
    const labels = deliveredLabels.safeParse(alert.data.labels);
    if (!labels.success) {
      return malformed(`alerts[${index}].labels${pathOf(labels.error, undefined, ".")}`, "a shorter text");
    }
    if (labels.data.alertname === watchdog) {
      heartbeat ||= alert.data.status === "firing";
      continue;
    }
    const why = reasonToIgnore(labels.data, knows);
    if (why !== undefined) ignored.push({ why, labelNames: namesIn(alert.data.labels) });
    else alerts.push(alertFrom(alert.data, labels.data));
  }
  return { ok: true, alerts, ignored, heartbeat, truncated: outer.data.truncatedAlerts ?? 0 };
}

function reasonToIgnore(labels: Labels, knows: Knows): IgnoredReason | undefined {
  if (labels.remedy !== "restart") return "no_remedy";
  if (labels.gateway === undefined || !knows.gateways.has(labels.gateway)) return "unknown_gateway";
  if (!isCause(labels.cause)) return "unknown_cause";
  if (labels.urgency !== undefined && !isUrgency(labels.urgency)) return "unknown_urgency";
  return undefined;
}

function alertFrom(alert: z.infer<typeof deliveredAlert>, labels: Labels): Alert {
  const { alertname, gateway, cause, urgency } = labels;
  if (gateway === undefined || !isCause(cause)) throw new TypeError("alert: read before it was checked");
  const own = urgencyOf[cause];
  return {
    // Two senders may spell the same number differently; the key of the alert must not.
    fingerprint: alert.fingerprint.toLowerCase(),
    startsAt: instant(Date.parse(alert.startsAt)),
    status: alert.status,
    name: alertname ?? "",
    gateway,
    cause,
    urgency: isUrgency(urgency) ? lower(own, urgency) : own,
  };
}

function namesIn(labels: Readonly<Record<string, string>>): string[] {
  return Object.keys(labels)
    .slice(0, namesLimit)
    .map((name) => name.slice(0, nameLimitChars));
}

function malformed(field: string, expected: string): PayloadProblem {
  return {
    ok: false,
    reason: "malformed",
    error: `malformed payload: ${field === "" ? "it" : field} must be ${expected}`,
    field,
    fix: "send the webhook payload of Alertmanager unchanged",
  };
}

/** The parts of a path that are ours to name; a label's name comes from the sender and is left out. */
const ownWords: ReadonlySet<string> = new Set([
  "truncatedAlerts",
  "alerts",
  "status",
  "fingerprint",
  "startsAt",
  "labels",
  "alertname",
  "remedy",
  "gateway",
  "cause",
  "urgency",
]);

function pathOf(error: z.ZodError, index?: number, before = ""): string {
  const path = error.issues[0]?.path ?? [];
  const words = path.filter((part): part is string => typeof part === "string");
  const named = words.every((word) => ownWords.has(word)) ? words : words.slice(0, 1);
  const field = named.join(".");
  if (index === undefined) return `${before}${field}`;
  return field === "" ? `alerts[${index}]` : `alerts[${index}].${field}`;
}

function expectedAt(error: z.ZodError): string {
  const path = error.issues[0]?.path ?? [];
  switch (path[0]) {
    case undefined:
      return "an object";
    case "truncatedAlerts":
      return "a count";
    case "alerts":
      return "a list";
    case "status":
      return "firing or resolved";
    case "fingerprint":
      return "1 to 64 hexadecimal digits";
    case "startsAt":
      return "a time such as 2026-11-20T06:12:08Z, and set";
    default:
      return "an object whose values are all texts";
  }
}
