// How full is the file system that holds a folder? Through statfs, which every platform has and which starts no program.
import { statfs } from "node:fs/promises";
import type { Collector, MetricSpec } from "../core/sample.ts";
import { type Millis, ms } from "../core/time.ts";

export type VolumeReading = { readonly sizeBytes: number; readonly availableBytes: number };

/** Reads size and free space of the file system below `path`; the families begin with `prefix`, `of` says whose folder it is. */
export function volumeCollector(options: {
  readonly path: string | undefined;
  readonly prefix: "openclaw_gateway" | "openclaw_guard";
  readonly of: string;
  readonly every?: Millis;
}): Collector<VolumeReading | undefined> {
  const { path, prefix, of } = options;
  const every = options.every ?? ms(60_000);
  const size = `${prefix}_state_filesystem_size_bytes`;
  const available = `${prefix}_state_filesystem_available_bytes`;
  const metrics: readonly MetricSpec[] = [
    { name: size, type: "gauge", help: `Size of the file system that holds ${of}.` },
    {
      name: available,
      type: "gauge",
      help: `What can still be written to the file system that holds ${of}.`,
    },
  ];
  let asking: Promise<VolumeReading> | undefined;
  return {
    name: "volume",
    every,
    deadline: ms(every * 0.25),
    metrics,
    async read() {
      if (path === undefined) return undefined;
      // A dead network mount never answers, and each question would hold one of the few threads that read files.
      asking ??= volumeOf(path).finally(() => {
        asking = undefined;
      });
      return asking;
    },
    samples: (reading) =>
      reading === undefined
        ? []
        : [
            { name: size, value: reading.sizeBytes },
            { name: available, value: reading.availableBytes },
          ],
  };
}

async function volumeOf(path: string): Promise<VolumeReading> {
  const { bsize, blocks, bavail } = await statfs(path);
  return { sizeBytes: bsize * blocks, availableBytes: bsize * bavail };
}
