// When does the loop take its next turn, and what ends it?
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "../../src/core/time.ts";
import { seconds } from "../../src/core/time.ts";
import { sleep } from "../../src/platform/clock.ts";
import { runEpisodes, wake } from "../../src/remedy/loop.ts";
import type { World } from "../../src/remedy/world.ts";
import { policy } from "../core/support.ts";
import { simulate } from "./simulation.ts";

const never = new AbortController().signal;

test("a hint wakes a loop that sleeps", async () => {
  const woken = wake(sleep);
  const waiting = woken.wait(seconds(600), never);
  woken.hint();
  await waiting;
});

test("a hint that comes just before the sleep counts, any number of them as one", async () => {
  const lengths: Millis[] = [];
  const woken = wake(async (length) => {
    lengths.push(length);
  });
  woken.hint();
  woken.hint();
  await woken.wait(seconds(600), never);
  assert.deepEqual(lengths, []);
  await woken.wait(seconds(1), never);
  assert.deepEqual(lengths, [seconds(1)]);
});

test("the end of the guard ends a sleep, and a loop that has ended does not sleep", async () => {
  const woken = wake(sleep);
  const end = new AbortController();
  const waiting = woken.wait(seconds(600), end.signal);
  end.abort();
  await waiting;
  await woken.wait(seconds(600), end.signal);
});

/** A world in which a turn has nothing to do, as its one reading of the journal goes. */
function idleWorld(reading: () => void, end: AbortController): World {
  using simulation = simulate();
  const { world } = simulation.lives();
  return {
    ...world,
    book: {
      ...world.book,
      standing() {
        reading();
        return world.book.standing();
      },
      openAlerts: () => [],
    },
    sleep: async (length, signal) => {
      if (end.signal.aborted) signal.throwIfAborted();
      void length;
    },
  };
}

test("a turn that fails is reported and tried again", async () => {
  const end = new AbortController();
  const problems: string[] = [];
  const waits: Millis[] = [];
  let turns = 0;
  const world = idleWorld(() => {
    turns++;
    if (turns === 4) end.abort();
    if (turns < 3) throw new Error("disk full");
  }, end);
  const woken = wake(async (length) => {
    waits.push(length);
  });
  await runEpisodes(
    async () => ({ world, policy }),
    woken,
    (error) => problems.push(String(error)),
    end.signal,
  );
  assert.deepEqual(problems, ["Error: disk full", "Error: disk full"]);
  assert.equal(turns, 4);
  assert.deepEqual(waits, [seconds(5), seconds(5), seconds(30)]);
});

test("a turn that the guard's own end cuts short is no failure", async () => {
  const end = new AbortController();
  const world = idleWorld(() => {
    end.abort();
    throw new Error("aborted");
  }, end);
  const problems: unknown[] = [];
  await runEpisodes(
    async () => ({ world, policy }),
    wake(sleep),
    (error) => problems.push(error),
    end.signal,
  );
  assert.deepEqual(problems, []);
});
