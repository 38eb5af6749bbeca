// How is one setting written? The kinds of values a configuration file has, each with the sentence that says how to
// write it. A problem never quotes the value: what was put in the wrong place may be a secret.
import { z } from "zod";
import { type Millis, ms } from "./core/time.ts";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function lengthOf(text: string): Millis {
  const parts = text.matchAll(/(\d+)(ms|s|m|h|d)/g);
  return ms([...parts].reduce((sum, [, n, unit]) => sum + Number(n) * (unitMs[unit ?? ""] ?? 0), 0));
}

/** A length of time between two bounds, which are written as the operator writes them. */
function span(least: string, most: string, fix: string) {
  return z
    .string(fix)
    .regex(/^(\d+(ms|s|m|h|d))+$/, fix)
    .transform(lengthOf)
    .refine(
      (length) => length >= lengthOf(least) && length <= lengthOf(most),
      `write from ${least} to ${most}`,
    );
}

const spanFix = "write a duration such as 90s, 30m or 1h30m";
/** A length of time as Prometheus writes it, e.g. `90s`, `30m`, `1h30m`, `500ms`; 0s is allowed. */
export const duration = span("0s", "7d", spanFix);
/** A length of time that has to pass: with 0s a loop would never rest, and a confirmation confirm nothing. */
export const period = span("1ms", "7d", spanFix);
/** How long something is kept. */
export const age = span("1d", "3650d", "write a duration in days, such as 90d");

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  MB: 1e6,
  GB: 1e9,
};
const sizeFix = "write a size such as 1536MiB or 2GiB";
/** A number of bytes with its unit. */
export const size = z
  .string(sizeFix)
  .regex(/^\d+(\.\d+)?(B|KiB|MiB|GiB|MB|GB)$/, sizeFix)
  .transform((text) => {
    const [, n, unit] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
    return Math.floor(Number(n) * (sizeUnits[unit ?? ""] ?? 1));
  })
  .refine((bytes) => bytes > 0, "write more than 0");

const listenFix = "write host:port, such as 127.0.0.1:9477";
/** Where a server listens; port 0 takes a free one. */
export const listen = z
  .string(listenFix)
  .regex(/^(\[[\da-fA-F:]+\]|[\w.-]+):\d{1,5}$/, { error: listenFix, abort: true })
  .refine((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "write a port of at most 65535");

const gatewayFix = "write an address such as http://127.0.0.1:18789, with host and port alone";
/** An address of http alone: a path or a user name in it would be ignored, which nobody should have to find out. */
export const gatewayUrl = z
  .string(gatewayFix)
  .regex(/^http:\/\/(\[[\da-fA-F:]+\]|[\w.-]+)(:\d{1,5})?\/?$/, { error: gatewayFix, abort: true })
  .refine((text) => URL.canParse(text), gatewayFix);

const serverFix = "write an address such as http://127.0.0.1:9093";
/** The base address of an HTTP server. */
export const serverUrl = z.url({ protocol: /^https?$/, error: serverFix });

const ratioFix = "write a share above 0 and at most 1, such as 0.85";
/** A share of a limit. */
export const ratio = z.number(ratioFix).gt(0, ratioFix).max(1, ratioFix);

/** A whole number between two bounds. */
export function whole(least: number, most: number) {
  const fix = `write a whole number from ${least} to ${most}`;
  return z.int(fix).min(least, fix).max(most, fix);
}

/** One word of a closed set. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  const last = words.at(-1) ?? "";
  const fix = words.length === 1 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
  return z.enum(words, `write ${fix}`);
}

const argvFix = "write a list of words, such as [pm2, start, gateway]; no shell reads it";
/** A program and its arguments. */
export const argv = z.array(z.string(argvFix).min(1, argvFix), argvFix).min(1, argvFix);

const nameFix = "use 1-63 of a-z, 0-9, - and _, beginning with a letter or digit";
/** A name that becomes a label value. */
export const name = z.string(nameFix).regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, nameFix);

const pathFix = "write the path of a file or a folder";
/** A file or a folder. */
export const path = z.string(pathFix).min(1, pathFix);

const environmentFix = "write the name of an environment variable, such as OPENCLAW_GATEWAY_TOKEN";
/** The name of an environment variable; its value never stands in the configuration. */
export const environment = z.string(environmentFix).regex(/^[A-Za-z_]\w*$/, environmentFix);

const unitFix = "write the whole unit name, such as openclaw-gateway.service";
/** A systemd service. */
export const unit = z.string(unitFix).regex(/^[\w@.:-]+\.service$/, unitFix);

const timeFix = "write a time such as 22:00";
/** A time of day in minutes since midnight. */
export const time = z
  .string(timeFix)
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, timeFix)
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));

const zoneFix = "write an IANA time zone such as Europe/Berlin";
/** A time zone by its name. */
export const zone = z.string(zoneFix).refine(isTimeZone, zoneFix);

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/** What zod found, as one line per problem: the setting, what is wrong with it, what to do. */
export function problemsOf(error: z.ZodError): readonly string[] {
  return error.issues.flatMap((issue) => {
    const at = issue.path.length === 0 ? "the file" : issue.path.join(".");
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map(
        (key) => `${[...issue.path, key].join(".")}: there is no such setting: remove it or correct its name`,
      );
    }
    const wrong = whatIsWrong(issue);
    return [wrong === undefined ? `${at}: ${issue.message}` : `${at}: ${wrong}: ${issue.message}`];
  });
}

/** How to write what has no sentence of its own: a section, a list, or the file as a whole. */
export function fixOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "too_small" && issue.origin === "array") return "write at least one";
  if (issue.code === "too_big" && issue.origin === "array") return `write at most ${issue.maximum}`;
  if (issue.code !== "invalid_type") return undefined;
  if (issue.expected === "array") return "write a list, each entry on a line that begins with -";
  return "write its settings below it, one per line, each as name: value";
}

function whatIsWrong(issue: z.core.$ZodIssue): string | undefined {
  const { code, input } = issue;
  if (input === undefined) return code === "invalid_type" ? "is missing" : undefined;
  if (input === null) return "is empty";
  if (code !== "invalid_type" && !(code === "invalid_value" && typeof input !== "string")) return undefined;
  if (Array.isArray(input)) return "is a list";
  // 1.5 where a whole number is wanted is a number as well.
  if (code === "invalid_type" && issue.expected === "int" && typeof input === "number") return undefined;
  const kind = typeof input;
  return kind === "string" ? "is a text" : kind === "object" ? "is a section" : `is a ${kind}`;
}
