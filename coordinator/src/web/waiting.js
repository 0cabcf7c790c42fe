// What waits and for what, in the coordinator's own words, and how busy each kind of hardware is.

import { find, keep, make, setText } from "./dom.js";
import { known } from "./known.js";
import { count, seconds, share } from "./words.js";

export function draw() {
  const { status, hardware } = known.frame;
  find("queue-none").hidden = status.bottlenecks.length > 0;
  keep(find("queue-list"), status.bottlenecks, ({ needs }) => needs, () => make("li", {}, make("span"), " ", make("small", { className: "quiet" })),
    (item, found) => {
      setText(item.querySelector("span"), found.words);
      setText(item.querySelector("small"), `the oldest for ${seconds(found.oldest_s)}`);
    });
  keep(find("hardware-list"), hardware, ({ kind }) => kind, createKind, updateKind);
}

function createKind({ kind }) {
  return make("li", {}, make("div", { className: "row" }, make("span", {}, kind), make("span", { className: "figure quiet" })),
    make("meter", { min: 0, max: 1, ariaLabel: `slots of ${kind} in use` }));
}

function updateKind(item, { workers, slots, busy_slots: busy }) {
  const used = slots ? busy / slots : 0;
  setText(item.querySelector(".figure"), `${share(used)}, ${busy} of ${slots} slots of ${count(workers, "worker")}`);
  item.querySelector("meter").value = used;
}
