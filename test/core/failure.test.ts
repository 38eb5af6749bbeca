import assert from "node:assert/strict";
import { test } from "node:test";
import { classify, type FailureKind, failureKinds, worthRetrying } from "../../src/core/failure.ts";

function withCode(code: unknown): Error {
  return Object.assign(new Error("what the message says does not matter: timeout"), { code });
}

const named = (name: string) => Object.assign(new Error("gone"), { name });

for (const { thrown, kind } of [
  { thrown: withCode("ECONNREFUSED"), kind: "refused" },
  { thrown: withCode("ENOENT"), kind: "refused" },
  { thrown: withCode("ECONNRESET"), kind: "reset" },
  { thrown: withCode("UND_ERR_SOCKET"), kind: "reset" },
  { thrown: withCode("EAI_AGAIN"), kind: "dns" },
  { thrown: withCode("ENETUNREACH"), kind: "network" },
  { thrown: withCode("EMFILE"), kind: "network" },
  { thrown: withCode("UND_ERR_HEADERS_TIMEOUT"), kind: "timeout" },
  { thrown: withCode("HPE_INVALID_CONSTANT"), kind: "protocol" },
  { thrown: withCode("HPE_HEADER_OVERFLOW"), kind: "protocol" },
  { thrown: named("TimeoutError"), kind: "timeout" },
  { thrown: named("AbortError"), kind: "timeout" },
  { thrown: new TypeError("cannot read properties of undefined"), kind: "bug" },
  { thrown: new TypeError("fetch failed", { cause: withCode("ECONNREFUSED") }), kind: "refused" },
  { thrown: new Error("a", { cause: new Error("b", { cause: withCode("EPIPE") }) }), kind: "reset" },
  { thrown: withCode("E_NOBODY_KNOWS"), kind: "unknown" },
  { thrown: withCode(42), kind: "unknown" },
  { thrown: new Error("ETIMEDOUT is only in the message"), kind: "unknown" },
  { thrown: "a string", kind: "unknown" },
  { thrown: undefined, kind: "unknown" },
] satisfies { thrown: unknown; kind: FailureKind }[]) {
  const what =
    thrown instanceof Error
      ? `${thrown.name} ${"code" in thrown ? String(thrown.code) : ""}`
      : String(thrown);
  test(`${what} is of kind ${kind}`, () => {
    assert.equal(classify(thrown), kind);
  });
}

test("an error that is its own cause comes to an end", () => {
  const error = new Error("round");
  error.cause = error;
  assert.equal(classify(error), "unknown");
});

test("what the network did is worth another try; a bug and nonsense are not", () => {
  const worth = failureKinds.filter(worthRetrying);
  assert.deepEqual(worth, ["timeout", "refused", "reset", "dns", "network"]);
});
