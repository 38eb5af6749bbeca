// May the guard act? The effective mode is the weaker of what was configured and what was earned.

/** Strongest first: acts; records what it would have done. */
export const modes = ["enforce", "observe"] as const;
export type Mode = (typeof modes)[number];

export type EffectiveMode = {
  readonly mode: Mode;
  /** Why it is weaker than configured: one word per thing that stands in the way. */
  readonly reasons: readonly string[];
};

/** Observe while anything stands in the way of a safe restart; an unchecked path is not a safe one. */
export function effectiveMode(
  configured: Mode,
  earned: { readonly checked: boolean; readonly reasons: readonly string[] },
): EffectiveMode {
  if (configured === "observe") return { mode: "observe", reasons: [] };
  if (!earned.checked) return { mode: "observe", reasons: ["not_checked"] };
  if (earned.reasons.length > 0) return { mode: "observe", reasons: earned.reasons };
  return { mode: configured, reasons: [] };
}
