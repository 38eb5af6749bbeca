// What can be known about a gateway? The plain records that collectors return and decisions are made of.
// A field that could not be read is `undefined`: unknown is never 0.
import type { Incarnation } from "./identity.ts";
import type { Millis } from "./time.ts";

/** How the serving process was found, most reliable first. */
export const waysFound = ["port", "lock_file", "systemd_unit", "pid_file"] as const;
export type WayFound = (typeof waysFound)[number];

/** Memory, descriptors and threads of one process or of a tree of them, in bytes and counts. */
export type Usage = {
  readonly residentBytes: number | undefined;
  readonly swappedBytes: number | undefined;
  readonly processes: number;
  readonly zombies: number;
};

/** What /proc says about the process that serves the gateway. */
export type ProcessReading =
  | { readonly found: false }
  | {
      readonly found: true;
      readonly foundBy: WayFound;
      readonly incarnation: Incarnation;
      /** Whether this process itself owns the listening socket of the gateway's port. */
      readonly listening: boolean;
      /** Connections waiting in the listener's accept queue, all of its addresses together. */
      readonly acceptQueue: number | undefined;
      /** Kernel state of the main thread: R running, S sleeping, D disk, T stopped, t traced, Z zombie. */
      readonly state: string;
      readonly mainThreadCpuSeconds: number;
      readonly cpuSeconds: number;
      readonly threads: number;
      readonly openFds: number | undefined;
      readonly maxFds: number | undefined;
      readonly self: Usage;
      readonly tree: Usage;
      /** The smallest memory limit of the process's cgroups, where one is set. */
      readonly cgroupLimitBytes: number | undefined;
      /** The systemd unit whose cgroup holds the process, e.g. `openclaw-gateway.service`. */
      readonly unit: string | undefined;
    };

export const probes = ["healthz", "startupz", "readyz"] as const;
export type ProbeName = (typeof probes)[number];

/** Three-valued: `inconclusive` (for instance our own network fault) neither adds to a streak nor ends it. */
export type ProbeOutcome = "ok" | "failed" | "inconclusive";

/** One HTTP probe of the gateway. */
export type Probe = {
  readonly outcome: ProbeOutcome;
  readonly duration: Millis;
  /** Whether at least one byte of an answer arrived; a TCP connect proves nothing. */
  readonly heard: boolean;
  readonly status: number | undefined;
  /** Why it failed: the closed set of `core/failure.ts`. */
  readonly failure: string | undefined;
};

/** The answers of the three HTTP probes, and what they tell beside success. */
export type ProbeReading = {
  readonly healthz: Probe;
  /** Absent between their slower cadence. */
  readonly startupz: Probe | undefined;
  readonly readyz: Probe | undefined;
  /** `status` of /startupz: started, starting, draining. */
  readonly phase: "started" | "starting" | "draining" | undefined;
  readonly version: string | undefined;
  /** Event-loop delay as the gateway reports it for its last window of about one second. */
  readonly loopDelayP99: Millis | undefined;
  readonly loopDelayMax: Millis | undefined;
  /** A late answer on the probe that was left open since the silence began. */
  readonly heldAnswered: boolean;
};

/** Work in flight by `gateway.restart.preflight`; `known: false` counts as busy. */
export type WorkReading =
  | { readonly known: false; readonly failure: string }
  | {
      readonly known: true;
      readonly restartSafe: boolean;
      readonly active: Readonly<Record<string, number>>;
    };

/** Memory and swap of the host. */
export type HostReading = {
  readonly memoryTotalBytes: number;
  readonly memoryAvailableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
};

/** What the supervisor says about the gateway's unit, read by the same path that a start will use. */
export type SupervisorReading = {
  readonly reachable: boolean;
  /** Why it is not reachable, in words for a person. */
  readonly problem: string | undefined;
  readonly state:
    | "running"
    | "starting"
    | "waiting_to_restart"
    | "stopping"
    | "failed"
    | "stopped"
    | "unknown";
  /** A clean stop, or a unit that is disabled or masked: somebody wanted it so. */
  readonly stoppedOnPurpose: boolean;
  readonly mainPid: number | undefined;
  /** The supervisor's own count of automatic restarts. */
  readonly restarts: number | undefined;
  /** Exit status of the last main process, e.g. 78 for a configuration error. */
  readonly exitStatus: number | undefined;
  /** The supervisor has given up starting and needs its failure state cleared. */
  readonly latched: boolean;
  readonly stopTimeout: Millis | undefined;
  readonly killMode: string | undefined;
  readonly restartDelay: Millis | undefined;
};
