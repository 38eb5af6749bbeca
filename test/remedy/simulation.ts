// What does a guard do to a gateway over hours? One life of the guard after another over a real journal, with a hand-turned
// clock and a simulated gateway; whatever must never happen is noticed at the moment of the deed.
import type { Cause } from "../../src/core/cause.ts";
import { urgencyOf } from "../../src/core/cause.ts";
import { fold, type Standing, step } from "../../src/core/episode.ts";
import type { Entry } from "../../src/core/history.ts";
import type { Incarnation, ProcessIdentity } from "../../src/core/identity.ts";
import type { Mode } from "../../src/core/mode.ts";
import { summarise } from "../../src/core/summary.ts";
import { after, elapsed, type Instant, type Millis, ms, seconds } from "../../src/core/time.ts";
import { openJournal } from "../../src/record/journal.ts";
import { type Carry, nothingCarried, turn } from "../../src/remedy/runner.ts";
import type { Policy, World } from "../../src/remedy/world.ts";
import { noon, policy as defaults } from "../core/support.ts";
import { brokenPromises } from "./promises.ts";
import { simulatedSight } from "./simulated-sight.ts";
import { type Deed, type Fault, simulatedGateway } from "./simulated-gateway.ts";

/** The guard was killed: thrown by everything that this life of it touches from then on. */
export class Crash extends Error {}

const gateway = "main";
const samplesEvery = seconds(5);
const probeTimeout = seconds(2);

export type Simulation = ReturnType<typeof simulate>;

