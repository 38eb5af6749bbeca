// Has what a step asked for happened yet? Looks again and again until it has, the time is up, or it cannot happen any more.
import type { Evidence } from "../core/evidence.ts";
import { type Incarnation, sameIncarnation } from "../core/identity.ts";
import { confirmAfter } from "../core/stall.ts";
import { elapsed, type Instant, type Millis, ms, seconds } from "../core/time.ts";
import type { Done } from "./climb.ts";
import type { Policy, World } from "./world.ts";

/** How often the world is looked at while a step waits for it. */
const lookEvery = ms(500);
/** A refused restart of a gateway that shows no sign of stopping by then was really refused. */
const refusedAfter = seconds(10);

/** Looks until something holds; false when the time is up. */
export async function until(
  deadline: Millis,
  world: World,
  signal: AbortSignal,
  holds: (e: Evidence) => boolean | Promise<boolean>,
): Promise<boolean> {
  const from = world.now();
  do {
    if (await holds(await world.look(signal))) return true;
    await world.sleep(lookEvery, signal);
  } while (elapsed(from, world.now()) < deadline);
  return false;
}

/** The life that this look saw, if it saw one. */
export function incarnationOf(e: Evidence): Incarnation | undefined {
  const found = e.process?.reading;
  return found?.found === true ? found.incarnation : undefined;
}

/** Whether another life is seen; not seeing any is no proof of it. */
export function isReplaced(e: Evidence, before: Incarnation | undefined): boolean {
  const now = incarnationOf(e);
  return now !== undefined && !sameIncarnation(now, before);
}

/**
 * Asks for one graceful restart and watches the drain while the supervisor works. It has overrun when the deadline passes
 * or when no byte came for as long as a hang is confirmed, with connections waiting; a refused restart never overruns.
 */
export async function askToRestart(
  before: Incarnation | undefined,
  deadline: Millis,
  world: World,
  policy: Policy,
  signal: AbortSignal,
): Promise<Done> {
  const from = world.now();
  const reply = listen(world.action.restart(AbortSignal.any([signal, AbortSignal.timeout(deadline)])), world);
  let silent: Instant | undefined;
  let leaving = false;
  do {
    const e = await world.look(signal);
    const now = world.now();
    const { accepted, refused } = reply();
    const gone = e.process?.reading.found === false;
    // A command that still runs will start it by itself: starting beside it would be two restarts at once.
    if (isReplaced(e, before) || (gone && (accepted || refused !== undefined)))
      return { ok: true, detail: "the old incarnation ended" };

    leaving ||= e.stall.class === "draining" || (refused !== undefined && (await isStopping(world, signal)));
    if (refused !== undefined && !leaving && elapsed(refused.at, now) >= refusedAfter) throw refused.error;
    silent = silentSince(silent, e, now);
    const hung = silent !== undefined && elapsed(silent, now) >= confirmAfter(e.stall, policy);
    if (hung && (accepted || leaving))
      return { ok: false, detail: "no byte during the drain: hung", overrun: true };
    await world.sleep(lookEvery, signal);
  } while (elapsed(from, world.now()) < deadline);
  const { refused } = reply();
  if (refused !== undefined && !leaving) throw refused.error;
  return { ok: false, detail: "the drain deadline passed", overrun: true };
}

type Reply = {
  readonly accepted: boolean;
  readonly refused: { readonly error: unknown; readonly at: Instant } | undefined;
};

/** What a request has come to so far, without waiting for it. */
function listen(request: Promise<void>, world: World): () => Reply {
  let reply: Reply = { accepted: false, refused: undefined };
  request.then(
    () => {
      reply = { accepted: true, refused: undefined };
    },
    (error: unknown) => {
      reply = { accepted: false, refused: { error, at: world.now() } };
    },
  );
  return () => reply;
}

async function isStopping(world: World, signal: AbortSignal): Promise<boolean> {
  return (await world.action.inspect(signal)).state === "stopping";
}

/** Since when connections have waited without a byte; a listener that is closed for the drain is no hang. */
function silentSince(since: Instant | undefined, e: Evidence, now: Instant): Instant | undefined {
  const found = e.process?.reading;
  const probe = e.probe?.reading;
  if (found?.found !== true || probe === undefined || e.stall.class === undefined) return since;
  const heard = probe.heldAnswered || [probe.healthz, probe.startupz, probe.readyz].some((p) => p?.heard);
  if (heard || !found.listening || (found.acceptQueue ?? 0) === 0) return undefined;
  return since ?? e.stall.silence?.since ?? now;
}
