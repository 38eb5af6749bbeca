// How can the stand-in fall ill in the demo, and which scaled settings let the whole loop fit into two minutes?

/** One illness: the fault that the stand-in is told to have, and the one that the guard should cure it of. */
export type Scenario = {
  readonly says: string;
  readonly fault: Readonly<Record<string, unknown>>;
  readonly cause: string;
};

const mib = 2 ** 20;

export const scenarios = {
  hang: {
    says: "its event loop blocks: it listens, and never answers again",
    fault: { fault: "hang" },
    cause: "hang",
  },
  leak: {
    says: "it leaks 8 MiB a second below a limit of 640 MiB",
    fault: { fault: "leak", bytesPerSecond: 8 * mib, capBytes: 900 * mib },
    cause: "memory_leak",
  },
  stop: { says: "somebody stops it with SIGSTOP", fault: { fault: "stop" }, cause: "hang" },
  crash: { says: "it is killed, and nothing starts it again", fault: { fault: "crash" }, cause: "down" },
  fds: {
    says: "it leaks descriptors up to its limit of 1024",
    fault: { fault: "fds", perSecond: 100 },
    cause: "descriptors",
  },
} as const satisfies Record<string, Scenario>;
export type ScenarioName = keyof typeof scenarios;
export const scenarioNames = Object.keys(scenarios);

/** Whether a word names a scenario. */
export function isScenario(word: string): word is ScenarioName {
  return scenarioNames.includes(word);
}

/** The stand-in's limits, small enough to be reached while somebody watches. */
export const standInLimits = { memory: "640MiB", descriptors: 1024 };

/** What differs from the defaults, so that nobody takes the demo's pace for the product's. */
export const scaledSettings = {
  probe: { every: "1s", timeout: "400ms", slow_every: "2s", process_every: "150ms" },
  hang: { confirm: "10s", last_look: "2s" },
  start: { after: "3s", retry: ["1s", "2s", "4s"] },
  drain: { limit: "20s" },
  verify: { every: "500ms", settle: "10s", replace_within: "30s" },
  thresholds: { descriptors_hold: "5s" },
  trend: { minute: "150ms" },
  alerts: { decide_every: "5s" },
  window: { spans: [] },
  just_woke: "5s",
};

/** The same as a sentence. */
export const scaledSays =
  "scaled for the demo: hang confirmed after 10 s (default 90 s), settle 10 s (10 min), the detector's minute 0.15 s (60 s), no window";
