// The fleet as a heat map: a cell for each worker, its colour how busy, hot or thirsty it is. What a worker does not tell has
// no colour but stripes. The table says the same in words.

import { fit, shade, style } from "./colours.js";
import { openWorker } from "./details.js";
import { find, make, setText } from "./dom.js";
import { drawTable } from "./fleet-table.js";
import { known } from "./known.js";
import { ABSENT, celsius, hardware, share, standing, watts } from "./words.js";

const MEASURES = {
  slots: { of: (row) => (row.slots ? row.busy_slots / row.slots : null), words: share, from: 0, to: 1 },
  cpu: { of: (row) => row.load.cpu ?? null, words: share, from: 0, to: 1 },
  memory: { of: (row) => row.load.memory ?? null, words: share, from: 0, to: 1 },
  temperature: { of: (row) => row.load.temperature_c ?? null, words: celsius, from: 20, to: 100 },
  power: { of: (row) => row.load.power_w ?? null, words: watts, from: 0 },
};
const CELL_MIN = 13;
const CELL_MAX = 46;
const SPACE = 2;

let cells = { rows: [], across: 1, side: CELL_MAX };
let chosen = null;

export function begin(draw) {
  const canvas = find("fleet-canvas");
  for (const id of ["fleet-measure", "fleet-find", "fleet-as-table"]) find(id).addEventListener("input", draw);
  canvas.addEventListener("pointermove", (event) => choose(at(event), draw));
  canvas.addEventListener("pointerleave", () => choose(null, draw));
  canvas.addEventListener("click", (event) => at(event) && openWorker(at(event).name));
  canvas.addEventListener("focus", () => choose(byName(chosen) ?? cells.rows[0] ?? null, draw));
  canvas.addEventListener("keydown", (event) => steer(event, draw));
}

export function draw() {
  const asTable = find("fleet-as-table").checked;
  find("fleet-map").hidden = asTable;
  find("fleet-table").hidden = !asTable;
  const rows = found();
  if (asTable) drawTable(rows);
  else drawMap(rows);
}

/** Workers that are not gone, or only lately, and that match what is looked for. */
function found() {
  const words = find("fleet-find").value.trim().toLowerCase();
  const matches = (row) => !words || row.name.toLowerCase().includes(words) || hardware(row).includes(words);
  return [...known.workers.values()].filter((row) => row.state !== "gone" && matches(row));
}

function drawMap(rows) {
  const canvas = find("fleet-canvas");
  const measure = MEASURES[find("fleet-measure").value];
  const width = canvas.clientWidth;
  const side = Math.min(CELL_MAX, Math.max(CELL_MIN, Math.floor(Math.sqrt((width * 240) / Math.max(rows.length, 1)))));
  const across = Math.max(1, Math.floor(width / side));
  const height = Math.max(1, Math.ceil(rows.length / across)) * side;
  cells = { rows, across, side };
  const context = fit(canvas, width, height);
  const most = measure.to ?? Math.max(1, ...rows.map((row) => measure.of(row) ?? 0));
  const colours = { absent: style("--raised"), stripe: style("--line"), ink: style("--ink"), bad: style("--bad"), quiet: style("--ink-quiet"), page: style("--surface") };
  rows.forEach((row, index) => {
    const [x, y] = [(index % across) * side, Math.floor(index / across) * side];
    cell(context, x, y, side - SPACE, row, (value) => (value - measure.from) / (most - measure.from), measure, colours);
  });
  canvas.setAttribute("aria-label", `Heat map of ${rows.length} workers. Arrow keys move, Enter opens a worker.`);
  drawLegend(measure, most, rows, colours);
  tell(measure);
}

function cell(context, x, y, side, row, scale, measure, colours) {
  const value = row.state === "ready" ? measure.of(row) : null;
  if (value == null) stripes(context, x, y, side, colours);
  else {
    context.fillStyle = shade(scale(value));
    context.fillRect(x, y, side, side);
  }
  if (row.state !== "ready") frame(context, x, y, side, colours.bad, 2);
  else if (standing(row) !== "ready") frame(context, x, y, side, colours.quiet, 2);
  if (row.simulated && side >= CELL_MIN - SPACE) corner(context, x, y, side, colours);
  if (row.name === chosen) frame(context, x - 1, y - 1, side + 2, colours.ink, 3);
}

