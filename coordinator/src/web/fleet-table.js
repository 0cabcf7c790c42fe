// The fleet as a table: for those who read rather than look.

import { openWorker } from "./details.js";
import { find, make, table } from "./dom.js";
import { celsius, hardware, share, standing, watts } from "./words.js";

const ROWS_MAX = 200;
const HEADS = ["worker", "state", "slots in use", "processors", "memory", "temperature", "power", "hardware"];

let shown = null;

export function drawTable(rows) {
  const cells = rows.slice(0, ROWS_MAX).map((row) => [
    row.simulated ? `${row.name} (simulated)` : row.name, standing(row), `${row.busy_slots} / ${row.slots}`, share(row.load.cpu), share(row.load.memory),
    celsius(row.load.temperature_c), watts(row.load.power_w), hardware(row),
  ]);
  const text = JSON.stringify([cells, rows.length]);
  if (text === shown) return;
  shown = text;
  const focused = document.activeElement?.dataset?.worker;
  const open = (name, label) => make("button", { className: "link", type: "button", "data-worker": name, onclick: () => openWorker(name) }, label);
  const caption = rows.length > ROWS_MAX ? `The first ${ROWS_MAX} of ${rows.length} workers; find others by name.` : `${rows.length} workers`;
  find("fleet-table").replaceChildren(table(caption, HEADS, cells.map(([label, ...rest], at) => [open(rows[at].name, label), ...rest])));
  if (focused) find("fleet-table").querySelector(`[data-worker="${CSS.escape(focused)}"]`)?.focus();
}
