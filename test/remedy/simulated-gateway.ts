// What does a gateway under a supervisor do, as far as a guard can see and touch it? A small one in virtual time: it starts,
// serves, falls ill, drains, dies, and comes back; every stop, kill and start that it suffers is kept.
import type { Incarnation, ProcessIdentity } from "../../src/core/identity.ts";
import type {
  ProbeReading,
  ProcessReading,
  SupervisorReading,
  WorkReading,
} from "../../src/core/readings.ts";
import { after, elapsed, type Instant, type Millis, ms, seconds } from "../../src/core/time.ts";
import type { Action } from "../../src/remedy/action.ts";
import { gib, mib, probeReading, processReading, silentProbe, supervisor } from "../core/support.ts";

/** `hang` computes for ever, `stop` is a SIGSTOP, `deaf` closed its listener, `unseen` answers nothing of use to probes. */
export type Fault = "none" | "hang" | "stop" | "leak" | "descriptors" | "exhaustion" | "unseen";
export type Work = "idle" | "busy" | "unknown";
export type Deed = {
  readonly verb: "kill" | "restart" | "start";
  readonly at: Instant;
  readonly one: ProcessIdentity | undefined;
};

type Life = {
  readonly incarnation: Incarnation;
  readonly readyAt: Instant;
  drainEnds: Instant | undefined;
  drainingSince: Instant | undefined;
  fault: Fault;
  /** When the fault last changed, so that a decision made a moment before is not called wrong. */
  changedAt: Instant;
};

export type Gateway = ReturnType<typeof simulatedGateway>;

