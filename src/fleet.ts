// Which gateways are watched? Each lives by itself: one can come, go or change while the others are not disturbed.
import type { Config, GatewayConfig } from "./config.ts";
import type { Guarded } from "./gateway.ts";

/** What became of the gateways when another configuration was taken over, by name. */
export type Changes = {
  readonly added: readonly string[];
  readonly kept: readonly string[];
  /** Under a name that stays, but at another address or asked in another way: watched afresh. */
  readonly replaced: readonly string[];
  readonly removed: readonly string[];
};

export type Fleet = {
  readonly all: () => readonly Guarded[];
  readonly names: () => ReadonlySet<string>;
  readonly get: (name: string) => Guarded | undefined;
  /** Starts all that are there, and from now on those that are added. */
  readonly run: () => void;
  /** Takes a configuration over; resolves once those that are not in it any more have ended. */
  readonly adopt: (config: Config) => Promise<Changes>;
  readonly end: () => Promise<void>;
};

type Life = {
  readonly guarded: Guarded;
  readonly ending: AbortController;
  running: Promise<void> | undefined;
};

/** The gateways of a configuration, put together by `begin`; `broke` hears of a loop that ended although it must not. */
export function fleetOf(
  config: Config,
  begin: (gateway: GatewayConfig, config: Config) => Guarded,
  broke: (error: unknown) => void,
): Fleet {
  const lives = new Map<string, Life>();
  let isRunning = false;

  function add(gateway: GatewayConfig, of: Config): void {
    const life: Life = { guarded: begin(gateway, of), ending: new AbortController(), running: undefined };
    lives.set(gateway.name, life);
    if (isRunning) start(life);
  }

  /** Spread over a cadence by their place: fifty that were read at the same moment would hold up a scrape. */
  function start(life: Life): void {
    const phase = ([...lives.values()].indexOf(life) + 1) / lives.size;
    life.running = life.guarded.run(life.ending.signal, phase);
    life.running.catch(broke);
  }

  async function stop({ ending, running }: Life): Promise<void> {
    ending.abort(new Error("the gateway is no longer watched"));
    await running?.catch(() => undefined);
  }

  for (const gateway of config.gateways) add(gateway, config);
  return {
    all: () => [...lives.values()].map(({ guarded }) => guarded),
    names: () => new Set(lives.keys()),
    get: (name) => lives.get(name)?.guarded,
    run() {
      isRunning = true;
      for (const life of lives.values()) start(life);
    },
    async adopt(next) {
      const [added, kept, replaced]: [string[], string[], string[]] = [[], [], []];
      const wanted = new Set(next.gateways.map(({ name }) => name));
      const removed = [...lives.keys()].filter((name) => !wanted.has(name));
      const over: Life[] = [];
      const take = (name: string) => {
        const life = lives.get(name);
        if (life !== undefined) over.push(life);
        lives.delete(name);
      };
      for (const name of removed) take(name);
      const fresh: GatewayConfig[] = [];
      for (const gateway of next.gateways) {
        const known = lives.get(gateway.name)?.guarded;
        if (known?.adopt(gateway, next) === true) {
          kept.push(gateway.name);
          continue;
        }
        (known === undefined ? added : replaced).push(gateway.name);
        take(gateway.name);
        fresh.push(gateway);
      }
      // First those that end: a new one may want the lock of an old one's port.
      await Promise.all(over.map(stop));
      for (const gateway of fresh) add(gateway, next);
      return { added, kept, replaced, removed };
    },
    async end() {
      isRunning = false;
      await Promise.all([...lives.values()].map(stop));
    },
  };
}
