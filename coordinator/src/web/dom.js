// Elements from data. Everything is set as text: nothing that a task or a worker says is ever read as markup.

/** An element with these properties and children; a string among them becomes text. `on…` properties are listeners. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Sets text only where it differs, so that screen readers are told of changes only. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Keeps one child of `parent` for each item, in order: `create(item)` makes it, `update(child, item)` brings it up to date.
 * Children stay the same elements as long as their key stays, so that focus and announcements are not lost.
 */
export function keep(parent, items, keyOf, create, update = () => {}) {
  const before = parent.kept ?? new Map();
  const now = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = before.get(key) ?? create(item);
    update(child, item);
    now.set(key, child);
    if (child === place) place = place.nextSibling;
    else parent.insertBefore(child, place);
  }
  for (const [key, child] of before) if (!now.has(key)) child.remove();
  parent.kept = now;
}

/** A table of rows of cells; a cell is text, a number (set to the right) or an element. */
export function table(caption, heads, rows) {
  const isNumber = heads.map((_, column) => rows.length > 0 && rows.every((row) => row[column] === "" || /^[\d.]/.test(row[column])));
  const cell = (tag, content, column, scope) =>
    make(tag, { className: isNumber[column] ? "number" : "", ...(scope ? { scope } : {}) }, content);
  return make("table", {},
    make("caption", { className: "quiet" }, caption),
    make("thead", {}, make("tr", {}, ...heads.map((head, column) => cell("th", head, column, "col")))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content, column) => cell("td", content, column))))));
}
