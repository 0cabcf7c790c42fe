// The key figures.

import { find, keep, make, setText } from "./dom.js";
import { known } from "./known.js";
import { count, seconds, share } from "./words.js";

export function draw() {
  keep(find("figures-list"), figures(known.frame), ([name]) => name, create, update);
}

function create([name]) {
  return make("div", {}, make("dt", {}, name), make("dd", { className: "figure" }, make("span"), make("small")));
}

function update(item, [, value, beside]) {
  setText(item.querySelector("span"), value);
  setText(item.querySelector("small"), beside);
}

/** Name, value, what stands beneath it. */
function figures({ status, pulse, running_total: running }) {
  const { balancer } = status;
  const all = Object.values(status.tasks).reduce((sum, some) => sum + some, 0);
  const present = (status.workers.ready ?? 0) + (status.workers.suspect ?? 0) + (status.workers.disconnected ?? 0);
  const forecast = balancer.forecast;
  const moved = balancer.migration_success_rate;
  return [
    ["Workers ready", `${status.workers.ready ?? 0}`, `of ${present} that are not gone`],
    ["Slots in use", status.slots ? share(status.busy_slots / status.slots) : "none", `${status.busy_slots} of ${status.slots}`],
    ["Running", running.toLocaleString("en"), count(all, "task") + " ever"],
    ["Waiting", (status.tasks.queued ?? 0).toLocaleString("en"), pulse.wait_s == null ? "none began lately" : `${seconds(pulse.wait_s)} until the first lease`],
    ["Verdicts", `${pulse.tasks_per_s.toFixed(pulse.tasks_per_s < 10 ? 1 : 0)} /s`, "over the last minute"],
    ["Passed", pulse.passed == null ? "none ended" : share(pulse.passed), "of the last minute's"],
    ["Response", pulse.flow_s == null ? "none ended" : seconds(pulse.flow_s), "submission to verdict, mean"],
    ["Start", pulse.start_s == null ? "none began" : seconds(pulse.start_s), "lease to process, mean"],
    ["Load ahead", forecast ? share(forecast.load) : "not predicted", forecast ? `in ${seconds(forecast.window_s)}, ${share(forecast.low)} to ${share(forecast.high)}` : `trend ${balancer.trend || "unknown"}`],
    ["Predictions", balancer.accuracy == null ? "none due" : share(balancer.accuracy), "how right they were"],
    ["Moves", `${balancer.migrations_initiated}`, moved == null ? "none has ended" : `${share(moved)} went on with their state`],
    ["Policy", status.policy, balancer.uneven ? "finds the fleet uneven" : "finds the fleet even"],
  ];
}
