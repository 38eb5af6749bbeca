// Why does an alert ask for a restart, how urgent is that, and what must be replaced to cure it?

export const causes = [
  "down",
  "hang",
  "memory_exhaustion",
  "descriptors",
  "processes",
  "models_local",
  "memory_leak",
  "rejuvenation",
] as const;
export type Cause = (typeof causes)[number];

/** Most urgent first; `now` ignores the window, `scheduled` never acts outside it. */
export const urgencies = ["now", "soon", "scheduled"] as const;
export type Urgency = (typeof urgencies)[number];

/** The urgency a cause has of itself; alert labels may lower it, never raise it. */
export const urgencyOf: Readonly<Record<Cause, Urgency>> = {
  down: "now",
  hang: "now",
  memory_exhaustion: "now",
  descriptors: "soon",
  processes: "soon",
  models_local: "soon",
  memory_leak: "scheduled",
  rejuvenation: "scheduled",
};

/** Every cause is cured by a new process only: an in-process restart keeps the leak, the descriptors and the loop. */
export const curedBy = "process";

/** Whether a word, such as a label of an alert, names a cause. */
export function isCause(word: string | undefined): word is Cause {
  return causes.some((cause) => cause === word);
}

/** Whether a word names an urgency. */
export function isUrgency(word: string | undefined): word is Urgency {
  return urgencies.some((urgency) => urgency === word);
}

/** The less urgent of the two. */
export function lower(a: Urgency, b: Urgency): Urgency {
  return urgencies.indexOf(a) >= urgencies.indexOf(b) ? a : b;
}

/** Orders causes by urgency, most urgent first; equals keep the order of the table. */
export function byUrgency(a: Cause, b: Cause): number {
  const rank = (cause: Cause) => urgencies.indexOf(urgencyOf[cause]) * causes.length + causes.indexOf(cause);
  return rank(a) - rank(b);
}
