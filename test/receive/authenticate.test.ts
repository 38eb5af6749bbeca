// Who is let in?
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAuthentic } from "../../src/receive/authenticate.ts";

const token = "s3cret-token.with_signs~+/=";
const table: readonly (readonly [header: string | undefined, expected: boolean])[] = [
  [`Bearer ${token}`, true],
  [`bearer ${token}`, true],
  [`BEARER   ${token}  `, true],
  [undefined, false],
  ["", false],
  ["Bearer", false],
  ["Bearer ", false],
  [token, false],
  [`Basic ${token}`, false],
  [`Bearer ${token}x`, false],
  [`Bearer ${token.slice(0, -1)}`, false],
  [`Bearer ${token.toUpperCase()}`, false],
  [`Bearer ${token} ${token}`, false],
  [`Bearer x, Bearer ${token}`, false],
  [`Bearer ${"x".repeat(100_000)}`, false],
];

for (const [header, expected] of table) {
  const shown = header === undefined ? "no header" : JSON.stringify(header.slice(0, 50));
  test(`${shown} is ${expected ? "" : "not "}let in`, () =>
    assert.equal(isAuthentic(header, token), expected));
}

test("an empty token lets nobody in", () => {
  for (const header of [undefined, "", "Bearer", "Bearer ", 'Bearer ""'])
    assert.equal(isAuthentic(header, ""), false);
});