/** A simulation that begins with a healthy gateway and a guard that has watched it for a minute. */
export function simulate(options: { readonly policy?: Partial<Policy>; readonly mode?: Mode } = {}) {
  const policy: Policy = { ...defaults, verifyEvery: seconds(5), ...options.policy };
  let clock: Instant = noon;
  const now = () => clock;
  const patient = simulatedGateway(now);
  const journal = openJournal(":memory:");
  const violations: string[] = [];
  const scheduled: { readonly at: Instant; readonly happen: () => void }[] = [];
  let mode: Mode = options.mode ?? "enforce";
  let lastSeen: Incarnation | undefined;
  let held: ReadonlySet<string> | undefined;
  let ids = 0;
  let full = false;
  let lastDeedAt = 0;
  const sight = simulatedSight(patient, policy, now);
  let nextSample = clock;
  let crashing: ((point: string) => boolean) | undefined;
  let world = life();
  let carry: Carry = nothingCarried();
  let stop = new AbortController();

  function entries(): Entry[] {
    return journal.entries({ gateway });
  }

  /** Turns the clock, and lets everything happen in its order. */
  function pass(length: Millis): void {
    const end = after(clock, length);
    for (;;) {
      const due = scheduled.reduce((first, one) => (one.at < first ? one.at : first), end);
      const next = Math.min(end, nextSample, Math.max(due, clock)) as Instant;
      clock = next;
      patient.tick();
      for (let i = scheduled.length - 1; i >= 0; i--) {
        const one = scheduled[i];
        if (one !== undefined && one.at <= clock) scheduled.splice(i, 1)[0]?.happen();
      }
      if (clock >= nextSample) {
        nextSample = after(clock, samplesEvery);
        sight.sample();
      }
      if (clock >= end) return;
    }
  }

  function at(point: string): void {
    if (crashing?.(point) === true) throw new Crash(point);
  }

  function life(): World {
    const own: { deadSince?: string } = {};
    let all = entries();
    let standing: Standing = fold(all);
    const alive = () => {
      if (own.deadSince !== undefined) throw new Crash(own.deadSince);
    };
    const point = (name: string) => {
      alive();
      try {
        at(name);
      } catch (crash) {
        own.deadSince = name;
        throw crash;
      }
    };
    const judge = (verb: Deed["verb"], target?: ProcessIdentity) => {
      const openAlerts = journal.openAlerts(gateway).length;
      const written = entries();
      const broken = brokenPromises({
        verb,
        target,
        at: clock,
        entries: written,
        patient,
        mode,
        openAlerts,
        policy,
      });
      if (written.length === lastDeedAt) violations.push(`${verb}: a second deed for one intent`);
      lastDeedAt = written.length;
      violations.push(...broken.map((what) => `${verb} at +${elapsed(noon, clock) / 1000} s: ${what}`));
    };
    const deed = async (verb: Deed["verb"], act: () => Promise<void>) => {
      point(`before ${verb}`);
      judge(verb);
      await act();
      point(`after ${verb}`);
    };
    return {
      gateway,
      action: {
        ...patient.action,
        restart: () => deed("restart", () => patient.action.restart()),
        start: () => deed("start", () => patient.action.start()),
      },
      unit: "openclaw-gateway.service",
      book: {
        append(entry) {
          point(`before ${entry.kind}`);
          if (full) throw new Error("journal: disk full");
          journal.append(entry);
          all = [...all, entry];
          standing = step(standing, entry);
          point(`after ${entry.kind}`);
        },
        entries: () => all,
        standing: () => standing,
        openAlerts: () => journal.openAlerts(gateway),
        closeAlerts(keys, why) {
          point("before close");
          journal.closeAlerts(keys, clock, why);
        },
        writable: () => !full && journal.writable(),
      },
      now,
      async sleep(length, signal) {
        alive();
        pass(length);
        signal.throwIfAborted();
      },
      async look(signal) {
        alive();
        if (patient.fault() === "hang" || patient.fault() === "stop") pass(probeTimeout);
        sight.sample();
        signal.throwIfAborted();
        return sight.evidence();
      },
      mode: () => mode,
      latest: () => sight.evidence(),
      lastSeen: () => lastSeen,
      rememberSeen(one) {
        lastSeen = one;
      },
      rpc: true,
      stillActive: async () => (held === undefined ? undefined : { active: held, silenced: new Set() }),
      identify: (pid) => patient.identify(pid),
      bootId: () => patient.settings.bootId,
      kill(one) {
        point("before kill");
        judge("kill", one);
        const result = patient.kill(one);
        point("after kill");
        return result;
      },
      keepEvidence: async () => ({ stall: "kept" }),
      newId: () => `episode-${++ids}`,
      log: () => undefined,
    };
  }

  const simulation = {
    patient,
    policy,
    violations,
    entries,
    now,
    episodes: () => summarise(entries()),
    standing: () => fold(entries()),
    /** The world of the guard that lives now. */
    lives: () => ({ world }),
    deeds: () => patient.deeds.map(({ verb }) => verb),
    decisions: () => entries().flatMap((entry) => (entry.kind === "decided" ? [entry.decision] : [])),
    since: () => elapsed(noon, clock),
    schedule(delay: Millis, happen: () => void): void {
      scheduled.push({ at: after(clock, delay), happen });
    },
    fallIll(fault: Fault): void {
      patient.fallIll(fault);
    },
    /** Delivers an alert as Alertmanager would; the same start is the same alert. */
    alert(cause: Cause, change: { status?: "firing" | "resolved"; startsAt?: Instant } = {}): Instant {
      const startsAt = change.startsAt ?? clock;
      const status = change.status ?? "firing";
      const urgency = urgencyOf[cause];
      const alert = { fingerprint: cause, startsAt, status, name: cause, gateway, cause, urgency };
      journal.keepAlerts([alert], clock, () => sight.evidence().stall.incarnation);
      return startsAt;
    },
    /** Repeats an alert every half minute while `firing` says so, then resolves it, for ever. */
    pipeline(cause: Cause, firing: () => boolean): void {
      let startsAt: Instant | undefined;
      const evaluate = () => {
        const on = firing();
        if (on) startsAt = simulation.alert(cause, startsAt === undefined ? {} : { startsAt });
        if (!on && startsAt !== undefined) {
          simulation.alert(cause, { status: "resolved", startsAt });
          startsAt = undefined;
        }
        simulation.schedule(seconds(30), evaluate);
      };
      simulation.schedule(seconds(30), evaluate);
    },
    holdAtAlertmanager(fingerprints: readonly string[] | undefined): void {
      held = fingerprints === undefined ? undefined : new Set(fingerprints);
    },
    setMode(to: Mode): void {
      mode = to;
    },
    fillDisk(isFull: boolean): void {
      full = isFull;
    },
    say(entry: Entry): void {
      world.book.append(entry);
    },
    pause(length: Millis): void {
      simulation.say({
        kind: "paused",
        gateway,
        at: clock,
        who: "ann",
        why: "test",
        until: after(clock, length),
      });
    },
    resume(): void {
      simulation.say({ kind: "resumed", gateway, at: clock, who: "ann", why: "test" });
    },
    /** The clock jumps while nothing could run: the host slept. */
    sleepOfHost(length: Millis): void {
      clock = after(clock, length);
      nextSample = clock;
      sight.gap();
    },
    /** The guard dies at the first point for which `when` says so. */
    crashWhen(when: ((point: string) => boolean) | undefined): void {
      crashing = when;
    },
    /** A new life of the guard over the same journal. */
    restartGuard(): void {
      crashing = undefined;
      sight.forget();
      carry = nothingCarried();
      stop = new AbortController();
      world = life();
      sight.sample();
    },
    /** SIGTERM to the guard. */
    endGuard(): void {
      stop.abort(new Error("ended"));
    },
    /** Takes turns for so long; a crash ends it early and says where. */
    async run(length: Millis): Promise<string | undefined> {
      const end = after(clock, length);
      while (clock < end) {
        try {
          const wait = await turn(world, policy, carry, stop.signal);
          // A hint wakes the loop: nothing waits longer than a few seconds for what happened meanwhile.
          pass(ms(Math.min(wait, seconds(5), Math.max(1, end - clock))));
        } catch (error) {
          if (error instanceof Crash) return error.message;
          if (stop.signal.aborted) return "ended";
          if (!full && error instanceof Error && !error.message.includes("disk full")) throw error;
          pass(seconds(5));
        }
      }
      return undefined;
    },
    [Symbol.dispose](): void {
      journal[Symbol.dispose]();
    },
  };
  pass(seconds(60));
  return simulation;
}
