// Requests to the coordinator. Where it needs a token the reader is asked for it; it is kept for this tab only.

import { find } from "./dom.js";

const KEPT = "evenkeel-token";
let asking = null;

/** What the coordinator said no to: its words and its hint. */
export class Refused extends Error {}

/** A response that is well; asks for a token as often as one is needed. */
export async function request(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEPT);
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, { cache: "no-store", ...options, headers });
    if (response.status === 401) {
      await askForToken(token);
      continue;
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => null);
    throw new Refused(body?.error ? `${body.error.message}; ${body.error.hint}` : `the coordinator answered ${response.status}`);
  }
}

export const get = async (path) => (await request(path)).json();
export const order = (path) => request(path, { method: "POST" });

/** Resolves once there is another token than the one that was refused. */
function askForToken(refused) {
  if (sessionStorage.getItem(KEPT) !== refused) return Promise.resolve();
  asking ??= new Promise((done) => {
    const dialog = find("token");
    find("token-wrong").hidden = !refused;
    dialog.addEventListener("close", () => {
      const typed = find("token-text").value.trim();
      find("token-text").value = "";
      asking = null;
      if (typed) sessionStorage.setItem(KEPT, typed);
      done();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
