// When another process serves the gateway, is what the one before it answered taken for its answer?
import assert from "node:assert/strict";
import { test } from "node:test";
import { watchGateway } from "../../src/sample/watch.ts";
import { incarnation, policy, probeReading, processReading } from "../core/support.ts";
import { collectorOf, handClock } from "./support.ts";

const never = new AbortController().signal;

test("the probes are told of every new life before they are asked about it, and of nothing else", async () => {
  const story: string[] = [];
  let process = processReading();
  const watch = watchGateway(
    {
      process: collectorOf(() => process),
      probe: collectorOf(
        () => {
          story.push("asked");
          return probeReading();
        },
        { renew: () => void story.push("told") },
      ),
      work: undefined,
    },
    () => undefined,
    handClock(),
    () => policy,
  );
  await watch.look(never);
  await watch.look(never);
  assert.deepEqual(story.splice(0), ["told", "asked", "asked"]);
  process = processReading({ incarnation: incarnation({ pid: process.incarnation.pid + 1 }) });
  await watch.look(never);
  await watch.look(never);
  assert.deepEqual(story, ["told", "asked", "asked"]);
});
