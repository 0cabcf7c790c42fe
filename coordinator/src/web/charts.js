// How it went in the last ten minutes: load beside its thresholds and what was predicted, and what waited and ran.

import { isDark, style } from "./colours.js";
import { find, setText } from "./dom.js";
import { known } from "./known.js";
import { share } from "./words.js";

const HEIGHT = 190;
/** Seconds that may lie between two marks of time. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const charts = new Map();
let shown = null;

export function draw() {
  const { history } = known;
  if (history.length === 0 || typeof uPlot === "undefined") return;
  const now = `${history.at(-1).t} ${isDark()} ${innerWidth}`;
  if (now === shown) return;
  shown = now;
  const times = history.map((point) => point.t + known.clockAtZero / 1000);
  const column = (name) => history.map((point) => point[name] ?? null);
  show("load-chart", loadOptions, [times, column("load"), column("predicted"), column("high"), column("low")]);
  show("queue-chart", queueOptions, [times, column("queued"), column("running")]);
  const newest = history.at(-1);
  setText(find("load-told"), `Now ${share(newest.load)} of slots are in use; a worker counts as overloaded above ${share(newest.high)}, as idle below ${share(newest.low)}.`);
}

/** Keeps one chart in that place; makes it anew where the page's colours have changed. */
function show(place, options, data) {
  const parent = find(place);
  const width = Math.max(parent.clientWidth, 200);
  let chart = charts.get(place);
  if (chart && chart.isDark !== isDark()) {
    chart.plot.destroy();
    chart = undefined;
  }
  if (!chart) {
    charts.set(place, { isDark: isDark(), plot: new uPlot({ width, height: HEIGHT, ...options() }, data, parent) });
    return;
  }
  if (chart.plot.width !== width) chart.plot.setSize({ width, height: HEIGHT });
  chart.plot.setData(data);
}

function axes(values) {
  const [ink, line] = [style("--ink-quiet"), style("--line")];
  const common = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return [{ ...common, space: 80, incrs: SECONDS, values: (_, times) => times.map(clock) }, { ...common, size: 54, values }];
}

const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);

const line = (label, colour, more = {}) => ({ label, stroke: style(colour), width: 2, points: { show: false }, ...more });
const percent = { value: (_, value) => (value == null ? "–" : share(value)) };

const loadOptions = () => ({
  scales: { y: { range: [0, 1.02] } },
  axes: axes((_, values) => values.map((value) => share(value))),
  series: [{}, line("load", "--accent", percent), line("predicted for then", "--good", { dash: [6, 4], ...percent }),
    line("upper threshold", "--bad", { width: 1, ...percent }), line("lower threshold", "--ink-quiet", { width: 1, ...percent })],
});

const queueOptions = () => ({
  scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 5) * 1.05] } },
  axes: axes((_, values) => values.map((value) => (Number.isInteger(value) ? value.toLocaleString("en") : ""))),
  series: [{}, line("waiting", "--warning"), line("running", "--accent")],
});
