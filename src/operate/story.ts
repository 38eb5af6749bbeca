// What does a person see while the loop runs? One line per event, with the seconds since the start; or the same as JSON.
import type { Program } from "./program.ts";

/** Tells what happens; `log` turns a log line of the guard into an event. */
export type Storyteller = ((event: string, sentence: string, facts?: unknown) => void) & {
  readonly log: (line: string) => void;
};

/** A storyteller that writes to the program's output, as text or as a JSON object per line. */
export function storyteller(program: Program, json: boolean): Storyteller {
  const from = program.now();
  const tell = (event: string, sentence: string, facts?: unknown) => {
    const at = (program.now() - from) / 1000;
    if (json) program.out(JSON.stringify({ at, event, sentence, ...(facts === undefined ? {} : { facts }) }));
    else program.out(`${at.toFixed(1).padStart(7)} s  ${sentence}`);
  };
  return Object.assign(tell, {
    log(line: string) {
      const fields = parsed(line);
      const event = typeof fields["event"] === "string" ? fields["event"] : "";
      const sentence = sentences[event]?.(fields);
      if (sentence !== undefined) tell(event, sentence, json ? fields : undefined);
    },
  });
}

type Fields = Readonly<Record<string, unknown>>;

const word = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : "unknown";

/** The events that are worth a line, in the words of the history. */
const sentences: Readonly<Record<string, (fields: Fields) => string | undefined>> = {
  mode: ({ mode, reasons }) =>
    Array.isArray(reasons) && reasons.length > 0
      ? `mode ${word(mode)}: ${reasons.map(word).join(", ")}`
      : `mode ${word(mode)}: the restart path is verified`,
  opened: ({ cause, urgency }) => `alert: ${word(cause)}, urgency ${word(urgency)}: an episode begins`,
  decided: ({ decision, saw }) => `decision: ${word(decision)}${seen(saw)}`,
  evidence: () => "evidence kept",
  step: ({ step, detail }) => `step ${word(step)}: ${word(detail)}`,
  back: ({ incarnation }) =>
    `back: a new incarnation serves, pid ${typeof incarnation === "object" && incarnation !== null && "pid" in incarnation ? word(incarnation.pid) : "unknown"}; it has to stay well for the settle time`,
  verified: ({ verdict }) => `verdict: ${word(verdict)}`,
  ended: ({ outcome, why }) => `episode ended: ${word(outcome)} (${word(why)})`,
  resumed: () => "an attempt of an earlier life of the guard is taken up at verification",
};

function seen(saw: unknown): string {
  if (typeof saw !== "object" || saw === null) return "";
  const list = Object.entries(saw).map(([name, value]) => `${name}: ${word(value)}`);
  return list.length === 0 ? "" : ` (${list.join("; ")})`;
}

function parsed(line: string): Fields {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    return {};
  }
}
