// What is known of the farm: frames add up here. Parts of the page read it and never change it.

const EVENTS_MAX = 100;
const HISTORY_MAX = 600;
/** Attempts that are over are shown for this long, in seconds. */
const SHOWN_S = 300;

export const known = {
  /** The newest frame; its lists hold only what was new. */
  frame: null,
  /** Rows of workers by name. */
  workers: new Map(),
  /** Attempts by `task.attempt`, running or lately over (`ended_s`). */
  attempts: new Map(),
  events: [],
  history: [],
};

const nameOf = ({ task, attempt }) => `${task}.${attempt}`;

/** Takes in a frame. */
export function takeIn(frame) {
  const now = frame.status.now_s;
  if (frame.is_whole) {
    known.workers.clear();
    const running = new Set(frame.running.map(nameOf));
    for (const [name, attempt] of known.attempts) if (!running.has(name)) attempt.ended_s ??= now;
    known.events = [];
    known.history = [];
  }
  for (const row of frame.workers) known.workers.set(row.name, row);
  for (const row of frame.running) known.attempts.set(nameOf(row), row);
  for (const over of frame.ended) {
    const attempt = known.attempts.get(nameOf(over));
    if (attempt) attempt.ended_s = now;
  }
  for (const [name, attempt] of known.attempts) if (attempt.ended_s < now - SHOWN_S) known.attempts.delete(name);
  known.events = known.events.concat(frame.events).slice(-EVENTS_MAX);
  known.history = known.history.concat(frame.history).slice(-HISTORY_MAX);
  known.frame = frame;
  known.clockAtZero = Date.now() - now * 1000;
}

/** A time of the run by this machine's clock, as a Date. */
export const clock = (s) => new Date(known.clockAtZero + s * 1000);

/** Running attempts, those that run longest first. */
export const running = () => [...known.attempts.values()].filter((row) => row.ended_s == null).sort((a, b) => a.started_s - b.started_s);
