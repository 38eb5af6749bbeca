// How is an endpoint written? Its kind decides what else there is to say about it.
import { z } from "zod";
import type { Millis } from "./core/time.ts";
import { name, period, whole } from "./setting.ts";

const noTls = "TLS is not supported: name a plain listener, or leave this one to blackbox_exporter";

/** An address of one scheme with a path. A user name in it is refused: it would stand in the configuration. */
function address(scheme: "http" | "ws", example: string) {
  const fix = `write an address such as ${example}; ${noTls}`;
  return z
    .string(fix)
    .regex(new RegExp(`^${scheme}://(\\[[\\da-fA-F:]+\\]|[\\w.-]+)(:\\d{1,5})?(/[^\\s#]*)?$`), {
      error: fix,
      abort: true,
    })
    .refine((text) => URL.canParse(text), fix);
}

const hostFix = "write a host such as 127.0.0.1 or db.internal, without a port";
const host = z.string(hostFix).regex(/^([\w.-]+|[\da-fA-F:]+)$/, hostFix);
const port = whole(1, 65_535);

const common = {
  name,
  /** The gateway it belongs to: its series carry that label, too. */
  gateway: name.optional(),
  timeout: period.prefault("2s"),
  /** Failures in a row from which an alert takes it for down. */
  failures: whole(1, 1000).default(3),
};

const kinds = "http, websocket, tcp, redis or postgres";

/** The endpoints of a configuration. */
export const endpoints = z
  .array(
    z.discriminatedUnion(
      "kind",
      [
        z.strictObject({
          ...common,
          kind: z.literal("http"),
          url: address("http", "http://127.0.0.1:18830/health"),
          expect: whole(200, 599).default(200),
        }),
        z.strictObject({
          ...common,
          kind: z.literal("websocket"),
          url: address("ws", "ws://127.0.0.1:18791/"),
        }),
        z.strictObject({ ...common, kind: z.literal("tcp"), host: host.default("127.0.0.1"), port }),
        z.strictObject({
          ...common,
          kind: z.literal("redis"),
          host: host.default("127.0.0.1"),
          port: port.default(6379),
        }),
        z.strictObject({
          ...common,
          kind: z.literal("postgres"),
          host: host.default("127.0.0.1"),
          port: port.default(5432),
        }),
      ],
      {
        error: ({ code }: { readonly code: string }) =>
          code === "invalid_type" ? `write a section whose kind is ${kinds}` : `write ${kinds}`,
      },
    ),
  )
  .max(100)
  .default([]);

/** What is valid in each endpoint but not in all of them together. */
export function endpointProblems(config: {
  readonly endpoints: z.output<typeof endpoints>;
  readonly gateways: readonly { readonly name: string }[];
  readonly probe: { readonly endpoint_every: Millis };
}): readonly string[] {
  const names = config.endpoints.map((each) => each.name);
  const twice = new Set(names.filter((each, i) => names.indexOf(each) !== i));
  return [
    ...[...twice].map((each) => `endpoints: two are named ${each}: give each its own name`),
    ...config.endpoints.flatMap(({ gateway, timeout }, i) => [
      ...(gateway === undefined || config.gateways.some((each) => each.name === gateway)
        ? []
        : [`endpoints.${i}.gateway: there is no gateway ${gateway}: write the name of one, or leave it out`]),
      ...(timeout > config.probe.endpoint_every / 2
        ? [`endpoints.${i}.timeout: must be at most half of probe.endpoint_every, or rounds overlap`]
        : []),
    ]),
  ];
}
