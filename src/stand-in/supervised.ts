// What does the supervisor look after? DIR/supervised.json, and the files that it keeps beside it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const shape = z.strictObject({
  /** Program and arguments; no shell. */
  argv: z.array(z.string()).min(1),
  /** The whole environment of the program: nothing is inherited, so that a test runner's own cannot leak in. */
  env: z.record(z.string(), z.string()).default({}),
  cwd: z.string().optional(),
  /** From SIGTERM to SIGKILL; a gateway may drain for 325 s. */
  stopTimeoutMs: z.int().min(0).max(3_600_000).default(330_000),
  /** `ulimit -n` of the program, hard and soft. */
  descriptorLimit: z.int().min(64).max(1_048_576).optional(),
});

/** The content of supervised.json, with its defaults. */
export type Supervised = z.infer<typeof shape>;
/** What has to be written into supervised.json. */
export type SupervisedInput = z.input<typeof shape>;

/** Where the supervisor keeps what it knows about its one program. */
export const placesIn = (dir: string) => ({
  supervised: join(dir, "supervised.json"),
  /** Pid and start ticks of the program, one per line. */
  pid: join(dir, "pid"),
  /** Present after a `stop`, until the next start: somebody wanted it so. */
  stopped: join(dir, "stopped"),
  /** Pid and start ticks of the supervisor that is changing something. */
  lock: join(dir, "supervisor.lock"),
  log: join(dir, "gateway.log"),
  supervisorLog: join(dir, "supervisor.log"),
});

/** Reads DIR/supervised.json; throws an Error that lists every problem. */
export function readSupervised(dir: string): Supervised {
  const path = placesIn(dir).supervised;
  const read = shape.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (read.success) return read.data;
  const problems = read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`${path}: ${problems.join("; ")}`);
}
