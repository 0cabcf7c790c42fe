// What a task prints, as it prints it. Always text: nothing in it is read as markup, and colours of terminals are left out.

import { request, Refused } from "./ask.js";
import { make } from "./dom.js";

const SHOWN_MAX = 300_000;
const WAIT_S = 20;
const AGAIN_MS = 1_000;
// Sequences that terminals obey: CSI, OSC, and single escapes.
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** Follows the output of a task's newest attempt in `place`; what is returned ends that. */
export function followLog(id, place) {
  const text = make("pre", { className: "log", tabIndex: 0, role: "log", ariaLabel: `output of task ${id}`, ariaLive: "off" });
  const told = make("p", { className: "quiet" }, "Waiting for output.");
  place.replaceChildren(text, told);
  const ending = new AbortController();
  follow(id, text, told, ending.signal).catch((error) => {
    if (!ending.signal.aborted) told.textContent = error.message;
  });
  return () => ending.abort();
}

async function follow(id, text, told, signal) {
  const decoder = new TextDecoder();
  let from = 0;
  while (!signal.aborted) {
    let response;
    try {
      response = await request(`/api/tasks/${id}/log?from=${from}&wait_s=${WAIT_S}`, { signal });
    } catch (error) {
      if (signal.aborted || error instanceof Refused) throw error;
      told.textContent = `not connected: ${error.message}; trying again`;
      await new Promise((done) => setTimeout(done, AGAIN_MS));
      continue;
    }
    const header = (name) => response.headers.get(`x-evenkeel-${name}`);
    const bytes = await response.arrayBuffer();
    const [offset, next] = [Number(header("offset")), Number(header("next"))];
    const gap = offset > from && bytes.byteLength > 0 ? `\n… ${offset - from} bytes were not kept …\n` : "";
    append(text, gap + decoder.decode(bytes, { stream: true }));
    // Less than there was: the task has begun another attempt.
    from = next < from ? 0 : next;
    const isComplete = header("complete") === "true";
    told.textContent = isComplete ? "That is all of it." : "It goes on.";
    if (isComplete && bytes.byteLength === 0) return;
  }
}

function append(place, more) {
  if (!more) return;
  const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  place.append(more.replace(ESCAPES, ""));
  let length = place.textContent.length;
  while (length > SHOWN_MAX && place.childNodes.length > 1) {
    length -= place.firstChild.textContent.length;
    place.firstChild.remove();
  }
  if (isAtEnd) place.scrollTop = place.scrollHeight;
}
