// One worker or one task, beside the page. It is closed by its button, by Escape, or by opening another.

import { find, make } from "./dom.js";
import { taskDetails } from "./task.js";
import { workerDetails } from "./worker.js";

let open = null;

export function begin() {
  find("details").addEventListener("close", () => {
    open?.end?.();
    open = null;
    find("details").replaceChildren();
  });
}

export function draw() {
  open?.draw?.();
}

export const openWorker = (name) => show(`Worker ${name}`, (body) => workerDetails(name, body, openTask));
export const openTask = (id) => show(`Task ${id}`, (body) => taskDetails(id, body, openWorker));

/** Shows what `fill(body)` puts there; it answers with `draw`, called at each frame, and `end`. */
function show(title, fill) {
  const dialog = find("details");
  open?.end?.();
  const body = make("div");
  const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(make("div", { className: "head" }, make("h2", { id: "details-title" }, title), close), body);
  open = fill(body);
  open.draw?.();
  if (!dialog.open) dialog.showModal();
  close.focus();
}

/** Terms and what they are. */
export function terms(pairs) {
  return make("dl", {}, ...pairs.flatMap(([term, said]) => [make("dt", {}, term), make("dd", {}, said)]));
}

/** A button that orders something and says what became of it in `told`. */
export function orderButton(label, told, act) {
  const button = make("button", { type: "button", onclick: async () => {
    button.disabled = true;
    told.className = "quiet";
    try {
      await act();
      told.textContent = `${label}: done.`;
    } catch (error) {
      told.className = "bad";
      told.textContent = `${label}: ${error.message}`;
    }
    button.disabled = false;
  } }, label);
  return button;
}
