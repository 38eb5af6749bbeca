// What did an earlier life of the guard know of this gateway? Text that was saved, read with care: a file may be old,
// cut short, or of another version.
import type { Incarnation } from "../core/identity.ts";
import { instant, type Millis, ms } from "../core/time.ts";
import type { Trend } from "../core/trend.ts";
import type { Sign, Updating } from "../core/updating.ts";

export type Detector = { readonly incarnation: string; readonly trend: Trend };

/** What an earlier life of the guard kept of one gateway; absent parts were unknown or unreadable. */
export type Kept = {
  readonly seen: Incarnation | undefined;
  readonly answered: string | undefined;
  readonly detector: Detector | undefined;
  readonly slowestStart: Millis | undefined;
  /** The version that a life told. */
  readonly told: { readonly life: string; readonly version: string } | undefined;
  readonly updating: Updating;
};

/** Reads what was saved; anything unreadable is worth nothing and is forgotten. */
export function restore(saved: string | undefined): Kept {
  const value = parsed(saved);
  const seen = part(value, "seen");
  const answered = part(value, "answered");
  const detector = part(value, "detector");
  const slowestStart = part(value, "slowestStart");
  const told = part(value, "told");
  const life = part(told, "life");
  const version = part(told, "version");
  const updating = part(value, "updating");
  return {
    seen: isIncarnation(seen) ? seen : undefined,
    answered: typeof answered === "string" ? answered : undefined,
    detector: isDetector(detector) ? detector : undefined,
    slowestStart: typeof slowestStart === "number" && slowestStart > 0 ? ms(slowestStart) : undefined,
    told: typeof life === "string" && typeof version === "string" ? { life, version } : undefined,
    updating: {
      package_manager: signOf(part(updating, "package_manager")),
      version_on_disk: signOf(part(updating, "version_on_disk")),
    },
  };
}

/** A sign that was there goes on from where it began; one that was not is looked for anew. */
function signOf(value: unknown): Sign {
  const since = part(value, "since");
  return typeof since === "number" ? { seen: true, since: instant(since) } : undefined;
}

function part(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null
    ? Object.entries(of).find(([key]) => key === name)?.[1]
    : undefined;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isIncarnation(value: unknown): value is Incarnation {
  if (typeof value !== "object" || value === null) return false;
  if (!("bootId" in value && "pid" in value && "startTicks" in value && "startedAt" in value)) return false;
  const numbers = [value.pid, value.startTicks, value.startedAt];
  return typeof value.bootId === "string" && numbers.every((n) => typeof n === "number");
}

function isDetector(value: unknown): value is Detector {
  if (typeof value !== "object" || value === null || !("incarnation" in value && "trend" in value))
    return false;
  const { incarnation, trend } = value;
  if (typeof incarnation !== "string" || typeof trend !== "object" || trend === null) return false;
  if (
    !(
      "floors" in trend &&
      "minute" in trend &&
      "heldSlow" in trend &&
      "heldFast" in trend &&
      "verdict" in trend
    )
  )
    return false;
  return Array.isArray(trend.floors) && trend.floors.every((floor) => typeof floor === "number");
}
