// Facts as sentences.

import { seconds } from "./words.js";

const gain = (fact) => `expected to end ${seconds(fact.predicted_gain_s)} sooner, costs ${seconds(fact.cost_s)}`;

/** What was weighed, the winner first. */
function weighed({ decision }) {
  if (!decision) return null;
  const places = decision.candidates.map((one) => `${one.worker} (${one.hardware}) ${one.score.toFixed(2)}`);
  const stays = decision.stays ? `; where it ran ${decision.stays.score.toFixed(2)}` : "";
  return `weighed ${decision.weighed} places, lower is better: ${places.join(", ")}${stays}`;
}

const WORDS = {
  coordinator_started: (fact) => [`the coordinator began life ${fact.epoch}, version ${fact.version}`],
  worker_joined: (fact) => [`${fact.worker} joined`],
  worker_suspected: (fact) => [`${fact.worker} gets no new work`, fact.why],
  worker_held_back: (fact) => [fact.is_held_back ? `${fact.worker} gets no new work: others use it` : `${fact.worker} gets work again`],
  breaker_moved: (fact) => [{ closed: `${fact.worker} is trusted with work again`, open: `${fact.worker} is not trusted with work for a while`,
    half_open: `${fact.worker} gets one attempt, to see` }[fact.breaker]],
  worker_disconnected: (fact) => [`${fact.worker} was cut off`, fact.why],
  worker_left: (fact) => [`${fact.worker} is gone`, fact.why],
  worker_set: (fact) => [`${fact.worker} was set to ${fact.admission} by an operator`],
  migration: (fact) => [`task ${fact.task} moves from ${fact.from} to ${fact.to}: ${fact.why}`, [gain(fact), weighed(fact)].filter(Boolean).join("; ")],
  migration_judged: (fact) => [`the move of task ${fact.task} brought ${fact.realised_gain_s.toFixed(2)} s`, `${fact.predicted_gain_s.toFixed(2)} s were expected`],
  preemption: (fact) => [`task ${fact.task} makes room on ${fact.worker}: ${fact.why}`, weighed(fact)],
  standstill_ended: (fact) => [`task ${fact.task}: the order to stand still was ${fact.end}`, fact.why],
  policy_chosen: (fact) => [`the policy is now ${fact.policy}`],
  cancel_requested: (fact) => [`someone asked for task ${fact.task} to stop`],
  attempt_leased: (fact) => [`task ${fact.task} runs a second time, on ${fact.worker}: ${fact.why}`, weighed(fact)],
  attempt_stopped: (fact) => [`task ${fact.task} stopped on ${fact.worker}: ${fact.reason}`, fact.message],
  task_finished: (fact) => [`task ${fact.task} ended: ${fact.verdict}${fact.failure ? ` (${fact.failure})` : ""}`],
};

/** A sentence, and where there is more to say another. */
export const inWords = (fact) => (WORDS[fact.fact] ?? (() => [fact.fact.replaceAll("_", " ")]))(fact);
