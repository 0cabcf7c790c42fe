// One task: where it is and why, its attempts, what it prints.

import { get, order } from "./ask.js";
import { orderButton, terms } from "./details.js";
import { make, table } from "./dom.js";
import { known } from "./known.js";
import { followLog } from "./log.js";
import { bytes, seconds } from "./words.js";

const LOOK_MS = 1_000;

export function taskDetails(id, body, openWorker) {
  const told = make("p", { className: "quiet", role: "status" });
  const state = make("div");
  const cancel = orderButton("Cancel", told, () => order(`/api/tasks/${id}/cancel`));
  const log = make("div");
  body.append(state, make("div", { className: "actions" }, cancel), told, make("h3", {}, "Output of the newest attempt"), log);
  const logEnds = followLog(id, log);
  let timer = null;
  let isOver = false;
  const look = async () => {
    try {
      const [task, why] = await Promise.all([get(`/api/tasks/${id}`), get(`/api/tasks/${id}/why`)]);
      if (isOver) return;
      cancel.hidden = task.state === "done";
      show(state, task, why, openWorker);
      if (task.state !== "done") timer = setTimeout(look, LOOK_MS);
    } catch (error) {
      state.replaceChildren(make("p", { className: "bad" }, error.message));
    }
  };
  look();
  return { end: () => {
    isOver = true;
    clearTimeout(timer);
    logEnds();
  } };
}

function show(place, task, why, openWorker) {
  const now = Math.floor(known.frame?.status.now_s ?? 0);
  const text = JSON.stringify([task, why, task.state === "done" ? null : now]);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const worker = (name) => make("button", { className: "link", type: "button", onclick: () => openWorker(name) }, name);
  const attempts = task.attempts.map((one) => [
    `${one.number}`, worker(one.worker), one.hardware, one.started_s == null ? "not started" : seconds(Math.max(0, (one.stopped_s ?? now) - one.started_s)),
    one.reason ?? "runs", [one.failure, one.message].filter(Boolean).join(": "), one.log_bytes == null ? "" : bytes(one.log_bytes),
    why.placements.find((placed) => placed.attempt === one.number)?.why ?? "",
  ]);
  const waits = why.workers.filter((one) => one.unmet).slice(0, 50).map((one) => [worker(one.worker), one.code.replaceAll("_", " "), one.unmet.needs, one.unmet.has]);
  place.replaceChildren(
    terms([["name", task.name], ["state", task.verdict ? `${task.state}: ${task.verdict}` : task.state], ["why", why.summary], ["priority", `${task.priority}`],
      ["owner", task.owner ?? "not told"], ["exit status", task.exit_code == null ? "none" : `${task.exit_code}`]]),
    ...(attempts.length ? [make("h3", {}, "Attempts"), scrolls(table("", ["attempt", "worker", "hardware", "ran", "end", "failure", "output", "placed by"], attempts))] : []),
    ...(waits.length ? [make("h3", {}, "What each worker lacks"), scrolls(table("", ["worker", "what", "needs", "has"], waits))] : []));
}

const scrolls = (child) => make("div", { className: "scrolls" }, child);
