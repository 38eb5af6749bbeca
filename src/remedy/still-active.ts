// Does Alertmanager still hold the alerts that we were told of? A delivery may be minutes old; one question settles it.
import type { OpenAlert } from "../core/alert.ts";
import { seconds } from "../core/time.ts";
import { get } from "../platform/http.ts";

const askWithin = seconds(3);

/** Asks Alertmanager's API v2 for the fingerprints it holds; undefined when there is none, or no answer that is a list. */
export function stillActive(url: string | undefined) {
  return async (
    alerts: readonly OpenAlert[],
    signal: AbortSignal,
  ): Promise<ReadonlySet<string> | undefined> => {
    if (url === undefined || alerts.length === 0) return undefined;
    const question = new URL(`${url.replace(/\/$/, "")}/api/v2/alerts`);
    question.searchParams.set("filter", 'remedy="restart"');
    const answer = await get(question, { deadline: askWithin, signal });
    if (answer.status !== 200 || answer.body === undefined) return undefined;
    return fingerprints(answer.body);
  };
}

function fingerprints(body: string): ReadonlySet<string> | undefined {
  try {
    const list: unknown = JSON.parse(body);
    if (!Array.isArray(list)) return undefined;
    const found = list.flatMap((each: unknown) =>
      typeof each === "object" &&
      each !== null &&
      "fingerprint" in each &&
      typeof each.fingerprint === "string"
        ? [each.fingerprint]
        : [],
    );
    return new Set(found);
  } catch {
    return undefined;
  }
}
