// How does a gateway fall ill, as Prometheus sees it? Each keeps its alert firing for as long as it is true.
import type { Simulation } from "./simulation.ts";

/** For leaks that need not wait for the night. */
export const anyTime = { window: { zone: "UTC", spans: [] } };

/** It hangs, and Prometheus says so for as long as it does. */
export function hangs(simulation: Simulation): void {
  simulation.patient.fallIll("hang");
  simulation.pipeline("hang", () => simulation.patient.fault() === "hang");
}

export function leaks(simulation: Simulation): void {
  simulation.patient.fallIll("leak");
  simulation.pipeline("memory_leak", () => simulation.patient.fault() === "leak");
}

export function dies(simulation: Simulation): void {
  simulation.patient.settings.restartDelay = undefined;
  simulation.patient.crash();
  simulation.pipeline("down", () => simulation.patient.incarnation() === undefined);
}

/** How each episode ended, oldest first. */
export const outcomes = (simulation: Simulation) => simulation.episodes().map(({ outcome }) => outcome);
