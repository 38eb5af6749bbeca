// What does one scrape of this guard contain? The latest readings of every gateway, what follows from them, and the
// guard's own state; it only renders and never waits for a gateway.
import { catalogue } from "./catalogue.ts";
import type { Config } from "./config.ts";
import type { Sample } from "./core/sample.ts";
import { elapsed, type Instant, inSeconds } from "./core/time.ts";
import { derivedSamples } from "./expose/derived.ts";
import { type Own, stateSamples, trackSamples } from "./expose/own.ts";
import { type LoopDelay, processSamples } from "./expose/process.ts";
import { reloadSamples } from "./expose/reload.ts";
import { render, type Source } from "./expose/scrape.ts";
import { unitSamples } from "./expose/unit-safety.ts";
import { modeReasons } from "./earn.ts";
import type { Guarded } from "./gateway.ts";
import { thresholdsOf } from "./policy.ts";
import type { LastReload } from "./reload.ts";
import { findingReasons } from "./remedy/action.ts";
import type { Sampling } from "./sample/sampler.ts";
import type { Seams } from "./world.ts";

/** Returns the function that renders a scrape. */
export function exposition(
  gateways: () => readonly Guarded[],
  host: readonly Sampling<unknown>[],
  own: Own,
  config: () => Config,
  seams: Seams,
  loop: LoopDelay,
  lastReload: () => LastReload,
  endpoints: Sampling<unknown>,
): () => Promise<string> {
  return async () => {
    const now = seams.now();
    const thresholds = thresholdsOf(config());
    const sources: readonly Source[] = [
      {
        labels: {},
        samples: [...host.flatMap(samplesOf), ...processSamples(loop), ...reloadSamples(lastReload())],
      },
      ...gateways().map((each) => ({
        labels: { gateway: each.config.name },
        samples: [
          // What people and alerts need most comes first: the limit of series cuts at the end.
          ...guardSamples(each, now),
          ...derivedSamples(each.watch.evidence(), {
            now,
            supervisor: each.config.supervisor.kind,
            thresholds,
            stall: each.policy,
          }),
          ...unitSamples({
            reading: each.supervisor(),
            found: each.findings().map(({ reason }) => reason),
          }),
          ...each.watch.samplings().flatMap(samplesOf),
        ],
      })),
      ...(config().endpoints.length === 0 ? [] : endpointSources(endpoints)),
    ];
    const { text, dropped } = render(catalogue, sources);
    if (dropped > 0) own.dropped(dropped);
    return text + (await own.render());
  };
}

/** The last reading of a collector while it is fresh, and how reading went. */
function samplesOf<Reading>(sampling: Sampling<Reading>): readonly Sample[] {
  const seen = sampling.latest();
  const samples = seen === undefined ? [] : sampling.collector.samples(seen.reading);
  return [...samples, ...trackSamples(sampling.track())];
}

/** Each endpoint by itself: the limit of series is for one source, and a hundred endpoints have more together. */
function endpointSources(sampling: Sampling<unknown>): readonly Source[] {
  const each = Map.groupBy(samplesOf(sampling), ({ labels }) => labels?.["endpoint"]);
  return [...each.values()].map((samples) => ({ labels: {}, samples }));
}

function guardSamples(each: Guarded, now: Instant): readonly Sample[] {
  const standing = each.standing();
  const budget = each.budget();
  const { mode, reasons } = each.mode();
  return stateSamples(
    {
      mode,
      downgraded: reasons,
      paused: standing.paused !== undefined && standing.paused.until > now,
      gaveUp: standing.gaveUp,
      blockedBy: each.blockedBy(),
      episodeRunning: standing.episode !== undefined,
      budgetLeft: budget.left,
      cooldownSeconds: inSeconds(elapsed(now, budget.coolUntil)),
    },
    [...modeReasons, ...findingReasons],
  );
}
