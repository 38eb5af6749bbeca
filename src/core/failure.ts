// What went wrong, in one word of a closed set? Codes are matched, never messages.

export const failureKinds = [
  "timeout",
  "refused",
  "reset",
  "dns",
  "network",
  "protocol",
  "bug",
  "unknown",
] as const;
export type FailureKind = (typeof failureKinds)[number];

const kindByCode: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  UND_ERR_SOCKET: "reset",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  ENETUNREACH: "network",
  EHOSTUNREACH: "network",
  EADDRNOTAVAIL: "network",
  ENETDOWN: "network",
  EMFILE: "network",
  ENFILE: "network",
  ENOBUFS: "network",
  ETIMEDOUT: "timeout",
  UND_ERR_CONNECT_TIMEOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
  UND_ERR_ABORTED: "timeout",
  ABORT_ERR: "timeout",
  HPE_INVALID_CONSTANT: "protocol",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "protocol",
};

/** Names a thrown value; follows the chain of causes, since clients wrap the socket's error in one of their own. */
export function classify(error: unknown): FailureKind {
  let e = error;
  for (let depth = 0; e instanceof Error && depth < 5; depth++) {
    const code = "code" in e && typeof e.code === "string" ? e.code : "";
    const known = e.name === "TimeoutError" || e.name === "AbortError" ? "timeout" : kindByCode[code];
    if (known !== undefined) return known;
    if (code.startsWith("HPE_")) return "protocol";
    if (e instanceof TypeError && e.cause === undefined) return "bug";
    e = e.cause;
  }
  return "unknown";
}

/** Whether trying the same thing again can help; a bug is not a retryable failure. */
export function worthRetrying(kind: FailureKind): boolean {
  switch (kind) {
    case "timeout":
    case "refused":
    case "reset":
    case "dns":
    case "network":
      return true;
    case "protocol":
    case "bug":
    case "unknown":
      return false;
  }
}
