// One worker: what it has, how it is, what it holds; and which work it receives.

import { get, order } from "./ask.js";
import { orderButton, terms } from "./details.js";
import { keep, make, setText } from "./dom.js";
import { known, running } from "./known.js";
import { bytes, celsius, seconds, share, standing, watts } from "./words.js";

export function workerDetails(name, body, openTask) {
  const path = `/api/workers/${encodeURIComponent(name)}`;
  const told = make("p", { className: "quiet", role: "status" });
  const live = make("div");
  const tasks = make("ul");
  const none = make("p", { className: "quiet" }, "None of those that are shown.");
  const machine = make("div");
  body.append(
    live,
    make("div", { className: "actions" }, ...["Cordon", "Drain", "Uncordon"].map((label) => orderButton(label, told, () => order(`${path}/${label.toLowerCase()}`)))),
    make("p", { className: "quiet" }, "Cordon: no new work. Drain: no new work, and what runs there ends or moves. Uncordon: work again."),
    told, make("h3", {}, "Running there"), none, tasks, machine);
  get("/api/workers")
    .then((all) => drawMachine(machine, all.find((worker) => worker.name === name)))
    .catch((error) => machine.replaceChildren(make("p", { className: "bad" }, error.message)));
  return { draw: () => drawLive(name, live, tasks, none, openTask) };
}

function drawLive(name, live, tasks, none, openTask) {
  const row = known.workers.get(name);
  if (!row) return live.replaceChildren(make("p", {}, `No worker is called ${name}.`));
  const pairs = [
    ["state", row.silent_s == null ? standing(row) : `${standing(row)}, not heard for ${seconds(row.silent_s)}`],
    ["slots", `${row.busy_slots} of ${row.slots} in use`],
    ["processors", share(row.load.cpu)],
    ["memory", share(row.load.memory)],
    ["disk", share(row.load.disk)],
    ["temperature", row.throttle_c == null ? celsius(row.load.temperature_c) : `${celsius(row.load.temperature_c)}, slows down at ${celsius(row.throttle_c)}`],
    ["power", watts(row.load.power_w)],
    ["speed beside its normal", share(row.load.speed)],
  ];
  if (row.simulated) pairs.unshift(["simulated", "its owner says that it stands for a machine that does not exist"]);
  const text = JSON.stringify(pairs);
  if (live.dataset.shown !== text) {
    live.dataset.shown = text;
    live.replaceChildren(terms(pairs));
  }
  const held = running().filter((attempt) => attempt.worker === name);
  none.hidden = held.length > 0;
  const now = known.frame.status.now_s;
  keep(tasks, held, ({ task, attempt }) => `${task}.${attempt}`,
    ({ task, name: called }) => make("li", {}, make("button", { className: "link", type: "button", onclick: () => openTask(task) }, `task ${task}`), ` ${called} `, make("small", { className: "quiet" })),
    (item, attempt) => setText(item.querySelector("small"), `on ${attempt.hardware} for ${seconds(Math.floor(now - attempt.started_s))}`));
}

const PROBES = { declared: "declared, nothing has found it", enumerated: "the system lists it", executed: "something ran on it" };

function drawMachine(place, worker) {
  if (!worker) return;
  const { inventory } = worker;
  const device = (one) => [one.kind, [one.name, one.memory_bytes == null ? null : bytes(one.memory_bytes), one.version, PROBES[one.probe]].filter(Boolean).join(", ")];
  const labels = Object.entries(inventory.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(", ");
  place.replaceChildren(make("h3", {}, "Machine"), terms([
    ["host", inventory.host || "not told"],
    ["system", [inventory.os, inventory.arch].filter(Boolean).join(", ") || "not told"],
    ["cores", `${inventory.cores}`],
    ["memory", bytes(inventory.memory_bytes)],
    ["labels", labels || "none"],
    ...inventory.devices.map(device),
  ]));
}
