// How does a gateway's memory behave over days? Seeded synthetic histories, one reading per minute, healthy and leaking.
import { mib } from "./support.ts";

/** Uniform numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The level in MiB at a minute of a life, on top of warm-up and noise. */
type Level = (minute: number) => number;

const day = 24 * 60;
/** Load from 0 at night to 1 in the early afternoon; a life begins at a random hour. */
const load = (minute: number) => Math.max(0, Math.sin((2 * Math.PI * minute) / day));

const flat: Level = () => 0;
const daily =
  (peak: number, offset: number): Level =>
  (minute) =>
    peak * load(minute + offset);

/** Each makes the level of one life; sizes fit a limit of 2 GiB and a gateway of 700 to 900 MiB. */
export const healthyShapes: Readonly<Record<string, (random: () => number) => Level>> = {
  "a plateau": () => flat,
  "a long warm-up of 350 MiB over four hours (N01)": () => (minute) => 350 * Math.min(1, minute / 240),
  "a deep saw-tooth of garbage collection": () => (minute) => 250 * ((minute % 37) / 37),
  "a daily load": (random) => daily(350, random() * day),
  "a daily peak at 80 % of the limit": (random) => daily(720, random() * day),
  "flat at 70 % of the limit": () => () => 600,
  "a step for each of six sessions in a week, which stay": (random) => {
    const steps = Array.from({ length: 6 }, () => ({ at: random() * 7 * day, size: 40 + random() * 60 }));
    return (minute) => steps.reduce((sum, { at, size }) => sum + (minute >= at ? size : 0), 0);
  },
  "a collection of garbage every five hours only": () => (minute) => 350 * ((minute % 300) / 300),
  "sessions that come and go below 60 % of the limit": (random) => {
    const sessions = Array.from({ length: 60 }, () => ({
      at: random() * 7 * day,
      length: 20 + random() * 400,
      size: 10 + random() * 50,
    }));
    return (minute) =>
      sessions.reduce(
        (sum, { at, length, size }) => sum + (minute >= at && minute < at + length ? size : 0),
        0,
      );
  },
  "bursts of 550 to 990 MiB within a minute (#54155)": (random) => () =>
    random() < 0.05 ? 550 + random() * 440 : 0,
};

/** A leak of so many MiB per hour from the beginning of the life. */
export const leak =
  (perHour: number): Level =>
  (minute) =>
    (perHour * minute) / 60;

/** Resident bytes of one life, one reading per minute: warm-up, slow noise and collections on top of the level. */
export function* life(level: Level, random: () => number, lengthMinutes: number): Generator<number> {
  const base = 700 + random() * 200;
  const period = 5 + Math.floor(random() * 25);
  const tooth = 20 + random() * 60;
  let wander = 0;
  for (let minute = 0; minute < lengthMinutes; minute++) {
    wander = 0.95 * wander + (random() - 0.5) * 12;
    const warm = 1 - 0.4 * Math.exp(-minute / 20);
    const collected = tooth * ((minute % period) / period);
    yield (base * warm + level(minute) + wander + collected) * mib;
  }
}
