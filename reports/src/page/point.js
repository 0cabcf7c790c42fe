// Shows what a place says as soon as it is pointed at; without this a browser shows the same words after a while.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
document.querySelectorAll(".hints rect").forEach((hint) => {
  const title = hint.querySelector("title");
  hint.says = title.textContent;
  title.remove();
});
const point = (event) => {
  const says = event.target.says;
  tip.hidden = !says;
  if (!says) return;
  tip.textContent = says;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = Math.max(8, Math.min(event.clientX + 14, room)) + "px";
  tip.style.top = event.clientY + 18 + "px";
};
addEventListener("pointermove", point);
addEventListener("pointerdown", point);
