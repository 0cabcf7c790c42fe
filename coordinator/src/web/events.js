// What happened, the newest first.

import { openTask, openWorker } from "./details.js";
import { find, keep, make } from "./dom.js";
import { inWords } from "./event-words.js";
import { clock, known } from "./known.js";
import { timeOfDay } from "./words.js";

export function draw() {
  find("events-none").hidden = known.events.length > 0;
  keep(find("events-list"), known.events.toReversed(), ({ number }) => number, create);
}

function create({ fact }) {
  const [words, more] = inWords(fact);
  const open = fact.task != null ? () => openTask(fact.task) : fact.worker ? () => openWorker(fact.worker) : null;
  const told = open ? make("button", { className: "link", type: "button", onclick: open }, words) : words;
  const at = clock(fact.t);
  return make("li", {}, make("time", { dateTime: at.toISOString() }, timeOfDay(at)), make("div", {}, told, more ? make("small", {}, more) : null));
}
