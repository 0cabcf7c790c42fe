// Puts the page together: frames come in, and with the next pictures of the screen each part is brought up to date.

import * as alerts from "./alerts.js";
import * as charts from "./charts.js";
import * as details from "./details.js";
import { find, setText } from "./dom.js";
import * as events from "./events.js";
import * as figures from "./figures.js";
import * as fleet from "./fleet.js";
import { known, takeIn } from "./known.js";
import { follow } from "./stream.js";
import * as timeline from "./timeline.js";
import * as waiting from "./waiting.js";

const parts = [alerts, figures, fleet, charts, waiting, timeline, events, details];
/** How long drawing may take before it goes on in the next picture of the screen, in milliseconds. */
const BUDGET_MS = 8;

/** The parts that are still to be drawn. */
let due = [];

/** Has everything drawn with the next pictures of the screen: all of it in one, or some in each where that takes longer. */
function draw() {
  if (due.length === 0) requestAnimationFrame(drawSome);
  due = [...due, ...parts.filter((part) => !due.includes(part))];
}

function drawSome() {
  if (!known.frame) {
    due = [];
    return;
  }
  const began = performance.now();
  const { cluster, version } = known.frame.status;
  setText(find("cluster"), `cluster ${cluster.slice(0, 8)}, version ${version}`);
  while (due.length > 0 && performance.now() - began < BUDGET_MS) due.shift().draw();
  if (due.length > 0) requestAnimationFrame(drawSome);
}

for (const part of parts) part.begin?.(draw);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

follow(
  (frame) => {
    takeIn(frame);
    draw();
  },
  (state, words) => {
    find("connection").dataset.state = state;
    setText(find("connection"), words);
  },
);
