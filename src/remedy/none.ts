// What can be done where nothing supervises the gateway? Nothing: the guard watches, records and says so.
import { type Action, nothingKnown } from "./action.ts";

/** The action of a gateway without a supervisor: its finding keeps the guard in observe mode, and its verbs reject. */
export function observeOnly(): Action {
  const refuse = async (): Promise<void> => {
    throw new Error("restart: no supervisor is configured for this gateway");
  };
  return {
    name: "none",
    replaces: "nothing",
    async check() {
      return [
        {
          reason: "no_supervisor",
          problem: "no supervisor is configured, so the guard can only observe",
          fix: "run the gateway as a systemd unit or give the guard its start and restart commands, and name it in `supervisor`",
        },
      ];
    },
    async inspect() {
      return { ...nothingKnown, problem: "no supervisor is configured" };
    },
    restart: refuse,
    start: refuse,
    clearFailure: refuse,
  };
}
