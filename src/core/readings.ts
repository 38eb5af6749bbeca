// What can be known about a gateway? The plain records that collectors return and decisions are made of.
// A field that could not be read is `undefined`: unknown is never 0.
import type { Incarnation } from "./identity.ts";
import type { Instant, Millis } from "./time.ts";

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

/** Pressure stall: the share of time in which some, or all, of the tasks waited for a resource. */
export const pressureResources = ["cpu", "memory", "io"] as const;
export type PressureResource = (typeof pressureResources)[number];
export const pressureKinds = ["some", "full"] as const;
export type PressureKind = (typeof pressureKinds)[number];

/** One line of a pressure file. */
export type Stalled = {
  readonly resource: PressureResource;
  readonly kind: PressureKind;
  /** Shares of the last 10 and 60 seconds, 0 to 1. */
  readonly avg10: number;
  readonly avg60: number;
  readonly totalSeconds: number;
};

export const memoryEvents = ["high", "max", "oom", "oom_kill"] as const;
export type MemoryEvent = (typeof memoryEvents)[number];

/** Memory of the cgroup that holds the serving process, which may hold others too. */
export type CgroupReading = {
  readonly version: 1 | 2;
  readonly currentBytes: number | undefined;
  /** Above this the kernel slows its processes down; version 2 only. */
  readonly highBytes: number | undefined;
  /** Above this it ends one of them. */
  readonly maxBytes: number | undefined;
  /** How often a limit was met, since the cgroup was made. */
  readonly events: Readonly<Partial<Record<MemoryEvent, number>>>;
  readonly pressure: readonly Stalled[];
};

export const holders = ["tracer", "freezer"] as const;
export type HeldBy = (typeof holders)[number];

/** The installation that the gateway runs from; what could not be found is `undefined`. */
export type InstallationReading = {
  /** Folder of the package, as the gateway's process sees it. */
  readonly path: string | undefined;
  /** The version that is on the disk now. */
  readonly version: string | undefined;
  /** Whether a package manager or `openclaw update` works on it. */
  readonly packageManagerAtWork: boolean | undefined;
  /** Which process that is, for the record. */
  readonly worker: { readonly pid: number; readonly command: string } | undefined;
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
      readonly state: string | undefined;
      /** Who holds it by other means than a signal: a debugger, or the freezer of its cgroup. */
      readonly heldBy?: HeldBy;
      readonly mainThreadCpuSeconds: number | undefined;
      readonly cpuSeconds: number | undefined;
      /** Share of one core in the last interval, where CPU time itself cannot be read. */
      readonly cpuShare?: number | undefined;
      readonly threads: number | undefined;
      readonly openFds: number | undefined;
      readonly maxFds: number | undefined;
      readonly self: Usage;
      readonly tree: Usage;
      /** Living direct children. */
      readonly children: number | undefined;
      /** Whether the tree was cut at its limit: then its numbers are lower bounds. */
      readonly treeCut: boolean;
      /** The youngest direct child whose CPU time rose since the last reading: a command that is waited for, perhaps. */
      readonly youngBusyChild: { readonly startedAt: Instant } | undefined;
      /** What the cgroup that holds the process says; `undefined` where there is none that can be read. */
      readonly cgroup: CgroupReading | undefined;
      /** The smallest memory limit of the process's cgroups, where one is set. */
      readonly cgroupLimitBytes: number | undefined;
      /** The systemd unit whose cgroup holds the process, e.g. `openclaw-gateway.service`. */
      readonly unit: string | undefined;
    };

export const probes = ["healthz", "startupz", "readyz"] as const;
export type ProbeName = (typeof probes)[number];

/** Every way of asking whether the gateway answers: the HTTP probes, and one call over the lasting RPC connection. */
export const probeKinds = [...probes, "rpc"] as const;
export type ProbeKind = (typeof probeKinds)[number];

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
  /** Event-loop delay of about one second as /readyz last told it; unknown again as soon as a silence begins. */
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
      /** Absent before the gateway has told it on this connection. */
      readonly self?: SelfReport;
      readonly health?: HealthReport;
    };

/** What the gateway says about its own process by `status`. */
export type SelfReport = {
  readonly heapUsedBytes: number | undefined;
  readonly heapTotalBytes: number | undefined;
  readonly externalBytes: number | undefined;
  readonly arrayBuffersBytes: number | undefined;
  readonly loopDelayP99: Millis | undefined;
  readonly loopDelayMax: Millis | undefined;
  /** How long it would drain when asked to stop now. */
  readonly drainBudget: Millis | undefined;
};

/** What the gateway says about its parts by `health`. */
export type HealthReport = {
  readonly ok: boolean | undefined;
  readonly plugins: Readonly<Record<"loaded" | "failed" | "unavailable", number>> | undefined;
  readonly modelRuntimeDegraded: boolean | undefined;
};

/** Memory, swap and load of the host. */
export type HostReading = {
  readonly memoryTotalBytes: number;
  readonly memoryAvailableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
  /** Empty where the kernel does not measure it. */
  readonly pressure?: readonly Stalled[];
  /** Processes that the kernel ended for lack of memory since boot, in whatever cgroup. */
  readonly oomKills?: number | undefined;
  readonly bootedAtSeconds?: number | undefined;
  /** Runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes. */
  readonly load?: readonly [number, number, number] | undefined;
  readonly cores?: number | undefined;
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
  /** How many starts within which time the supervisor allows before it gives up; 0 is no limit. */
  readonly startLimit?: { readonly burst: number; readonly interval: Millis };
};
