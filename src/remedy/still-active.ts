// Does Alertmanager still hold the alerts that we were told of, and has a person silenced them? A delivery may be minutes
// old; one question settles both.
import type { OpenAlert } from "../core/alert.ts";
import { seconds } from "../core/time.ts";
import { get } from "../platform/http.ts";

const askWithin = seconds(3);

/** What Alertmanager holds, by fingerprint; `silenced` are those of them that a silence covers. */
export type Held = { readonly active: ReadonlySet<string>; readonly silenced: ReadonlySet<string> };

/** Asks Alertmanager's API v2 for the alerts it holds; undefined when there is none, or no answer that is a list. */
export function stillActive(url: string | undefined) {
  return async (alerts: readonly OpenAlert[], signal: AbortSignal): Promise<Held | undefined> => {
    if (url === undefined || alerts.length === 0) return undefined;
    const question = new URL(`${url.replace(/\/$/, "")}/api/v2/alerts`);
    question.searchParams.set("filter", 'remedy="restart"');
    const answer = await get(question, { deadline: askWithin, signal });
    if (answer.status !== 200 || answer.body === undefined) return undefined;
    return held(answer.body);
  };
}

function held(body: string): Held | undefined {
  try {
    const list: unknown = JSON.parse(body);
    if (!Array.isArray(list)) return undefined;
    const alerts = list.flatMap((each: unknown) => {
      const fingerprint = part(each, "fingerprint");
      if (typeof fingerprint !== "string") return [];
      const silences = part(part(each, "status"), "silencedBy");
      return [{ fingerprint, silenced: Array.isArray(silences) && silences.length > 0 }];
    });
    return {
      active: new Set(alerts.map(({ fingerprint }) => fingerprint)),
      silenced: new Set(alerts.filter(({ silenced }) => silenced).map(({ fingerprint }) => fingerprint)),
    };
  } catch {
    return undefined;
  }
}

function part(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null
    ? Object.entries(of).find(([key]) => key === name)?.[1]
    : undefined;
}