function stripes(context, x, y, side, { absent, stripe }) {
  context.fillStyle = absent;
  context.fillRect(x, y, side, side);
  context.strokeStyle = stripe;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let offset = 4; offset < side * 2; offset += 5) {
    context.moveTo(x + Math.min(offset, side), y + Math.max(0, offset - side));
    context.lineTo(x + Math.max(0, offset - side), y + Math.min(offset, side));
  }
  context.stroke();
}

function frame(context, x, y, side, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x + width / 2, y + width / 2, side - width, side - width);
}

/** A cut corner marks a machine that does not exist. */
function corner(context, x, y, side, { page }) {
  const cut = Math.max(4, side / 4);
  context.fillStyle = page;
  context.beginPath();
  context.moveTo(x + side - cut, y);
  context.lineTo(x + side, y);
  context.lineTo(x + side, y + cut);
  context.fill();
}

function drawLegend(measure, most, rows, colours) {
  const some = (test) => rows.some(test);
  const told = tells(measure);
  const has = [some((row) => !told(row)), some((row) => row.state !== "ready"), some((row) => row.state === "ready" && standing(row) !== "ready"), some((row) => row.simulated)];
  const key = JSON.stringify([measure.words(measure.from), measure.words(most), has, colours.ink]);
  const legend = find("fleet-legend");
  if (legend.dataset.key === key) return;
  legend.dataset.key = key;
  const swatch = (draw) => {
    const canvas = make("canvas", { width: 14, height: 14 });
    draw(canvas.getContext("2d"));
    return canvas;
  };
  const ramp = make("canvas", { width: 120, height: 12 });
  const context = ramp.getContext("2d");
  for (let x = 0; x < 120; x += 1) {
    context.fillStyle = shade(x / 119);
    context.fillRect(x, 0, 1, 12);
  }
  const items = [[ramp, measure.words(measure.from), measure.words(most)]];
  const filled = (context) => {
    context.fillStyle = shade(0.3);
    context.fillRect(0, 0, 14, 14);
  };
  if (has[0]) items.push([swatch((c) => stripes(c, 0, 0, 14, colours)), ABSENT]);
  if (has[1]) items.push([swatch((c) => { stripes(c, 0, 0, 14, colours); frame(c, 0, 0, 14, colours.bad, 2); }), "not heard"]);
  if (has[2]) items.push([swatch((c) => { filled(c); frame(c, 0, 0, 14, colours.quiet, 2); }), "gets no new work"]);
  if (has[3]) items.push([swatch((c) => { filled(c); corner(c, 0, 0, 14, colours); }), "simulated, not a real machine"]);
  legend.replaceChildren(...items.map(([picture, first, last]) => make("span", {}, last == null ? "" : first, picture, last ?? first)));
}

function tell(measure) {
  const row = byName(chosen);
  const words = row
    ? [row.name, row.simulated ? "simulated" : null, standing(row), `${row.busy_slots} of ${row.slots} slots`, `processors ${share(row.load.cpu)}`,
      `memory ${share(row.load.memory)}`, celsius(row.load.temperature_c) === ABSENT ? null : celsius(row.load.temperature_c),
      row.load.power_w == null ? null : watts(row.load.power_w), hardware(row)].filter(Boolean).join(", ")
    : cells.rows.length ? `${cells.rows.filter(tells(measure)).length} of ${cells.rows.length} workers tell this.` : "No worker has joined: start one with `worker --coordinator ws://HOST:PORT`.";
  setText(find("fleet-told"), words);
}

const tells = (measure) => (row) => row.state === "ready" && measure.of(row) != null;

const byName = (name) => cells.rows.find((row) => row.name === name);

function at(event) {
  const [column, line] = [Math.floor(event.offsetX / cells.side), Math.floor(event.offsetY / cells.side)];
  return column < cells.across ? cells.rows[line * cells.across + column] ?? null : null;
}

function choose(row, draw) {
  if ((row?.name ?? null) === chosen) return;
  chosen = row?.name ?? null;
  draw();
}

function steer(event, draw) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cells.across, ArrowDown: cells.across }[event.key];
  const index = cells.rows.findIndex((row) => row.name === chosen);
  if (step != null) choose(cells.rows[Math.min(Math.max(index + step, 0), cells.rows.length - 1)] ?? null, draw);
  else if (event.key === "Enter" && chosen) openWorker(chosen);
  else return;
  event.preventDefault();
}
