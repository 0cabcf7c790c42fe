// The stream of frames, as server-sent events over fetch: an EventSource could not send the token.

import { request } from "./ask.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** Hands each frame to `take`, for ever; `tell(state, words)` says how the connection is. */
export async function follow(take, tell) {
  let wait = FIRST_WAIT_MS;
  for (;;) {
    try {
      const response = await request("/api/live");
      tell("live", "live");
      for await (const frame of frames(response.body)) {
        wait = FIRST_WAIT_MS;
        take(frame);
      }
      tell("lost", "the coordinator ended the stream; trying again");
    } catch (error) {
      tell("lost", `not connected: ${error.message}; trying again`);
    }
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      yield JSON.parse(event.slice("data: ".length));
    }
  }
}
