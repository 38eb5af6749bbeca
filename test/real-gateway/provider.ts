// How is a real gateway kept busy without a model? A provider on loopback that answers when the test says so.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";

/** A model provider whose answers are held back until `release`. */
export type Provider = AsyncDisposable & {
  /** The parts of openclaw.json that make it the gateway's only provider. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Model calls that have arrived so far. */
  readonly calls: () => number;
  /** Answers every call that waits and every later one at once. */
  readonly release: () => void;
};

const model = {
  id: "m1",
  name: "m1",
  reasoning: false,
  input: ["text"],
  contextWindow: 128_000,
  maxTokens: 4096,
};

/** Starts a provider on a free port; disposing closes it with whatever still waits. */
export async function startProvider(): Promise<Provider> {
  const waiting: ServerResponse[] = [];
  let calls = 0;
  let released = false;
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/models") === true)
      return void response.end(JSON.stringify({ data: [{ id: model.id, object: "model" }] }));
    request.resume().once("end", () => {
      calls++;
      if (released) answer(response);
      else waiting.push(response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("provider: no address");
  const baseUrl = `http://127.0.0.1:${address.port}/v1`;
  return {
    config: {
      models: {
        mode: "replace",
        providers: { p1: { baseUrl, apiKey: "sk-test", api: "openai-completions", models: [model] } },
      },
      agents: { defaults: { model: { primary: `p1/${model.id}` }, skipBootstrap: true } },
    },
    calls: () => calls,
    release() {
      released = true;
      for (const response of waiting.splice(0)) answer(response);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The word that the model says. */
export const word = "PONG";

function answer(response: ServerResponse): void {
  const chunk = (choice: object, more: object = {}) =>
    `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: model.id, choices: [{ index: 0, ...choice }], ...more })}\n\n`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk({ delta: { role: "assistant", content: word }, finish_reason: null }));
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  response.write(chunk({ delta: {}, finish_reason: "stop" }, { usage }));
  response.end("data: [DONE]\n\n");
}
