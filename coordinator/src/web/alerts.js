// What is raised. The list is announced politely: only what is new or gone.

import { openWorker } from "./details.js";
import { find, keep, make, setText } from "./dom.js";
import { clock, known } from "./known.js";
import { timeOfDay } from "./words.js";

export function draw() {
  const { alerts, alerts_total: total } = known.frame;
  find("alerts-none").hidden = total > 0;
  setText(find("alerts-title"), total > 0 ? `Alerts (${total})` : "Alerts");
  keep(find("alerts-list"), alerts, ({ kind, subject }) => `${kind} ${subject}`, create, update);
}

function create({ subject }) {
  const about = known.workers.has(subject)
    ? make("button", { className: "link", type: "button", onclick: () => openWorker(subject) }, subject)
    : null;
  return make("li", {}, make("b"), make("span", { className: "words" }), " ", about, " ", make("small", { className: "quiet" }));
}

function update(item, { kind, severity, message, since_s: since }) {
  item.className = severity;
  setText(item.querySelector("b"), `${severity}: ${kind.replaceAll("_", " ")}`);
  setText(item.querySelector(".words"), message);
  setText(item.querySelector("small"), `since ${timeOfDay(clock(since))}`);
}
