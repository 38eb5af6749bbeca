// In which situations does each refusal hold, and which come near without it? The table behind the test of decisions.
import type { Situation } from "../../src/core/decide.ts";
import { unprovenBoot } from "../../src/core/identity.ts";
import type { Refusal } from "../../src/core/refusal.ts";
import { observe, unseen } from "../../src/core/stall.ts";
import { after, days, hours, type Instant, type Millis, minutes, ms, seconds } from "../../src/core/time.ts";
import { noUpdateKnown } from "../../src/core/updating.ts";
import { before, busy, down, hung, idle, leaking, night } from "./situation.ts";
import {
  alert,
  aliveStall,
  evidence,
  incarnation,
  noon,
  policy,
  probeReading,
  processReading,
} from "./support.ts";

const work = (reading: Situation["evidence"]["work"] extends infer W ? W : never) => ({ work: reading });
const atNight = (reading: typeof busy) => work({ at: night, reading });
const seenFor = (now: Instant, length: Millis) =>
  ({ seen: true, since: after(now, ms(0 - length)) }) as const;
const young = processReading({ incarnation: incarnation({ startedAt: before(minutes(1)) }) });
export const starting = observe(
  unseen,
  { at: noon, process: young, probe: probeReading({ phase: "starting" }) },
  policy,
);
const draining = observe(
  aliveStall(night),
  { at: night, process: processReading(), probe: probeReading({ phase: "draining" }) },
  policy,
);
export const stranger = incarnation({ pid: 9999, startTicks: 77 });

