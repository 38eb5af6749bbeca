// How does a gateway become unreachable while nothing is wrong with it? Its listening socket stays open and its own, and
// the kernel drops every packet that is meant for it.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type StandIn, type StandInOptions, startStandIn } from "./gateway.ts";

const program = fileURLToPath(new URL("./cut-off.pl", import.meta.url));

/** A stand-in whose network can be cut and mended. */
export type CutOff = StandIn & {
  cut(): Promise<void>;
  mend(): Promise<void>;
};

/** Starts a stand-in that can be reached until it is cut off; disposing ends both of its processes. */
export async function startCutOff(options: StandInOptions = {}): Promise<CutOff> {
  const gateway = await startStandIn({ ...options, through: ["perl", program] });
  const { input, output } = gateway.io;
  const tell = async (word: string): Promise<void> => {
    const answered = once(output, "data", { signal: AbortSignal.timeout(10_000) });
    input.write(`${word}\n`);
    const said = String((await answered)[0]).trim();
    if (said !== word) throw new Error(`${word}: ${said}`);
  };
  return { ...gateway, cut: () => tell("cut"), mend: () => tell("mend") };
}
