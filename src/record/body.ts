// How is a value written so that equal values have equal text, and how is it read back unchanged?

/** JSON with sorted keys and no spaces; `undefined` becomes `null` so that it survives. Throws on what JSON cannot hold. */
export function canonical(value: unknown): string {
  if (value === undefined || value === null) return "null";
  if (typeof value === "string" || typeof value === "boolean") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`journal: ${value} cannot be written`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object") {
    const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(",")}}`;
  }
  throw new TypeError(`journal: a ${typeof value} cannot be written`);
}

/** Reads what {@link canonical} wrote, with `undefined` where it was; throws a `SyntaxError` on anything else. */
export function revive(text: string): unknown {
  return withoutNull(JSON.parse(text));
}

function withoutNull(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, withoutNull(field)]));
}
