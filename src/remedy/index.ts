// Which supervisors can the guard speak to? One line each.
import { commandAction } from "./command.ts";
import { observeOnly } from "./none.ts";
import { systemdAction } from "./systemd.ts";
import type { Action } from "./action.ts";

export const actions = {
  systemd: systemdAction,
  command: commandAction,
  none: observeOnly,
} as const satisfies Record<Action["name"], unknown>;