/** Each refusal: situations in which it is the reason, and near misses in which a restart is due. */
export const table: Readonly<Record<Refusal, { holds: readonly Situation[]; misses: readonly Situation[] }>> =
  {
    cannot_record: {
      holds: [
        hung({ canRecord: false }),
        hung({ canRecord: false, alerts: [] }),
        leaking({ canRecord: false }),
      ],
      misses: [],
    },
    blind: {
      holds: [
        hung({ evidence: { process: undefined } }),
        hung({ evidence: { process: { at: before(seconds(91)), reading: processReading() } } }),
        hung({ unit: "another.service" }),
        // Without start ticks nothing proves whose pid it is.
        hung({ unit: undefined }, incarnation({ bootId: unprovenBoot })),
        leaking({ evidence: { process: { at: night, reading: processReading({ unit: undefined }) } } }),
        // The last look saw no probe: nobody can say that it is not draining.
        leaking({ evidence: { stall: { ...aliveStall(night), class: undefined } } }),
        leaking({ alerts: [alert({ cause: "models_local", lastDeliveredAt: night })] }),
      ],
      misses: [hung({ unit: undefined })],
    },
    recovered: {
      holds: [
        hung({ alerts: [] }),
        hung({ alerts: [alert({ cause: "memory_leak" })] }),
        leaking({ alerts: [alert({ cause: "hang" }), alert({ cause: "down" })] }),
      ],
      misses: [],
    },
    unconfirmed: {
      holds: [
        leaking({ evidence: { trend: { ...evidence().trend, verdict: "suspect" } } }),
        hung({ alerts: [alert({ cause: "hang" })], now: before(seconds(40)) }),
      ],
      misses: [],
    },
    stale_alert: {
      holds: [
        hung({ stillActive: new Set() }),
        hung({ stillActive: new Set(["beef"]) }),
        hung({ alerts: [alert({ lastDeliveredAt: before(seconds(181)) })] }),
        // Another alert that is still active does not vouch for this one.
        hung({
          alerts: [alert(), alert({ cause: "memory_leak", fingerprint: "beef" })],
          stillActive: new Set(["beef"]),
        }),
      ],
      misses: [
        hung({ stillActive: new Set(["f00d"]) }),
        hung({ alerts: [alert({ lastDeliveredAt: before(minutes(3)) })] }),
        hung({ alerts: [alert({ lastDeliveredAt: before(hours(1)) })], stillActive: new Set(["f00d"]) }),
        hung({ alerts: [alert({ lastDeliveredAt: before(hours(1)) }), alert({ fingerprint: "beef" })] }),
      ],
    },
    already_replaced: {
      holds: [
        hung({ alerts: [alert({ incarnation: stranger })] }),
        hung({ alerts: [alert({ incarnation: undefined, startsAt: before(hours(7)) })] }),
        hung({ alerts: [alert({ incarnation: stranger })], successor: stranger }),
      ],
      misses: [
        hung({ alerts: [alert({ incarnation: undefined, startsAt: before(minutes(1)) })] }),
        hung({ alerts: [alert({ incarnation: stranger }), alert({ fingerprint: "beef" })] }),
        // Our own attempt put it there without a cure: what was asked of the old life is asked of this one.
        hung({ alerts: [alert({ incarnation: stranger })], successor: incarnation() }),
      ],
    },
    stopped_on_purpose: {
      holds: [
        down({ supervisor: { stoppedOnPurpose: true, state: "stopped" } }),
        down({ seenAlive: false }),
        leaking({ evidence: { process: { at: night, reading: processReading({ state: "t" }) } } }),
        // The host goes down, or the unit was frozen or masked, while the gateway still runs.
        leaking({ supervisor: { stoppedOnPurpose: true, state: "running" } }),
        hung({ supervisor: { stoppedOnPurpose: true, state: "stopping" } }),
        // A debugger that lets it run, and the freezer of its cgroup (also what pauses a container).
        leaking({ evidence: { process: { at: night, reading: processReading({ heldBy: "tracer" }) } } }),
        hung({ evidence: { process: { at: noon, reading: processReading({ heldBy: "tracer" }) } } }),
        hung({ evidence: { process: { at: noon, reading: processReading({ heldBy: "freezer" }) } } }),
      ],
      misses: [
        down({ supervisor: { stoppedOnPurpose: true, state: "stopped" }, ours: true }),
        leaking({ seenAlive: false }),
        leaking({ supervisor: { stoppedOnPurpose: true, state: "stopped" } }),
        // A plain SIGSTOP stays curable.
        leaking({ evidence: { process: { at: night, reading: processReading({ state: "T" }) } } }),
      ],
    },
    gave_up: { holds: [hung({ gaveUp: true }), down({ gaveUp: true })], misses: [] },
    paused: {
      holds: [hung({ pausedUntil: after(noon, ms(1)) })],
      misses: [hung({ pausedUntil: noon }), hung({ pausedUntil: before(1) })],
    },
    silenced: {
      holds: [
        hung({ stillActive: new Set(["f00d"]), silenced: new Set(["f00d"]) }),
        hung({
          alerts: [alert(), alert({ fingerprint: "beef" })],
          stillActive: new Set(["f00d", "beef"]),
          silenced: new Set(["f00d", "beef"]),
        }),
      ],
      misses: [
        hung({ stillActive: new Set(["f00d"]), silenced: new Set() }),
        hung({ stillActive: new Set(["f00d"]), silenced: new Set(["beef"]) }),
        // A second alert of the same need that nobody silenced still asks.
        hung({
          alerts: [alert(), alert({ fingerprint: "beef" })],
          stillActive: new Set(["f00d", "beef"]),
          silenced: new Set(["f00d"]),
        }),
        // Nobody has to ask us to start what we ourselves left dead.
        down({ alerts: [], ours: true, silenced: new Set(["f00d"]) }),
      ],
    },
    observing: { holds: [hung({ mode: "observe" }), down({ mode: "observe" })], misses: [] },
    supervisor_unreachable: {
      holds: [
        hung({ supervisor: { reachable: false, problem: "no bus" } }),
        down({ supervisor: { reachable: false, problem: undefined } }),
      ],
      misses: [],
    },
    starting: {
      holds: [
        leaking({ evidence: { stall: starting } }),
        down({ supervisor: { state: "starting" } }),
        down({ supervisor: { state: "waiting_to_restart" } }),
        down({ supervisor: { state: "starting" }, ours: true }),
      ],
      misses: [],
    },
    draining: {
      holds: [leaking({ evidence: { stall: draining } }), leaking({ supervisor: { state: "stopping" } })],
      misses: [],
    },
    updating: {
      holds: [
        leaking({
          evidence: { updating: { ...noUpdateKnown, package_manager: seenFor(night, minutes(29)) } },
        }),
        hung({ evidence: { updating: { ...noUpdateKnown, version_on_disk: seenFor(noon, ms(0)) } } }),
        // The updater has stopped it and will start it again.
        down({ evidence: { updating: { ...noUpdateKnown, package_manager: seenFor(noon, minutes(5)) } } }),
        // One sign is too old, the other is not.
        hung({
          evidence: {
            updating: {
              package_manager: seenFor(noon, minutes(45)),
              version_on_disk: seenFor(noon, minutes(20)),
            },
          },
        }),
      ],
      misses: [
        hung({
          evidence: { updating: { package_manager: { seen: false }, version_on_disk: { seen: false } } },
        }),
        hung({ evidence: { updating: { ...noUpdateKnown, package_manager: seenFor(noon, minutes(30)) } } }),
        leaking({ evidence: { updating: { ...noUpdateKnown, version_on_disk: seenFor(night, hours(9)) } } }),
      ],
    },
    just_woke: {
      holds: [leaking({ evidence: { wokeAt: after(night, ms(-179000)) } })],
      misses: [leaking({ evidence: { wokeAt: after(night, ms(-180000)) } })],
    },
    not_curable: {
      holds: [down({ supervisor: { exitStatus: 78 } }), down({ supervisor: { latched: true } })],
      misses: [
        down({ supervisor: { exitStatus: 1 } }),
        down({ supervisor: { latched: true }, ours: true }),
        leaking({ supervisor: { latched: true } }),
      ],
    },
    unsafe_unit: {
      holds: [
        leaking({ evidence: atNight(busy), supervisor: { stopTimeout: seconds(90) } }),
        leaking({ evidence: work(undefined), supervisor: { stopTimeout: seconds(329) } }),
        leaking({ evidence: atNight(busy), supervisor: { killMode: "control-group" } }),
        leaking({
          evidence: atNight({ known: false, failure: "timeout" }),
          supervisor: { killMode: "control-group" },
        }),
      ],
      misses: [
        leaking({ supervisor: { stopTimeout: seconds(90) } }),
        leaking({ supervisor: { killMode: "control-group" } }),
        hung({ supervisor: { stopTimeout: seconds(90), killMode: "control-group" } }),
      ],
    },
    cooling_down: {
      holds: [
        hung({ budget: { left: 2, coolUntil: after(noon, ms(1)), freeAt: noon } }),
        down({ nextStartAt: after(noon, seconds(30)) }),
      ],
      misses: [
        down({ budget: { left: 2, coolUntil: after(noon, minutes(20)), freeAt: noon } }),
        hung({ nextStartAt: after(noon, seconds(30)) }),
        down({ nextStartAt: noon }),
      ],
    },
    budget_spent: {
      holds: [hung({ budget: { left: 0, coolUntil: noon, freeAt: after(noon, hours(2)) } })],
      misses: [
        hung({ budget: { left: 1, coolUntil: noon, freeAt: noon } }),
        // Starting a dead gateway spends nothing.
        down({ budget: { left: 0, coolUntil: noon, freeAt: after(noon, hours(2)) } }),
      ],
    },
    breaker_risk: {
      holds: [hung({ uncleanEnds: 2 }), hung({ uncleanEnds: 5 })],
      misses: [hung({ uncleanEnds: 1 }), leaking({ uncleanEnds: 2 }), down({ uncleanEnds: 2 })],
    },
    outside_window: {
      holds: [
        leaking({ now: noon }),
        leaking({ now: after(night, hours(7)) }),
        hung({ alerts: [alert({ urgency: "scheduled" })] }),
      ],
      misses: [leaking({ now: after(night, ms(hours(7) - 1)) })],
    },
    busy: {
      holds: [
        leaking({ evidence: atNight(busy) }),
        leaking({ evidence: work(undefined) }),
        leaking({ evidence: atNight(busy), askedAt: before(days(1)) }),
        // An old answer says nothing about now.
        leaking({ evidence: work({ at: after(night, ms(-91000)), reading: idle }) }),
        exhausted({ askedAt: before(seconds(59)) }),
      ],
      misses: [exhausted({ askedAt: before(seconds(60)) }), leaking({ evidence: atNight(idle) }), hung()],
    },
  };

/** Memory at its limit in a gateway that works: it cannot wait for long. */
function exhausted(change: { readonly askedAt: ReturnType<typeof before> }): Situation {
  const held = { ...evidence().trend, nearLimit: true };
  const full = processReading({ tree: { ...processReading().tree, residentBytes: 2e9 } });
  return leaking({
    now: noon,
    alerts: [alert({ cause: "memory_exhaustion" })],
    evidence: { ...atNoon(full), trend: held },
    ...change,
  });
}

function atNoon(reading: ReturnType<typeof processReading>) {
  return {
    process: { at: noon, reading },
    work: { at: noon, reading: busy },
    stall: aliveStall(noon, reading),
  };
}