/** A gateway that has served for an hour; `now` is the simulation's clock. */
export function simulatedGateway(now: () => Instant) {
  let nextPid = 100;
  let nextStartAt: Instant | undefined;
  const deeds: Deed[] = [];
  const settings = {
    bootId: "boot-1",
    startTakes: seconds(20),
    drainTakes: seconds(3),
    /** A drain that hangs: the old process falls silent instead of leaving. */
    hangsInDrain: false,
    /** The supervisor's own restart after an end; undefined: it does not restart. */
    restartDelay: seconds(5) as Millis | undefined,
    reachable: true,
    /** A restart that is refused, as without a permission. */
    refuses: false,
    /** A restart inside the process: the same pid serves on. */
    keepsProcess: false,
    /** The next lives are born with this fault, or not at all. */
    nextFault: "none" as Fault | "stillborn",
    /** Somebody else got the pid a moment before the signal. */
    reusesPid: false,
    work: "idle" as Work,
    stoppedOnPurpose: false,
    exitStatus: undefined as number | undefined,
    latched: false,
    restarts: 0,
  };
  let life: Life | undefined = born();
  const hourAgo = after(now(), ms(-3_600_000));
  life = { ...life, incarnation: { ...life.incarnation, startedAt: hourAgo }, readyAt: hourAgo };

  function born(): Life {
    const at = now();
    const pid = nextPid++;
    const incarnation = { bootId: settings.bootId, pid, startTicks: pid * 1000, startedAt: at };
    const fault = settings.nextFault === "stillborn" ? "none" : settings.nextFault;
    return {
      incarnation,
      readyAt: after(at, settings.startTakes),
      drainEnds: undefined,
      drainingSince: undefined,
      fault,
      changedAt: at,
    };
  }

  function die(startsAgain: Millis | undefined): void {
    life = undefined;
    nextStartAt = startsAgain === undefined ? undefined : after(now(), startsAgain);
  }

  const starting = (one: Life) => now() < one.readyAt;
  const deaf = (one: Life) => one.fault === "hang" || one.fault === "stop";

  return {
    settings,
    deeds,
    incarnation: () => life?.incarnation,
    fault: () => life?.fault,
    /** For how long it has had its fault, or none. */
    faultFor: () => (life === undefined ? ms(0) : elapsed(life.changedAt, now())),
    isStarting: () => life !== undefined && starting(life),
    isDraining: () => life?.drainEnds !== undefined,

    /** Lets happen what is due by now. */
    tick(): void {
      if (life?.drainEnds !== undefined && now() >= life.drainEnds) die(seconds(1));
      if (life === undefined && nextStartAt !== undefined && now() >= nextStartAt) {
        nextStartAt = undefined;
        if (settings.nextFault !== "stillborn") life = born();
      }
    },

    fallIll(fault: Fault): void {
      if (life === undefined) return;
      if (life.fault !== fault) life.changedAt = now();
      life.fault = fault;
    },

    /** It ends without anybody's doing. */
    crash(): void {
      if (life === undefined) return;
      if (settings.restartDelay !== undefined) settings.restarts++;
      die(settings.restartDelay);
    },

    /** Somebody else restarts it in the proper way. */
    restartedByPerson(): void {
      settings.restarts = 0;
      die(seconds(1));
    },

    /** The host goes down and comes up; the gateway is enabled and starts again. */
    reboot(): void {
      settings.bootId = `boot-${nextPid}`;
      settings.restarts = 0;
      die(seconds(10));
    },

    process(): ProcessReading {
      if (life === undefined) return { found: false };
      const ill = life.fault;
      return processReading({
        incarnation: life.incarnation,
        listening: !starting(life),
        acceptQueue: deaf(life) ? 3 : 0,
        state: ill === "stop" ? "T" : ill === "hang" ? "R" : "S",
        mainThreadCpuSeconds: elapsed(life.incarnation.startedAt, now()) / (ill === "hang" ? 1000 : 100_000),
        openFds: ill === "descriptors" ? 1000 : 60,
        tree: {
          residentBytes: ill === "exhaustion" ? 1.9 * gib : ill === "leak" ? 1.3 * gib : 400 * mib,
          swappedBytes: 0,
          processes: 2,
          zombies: 0,
        },
      });
    },

    probe(): ProbeReading | undefined {
      if (life === undefined || life.fault === "unseen") return undefined;
      if (deaf(life) || starting(life)) return silentProbe();
      return probeReading({ phase: life.drainingSince === undefined ? "started" : "draining" });
    },

    workReading(): WorkReading {
      if (settings.work === "unknown" || life === undefined || deaf(life))
        return { known: false, failure: "timeout" };
      return { known: true, restartSafe: settings.work === "idle", active: {} };
    },

    identify(pid: number): ProcessIdentity | undefined {
      return life?.incarnation.pid === pid ? life.incarnation : undefined;
    },

    kill(one: ProcessIdentity): "sent" | "gone" | "another" {
      if (settings.reusesPid) return "another";
      deeds.push({ verb: "kill", at: now(), one });
      if (life?.incarnation.pid !== one.pid) return "gone";
      if (settings.restartDelay !== undefined) settings.restarts++;
      die(life.drainEnds === undefined ? settings.restartDelay : seconds(1));
      return "sent";
    },

    action: {
      name: "systemd",
      replaces: "process",
      check: async () => [],
      inspect: async () => reading(),
      async restart() {
        if (!settings.reachable || settings.refuses) throw new Error("restart: systemctl exited 4");
        deeds.push({ verb: "restart", at: now(), one: life?.incarnation });
        settings.restarts = 0;
        if (life === undefined || life.drainEnds !== undefined || settings.keepsProcess) return;
        life.drainingSince = now();
        if (settings.hangsInDrain) life.fault = "hang";
        // Who hears nothing is ended by the supervisor's stop timeout.
        life.drainEnds = after(now(), deaf(life) ? seconds(600) : settings.drainTakes);
      },
      async start() {
        if (!settings.reachable) throw new Error("start: systemctl exited 1");
        deeds.push({ verb: "start", at: now(), one: life?.incarnation });
        if (life === undefined && !settings.latched) nextStartAt = now();
      },
      async clearFailure() {
        settings.latched = false;
      },
    } satisfies Action,
  };

  function reading(): SupervisorReading {
    if (!settings.reachable)
      return supervisor({ reachable: false, problem: "no bus", state: "unknown", mainPid: undefined });
    const state =
      life !== undefined
        ? life.drainEnds === undefined
          ? "running"
          : "stopping"
        : nextStartAt !== undefined
          ? "waiting_to_restart"
          : settings.stoppedOnPurpose
            ? "stopped"
            : "failed";
    return supervisor({
      state,
      stoppedOnPurpose: settings.stoppedOnPurpose,
      mainPid: life?.incarnation.pid,
      restarts: settings.restarts,
      exitStatus: settings.exitStatus,
      latched: settings.latched,
      restartDelay: settings.restartDelay,
    });
  }
}
