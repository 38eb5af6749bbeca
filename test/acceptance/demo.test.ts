// Does the whole loop cure each illness, with real Prometheus and Alertmanager, and leave nothing behind?
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { suite, test } from "node:test";
import { scenarios, type ScenarioName } from "../../src/operate/scenarios.ts";
import { identify } from "../../src/platform/signal.ts";
import { home } from "../operate/support.ts";

/** What `--json` says last. */
type Conclusion = {
  readonly outcome: string;
  readonly seconds: Readonly<Record<string, number>>;
  readonly episode: {
    readonly cause: string;
    readonly attempts: number;
    readonly before?: Life;
    readonly after?: Life;
  };
};
type Life = { readonly pid: number };
type Line = {
  readonly at: number;
  readonly event: string;
  readonly sentence: string;
  readonly facts?: unknown;
};

/** The promise is 120 s; more than that is a failure even where the machine is slow. */
const withinSeconds = 120;

// Two at a time: they use ports, folders and processes of their own.
suite("the demo", { concurrency: 2 }, () => {
  for (const name of Object.keys(scenarios)) {
    test(`scenario ${name} ends recovered, tells it in JSON lines, and leaves nothing behind`, async (t) => {
      await using at = home();
      const from = performance.now();
      const demo = at.start("demo", "--scenario", name, "--json");
      const code = await demo.ended;
      const took = (performance.now() - from) / 1000;
      const lines = demo.out().trim().split("\n");
      const said = lines.map((line): unknown => JSON.parse(line));
      const conclusion = said.at(-1) as Conclusion;
      assert.deepEqual([code, conclusion.outcome, demo.err()], [0, "recovered", ""], demo.out());
      assert.ok(took < withinSeconds, `${took} s`);

      const cause = scenarios[name as ScenarioName].cause;
      assert.equal(conclusion.episode.cause, cause);
      assert.equal(conclusion.episode.attempts, 1);
      assert.notEqual(conclusion.episode.after?.pid, conclusion.episode.before?.pid);
      for (const phase of ["decide", "act", "back", "settle", "total"])
        assert.ok((conclusion.seconds[phase] ?? -1) >= 0, `${phase}: ${JSON.stringify(conclusion.seconds)}`);

      const events = said.slice(0, -1) as readonly Line[];
      for (const { at: when, event, sentence } of events)
        assert.ok(typeof when === "number" && event !== "" && sentence !== "");
      const story = events.map(({ event }) => event);
      let last = -1;
      for (const event of [
        "demo",
        "scaled",
        "gateway",
        "guard",
        "stack",
        "watched",
        "ill",
        "opened",
        "back",
        "verified",
        "ended",
      ]) {
        const index = story.indexOf(event);
        assert.ok(index > last, `${event} comes in its place: ${story.join(" ")}`);
        last = index;
      }

      for (const pid of pidsIn(events, conclusion))
        assert.equal(identify("/proc", pid), undefined, `pid ${pid} is left`);
      for (const url of urlsIn(events)) await assert.rejects(fetch(url), `${url} still answers`);
      assert.deepEqual(readdirSync(at.temp), [], "a folder is left");
      t.diagnostic(`${name}: ${JSON.stringify(conclusion.seconds)}, ${took.toFixed(1)} s in all`);
    });
  }

  test("an impatient person ends it with Ctrl-C, and nothing is left", async () => {
    await using at = home();
    const demo = at.start("demo", "--scenario", "hang", "--json");
    await demo.says('"event":"watched"', 60_000);
    const events = demo
      .out()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    demo.child.kill("SIGINT");
    assert.equal(await demo.ended, 1);
    for (const pid of pidsIn(events)) assert.equal(identify("/proc", pid), undefined, `pid ${pid} is left`);
    for (const url of urlsIn(events)) await assert.rejects(fetch(url), `${url} still answers`);
    assert.deepEqual(readdirSync(at.temp), []);
  });
});

function pidsIn(events: readonly Line[], conclusion?: Conclusion): readonly number[] {
  const gateway = events.find(({ event }) => event === "gateway")?.facts;
  const first =
    typeof gateway === "object" && gateway !== null && "pid" in gateway ? [Number(gateway.pid)] : [];
  const { before, after } = conclusion?.episode ?? {};
  const pids = [...first, ...[before, after].flatMap((life) => (life === undefined ? [] : [life.pid]))];
  assert.ok(pids.length > 0);
  return pids;
}

/** Every address that was told: of the gateway, the guard's two listeners, Prometheus and Alertmanager. */
function urlsIn(events: readonly Line[]): readonly string[] {
  const urls = [...JSON.stringify(events).matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([url]) => url);
  assert.ok(new Set(urls).size >= 5);
  return [...new Set(urls)];
}
