// Does the caller know the token? Compared in a time that says nothing about it.
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether an `Authorization` header carries this bearer token; an empty token admits nobody. */
export function isAuthentic(header: string | undefined, token: string): boolean {
  const presented = /^bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? "";
  // Both are hashed, and compared, whatever was presented: equal lengths, and no early way out.
  const same = timingSafeEqual(sha256(presented), sha256(token));
  return same && token !== "";
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
