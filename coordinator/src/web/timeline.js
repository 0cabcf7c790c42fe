// Attempts as bars in time, a lane for each worker, the colour its hardware. The table says the same in words.

import { fit, kind, style } from "./colours.js";
import { openTask } from "./details.js";
import { find, keep, make, setText, table } from "./dom.js";
import { known, running } from "./known.js";
import { seconds } from "./words.js";

const SHOWN_S = 120;
const LANE = 18;
const LANES_MAX = 24;
const NAMES = 110;
const ROWS_MAX = 100;
/** The end of an attempt is seen with the next frame: so much later, in seconds, than it was. */
const LATE_S = 0.8;

let bars = [];
let shown = null;

export function begin(draw) {
  find("running-as-table").addEventListener("input", draw);
  const canvas = find("running-canvas");
  canvas.addEventListener("click", (event) => under(event) && openTask(under(event).task));
  canvas.addEventListener("pointermove", (event) => {
    const bar = under(event);
    canvas.style.cursor = bar ? "pointer" : "default";
    canvas.title = bar ? `task ${bar.task}, attempt ${bar.attempt}: ${bar.name} on ${bar.worker} (${bar.hardware})` : "";
  });
}

export function draw() {
  const asTable = find("running-as-table").checked;
  find("running-map").hidden = asTable;
  find("running-table").hidden = !asTable;
  let beside = "";
  if (asTable) drawTable();
  else beside = drawLanes();
  const total = known.frame.running_total.toLocaleString("en");
  const some = running().length;
  setText(find("running-told"), some < known.frame.running_total ? `the longest ${some} of ${total}${beside}` : `${total} now${beside}`);
}

/** Attempts of the time that is shown, by worker; workers that have something to show, the busiest first. */
function lanes(from) {
  const byWorker = new Map();
  for (const row of known.attempts.values()) {
    if (row.ended_s != null && row.ended_s < from) continue;
    if (!byWorker.has(row.worker)) byWorker.set(row.worker, []);
    byWorker.get(row.worker).push(row);
  }
  // By name, so that lanes stay where they are; where there are too many, those of the attempts that run longest.
  const names = [...byWorker.keys()];
  const longest = new Map(names.map((name) => [name, Math.min(...byWorker.get(name).map((row) => row.started_s))]));
  const kept = names.length > LANES_MAX ? names.sort((a, b) => longest.get(a) - longest.get(b)).slice(0, LANES_MAX) : names;
  return { all: names.length, kept: kept.sort().map((name) => [name, stack(byWorker.get(name))]) };
}

/** Rows within a lane, so that no two bars lie on each other; at most three. */
function stack(rows) {
  const ends = [];
  return rows.sort((a, b) => a.started_s - b.started_s).map((row) => {
    let level = ends.findIndex((end) => end - LATE_S <= row.started_s);
    if (level < 0) level = ends.length < 3 ? ends.length : ends.indexOf(Math.min(...ends));
    ends[level] = row.ended_s ?? Infinity;
    return { row, level };
  });
}

/** Draws what there is room for, and says of how many workers that is where it is not all. */
function drawLanes() {
  const canvas = find("running-canvas");
  const now = known.frame.status.now_s;
  const from = now - SHOWN_S;
  const { all, kept } = lanes(from);
  const heights = kept.map(([, rows]) => LANE * (1 + Math.max(...rows.map(({ level }) => level))));
  const width = canvas.clientWidth;
  const height = Math.max(40, heights.reduce((sum, one) => sum + one + 4, 22));
  const context = fit(canvas, width, height);
  const [quiet, line, surface] = [style("--ink-quiet"), style("--line"), style("--surface")];
  const x = (t) => NAMES + ((Math.max(t, from) - from) / SHOWN_S) * (width - NAMES);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  scale(context, width, height, quiet, line);
  bars = [];
  let y = 0;
  kept.forEach(([name, rows], lane) => {
    context.fillStyle = quiet;
    context.fillText(name.length > 15 ? `${name.slice(0, 14)}…` : name, 0, y + LANE / 2);
    for (const { row, level } of rows) {
      const box = { left: x(row.started_s), top: y + level * LANE + 1, right: Math.max(x(row.ended_s ?? now), x(row.started_s) + 2), bottom: y + (level + 1) * LANE - 1 };
      bar(context, box, row, surface);
      bars.push({ ...box, row });
    }
    y += heights[lane] + 4;
  });
  const shownKinds = [...new Set(kept.flatMap(([, rows]) => rows.map(({ row }) => row.hardware)))].sort();
  keep(find("running-legend"), shownKinds, (name) => name, (name) => make("li", {}, make("i"), name), (item, name) => {
    item.firstChild.style.background = kind(name);
  });
  return all > kept.length ? `; ${kept.length} of ${all} workers` : "";
}

function scale(context, width, height, quiet, line) {
  context.strokeStyle = line;
  context.fillStyle = quiet;
  context.lineWidth = 1;
  for (let ago = 0; ago <= SHOWN_S; ago += 30) {
    const x = Math.round(width - (ago / SHOWN_S) * (width - NAMES)) - 0.5;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height - 16);
    context.stroke();
    context.textAlign = ago === 0 ? "right" : "center";
    context.fillText(ago === 0 ? "now" : `−${ago} s`, x, height - 7);
  }
  context.textAlign = "left";
}

function bar(context, { left, top, right, bottom }, row, surface) {
  context.globalAlpha = row.ended_s == null ? 1 : 0.45;
  context.fillStyle = kind(row.hardware);
  context.fillRect(left, top, right - left, bottom - top);
  context.globalAlpha = 1;
  if (row.leaving) {
    context.strokeStyle = surface;
    context.setLineDash([3, 3]);
    context.strokeRect(left + 2, top + 2, right - left - 4, bottom - top - 4);
    context.setLineDash([]);
  }
  if (right - left > 40 && row.ended_s == null) {
    context.save();
    context.beginPath();
    context.rect(left, top, right - left - 4, bottom - top);
    context.clip();
    context.fillStyle = surface;
    context.fillText(row.name, left + 5, (top + bottom) / 2);
    context.restore();
  }
}

function drawTable() {
  const now = known.frame.status.now_s;
  const rows = running().slice(0, ROWS_MAX);
  const text = JSON.stringify(rows.map((row) => [row.task, row.attempt, Math.floor(now - row.started_s)]));
  if (text === shown) return;
  shown = text;
  const open = (row) => make("button", { className: "link", type: "button", onclick: () => openTask(row.task) }, `task ${row.task}`);
  const cells = rows.map((row) => [open(row), row.name, row.worker, row.hardware, seconds(Math.floor(now - row.started_s)), row.leaving ? "asked to stand still" : "runs"]);
  find("running-table").replaceChildren(table(`The ${rows.length} that run longest`, ["task", "name", "worker", "hardware", "for", "state"], cells));
}

function under(event) {
  const { offsetX: x, offsetY: y } = event;
  return bars.find(({ left, top, right, bottom }) => x >= left && x <= right && y >= top && y <= bottom)?.row ?? null;
}
