// Colours of the canvases, for the light and the dark page. One hue from quiet to strong says how much; kinds of hardware
// have a colour each, always the same.

const LIGHT = { from: [222, 234, 248], to: [10, 61, 125] };
const DARK = { from: [30, 44, 62], to: [140, 196, 255] };

/** By kind of hardware, on the light page and on the dark one. */
const KINDS = {
  cpu: ["#2a6fc4", "#5b9fee"],
  cuda: ["#12855a", "#35b98a"],
  rocm: ["#c8502c", "#ee7f5b"],
  mps: ["#7a52c7", "#a98af0"],
  openvino: ["#a8790b", "#d9a83a"],
  qnn: ["#b8437e", "#e680b3"],
  webnn: ["#4d7d12", "#8bbd4c"],
  webgpu: ["#5f6b75", "#9aa6b0"],
};

// Asking the browser for a style makes it lay out the page, so each answer is kept until the scheme changes.
const scheme = matchMedia("(prefers-color-scheme: dark)");
const kept = new Map();
let dark = scheme.matches;
scheme.addEventListener("change", () => {
  dark = scheme.matches;
  kept.clear();
});

export const isDark = () => dark;

const remember = (key, find) => {
  if (!kept.has(key)) kept.set(key, find());
  return kept.get(key);
};

/** A colour of the style sheet. */
export const style = (name) => remember(name, () => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
});

const SHADES = 64;

/** The colour of a share from 0 to 1. */
export function shade(value) {
  const step = Math.round(Math.min(Math.max(value, 0), 1) * SHADES);
  return remember(step, () => {
    const { from, to } = dark ? DARK : LIGHT;
    return `rgb(${from.map((start, at) => Math.round(start + ((to[at] - start) * step) / SHADES)).join(" ")})`;
  });
}

export const kind = (name) => (KINDS[name] ?? KINDS.webgpu)[dark ? 1 : 0];

/** A canvas of that size in the page's pixels, sharp on any screen. Its context draws in the page's pixels. */
export function fit(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
