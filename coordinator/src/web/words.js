// Numbers and times as people say them. What is absent is shown as absent.

export const ABSENT = "not told";

export const share = (value) => (value == null ? ABSENT : `${Math.round(value * 100)} %`);

export function seconds(value) {
  if (value == null) return ABSENT;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 10) return `${value.toFixed(2)} s`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.floor(value / 60)} min ${String(Math.floor(value % 60)).padStart(2, "0")} s`;
  return `${Math.floor(value / 3600)} h ${String(Math.floor(value / 60) % 60).padStart(2, "0")} min`;
}

export function bytes(value) {
  if (value == null) return ABSENT;
  if (value < 1e4) return `${value} B`;
  if (value < 1e7) return `${(value / 1e3).toFixed(1)} kB`;
  if (value < 1e10) return `${(value / 1e6).toFixed(1)} MB`;
  return `${(value / 1e9).toFixed(1)} GB`;
}

export const celsius = (value) => (value == null ? ABSENT : `${Math.round(value)} °C`);
export const watts = (value) => (value == null ? ABSENT : `${Math.round(value)} W`);
export const count = (number, thing) => (number === 1 ? `1 ${thing}` : `${number.toLocaleString("en")} ${thing}s`);

/** A time of day, to the second. */
export const timeOfDay = (date) => date.toLocaleTimeString([], { hour12: false });

/** A worker's state and which work it receives, in one or two words. */
export function standing(worker) {
  if (worker.state !== "ready") return { ready: "ready", suspect: "not heard", disconnected: "disconnected", gone: "gone" }[worker.state];
  if (worker.admission !== "open") return worker.admission;
  if (worker.breaker !== "closed") return "not trusted";
  return worker.held_back ? "used by others" : "ready";
}

/** Its hardware; what nobody has found and somebody declared is marked. */
export const hardware = (worker) =>
  worker.hardware.map((kind) => (worker.declared.includes(kind) ? `${kind} (declared)` : kind)).join(", ") || ABSENT;
