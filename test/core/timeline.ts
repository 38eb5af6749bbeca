// How does a gateway fall silent? Looks every five seconds, told as a story.
import type { ProbeReading, ProcessReading } from "../../src/core/readings.ts";
import { afterGap, hangConfirmed, observe, type Stall, silentFor, unseen } from "../../src/core/stall.ts";
import { after, type Millis, ms, seconds } from "../../src/core/time.ts";
import {
  before,
  type Found,
  incarnation,
  noAnswerOfUse,
  noon,
  policy,
  probeReading,
  processReading,
  silence,
  silentProbe,
} from "./support.ts";

export const every = seconds(5);

/** A gateway that was looked at every five seconds, told as a timeline. */
export function timeline(first: Found = processReading()) {
  let stall: Stall = unseen;
  let at = noon;
  let life = first;
  const see = (process: ProcessReading | undefined, probe: ProbeReading | undefined) => {
    stall = observe(stall, { at, process, probe }, policy);
    at = after(at, every);
  };
  /** Repeats a look until `length` has passed. */
  const during = (length: number, look: () => void) => {
    for (let n = 0; n < length / every; n++) look();
  };
  return {
    answers: (length: number = every, phase: ProbeReading["phase"] = "started") =>
      during(length, () => see({ ...life, acceptQueue: 0 }, probeReading({ phase }))),
    silent: (length: number, process: Partial<Found> = {}) =>
      during(length, () => see({ ...life, acceptQueue: 3, ...process }, silentProbe())),
    deaf: (length: number, process: Partial<Found> = {}) =>
      during(length, () =>
        see(
          { ...life, listening: false, acceptQueue: undefined, ...process },
          silentProbe({ healthz: { ...silence, failure: "refused" } }),
        ),
      ),
    unclear: (length: number = every) =>
      during(length, () => see({ ...life, acceptQueue: 3 }, silentProbe({ healthz: noAnswerOfUse }))),
    unseen: () => see(undefined, undefined),
    gone: (length: number = every) => during(length, () => see({ found: false }, undefined)),
    look: see,
    replaced: (partial: Partial<Found>) => {
      life = processReading(partial);
    },
    sleeps(length: number) {
      at = after(at, ms(length));
      stall = afterGap(stall);
    },
    get stall() {
      return stall;
    },
    get class() {
      return stall.class;
    },
    /** At the last look. */
    get hung() {
      return hangConfirmed(stall, before(at, every), policy);
    },
    get silentFor() {
      return silentFor(stall, before(at, every), policy);
    },
  };
}

/** A process that began so long before the timeline. */
export const young = (age: Millis) =>
  processReading({ incarnation: incarnation({ startedAt: before(noon, age) }) });
