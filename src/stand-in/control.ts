// Who may make the stand-in ill? Anyone on this machine, through a port that a real gateway does not have.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Fault, faultShape } from "./faults.ts";

const bodyLimitBytes = 16 * 1024;

/** A server for `POST /stand-in/ill`: answers first, then falls ill, since after that it may never answer again. */
export function controlServer(fallIll: (fault: Fault) => void): Server {
  return createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/stand-in/ill")
      return reply(response, 404, { error: "only POST /stand-in/ill" });
    read(request).then(
      (text) => {
        const asked = faultShape.safeParse(parsed(text));
        if (!asked.success)
          return reply(response, 400, { error: asked.error.issues.map((issue) => issue.message).join("; ") });
        reply(response, 200, { ok: true, ...asked.data }, () => setImmediate(fallIll, asked.data));
      },
      () => reply(response, 413, { error: `body: more than ${bodyLimitBytes} bytes` }),
    );
  });
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > bodyLimitBytes) throw new RangeError("body too large");
  }
  return text;
}

function reply(response: ServerResponse, status: number, body: object, sent?: () => void): void {
  response.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify(body), sent);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
