// Parts that are folded away, and that stay as their reader left them when a card is drawn anew.

import { el } from "../dom.js";

/** `key`: its name within its card. */
export function fold(key, summary, ...children) {
  return el("details", { class: "fold", data: { fold: key } }, el("summary", {}, summary), ...children);
}

/** The first `most` of a list; the others behind what `more(n)` says. */
export function cut(key, lines, most, more) {
  const rest = lines.slice(most);
  return [el("ul", {}, lines.slice(0, most)), rest.length ? fold(key, more(rest.length), el("ul", {}, rest)) : null];
}

/** Replace what stands in a place; what is unfolded stays so, and the focus where it is. */
export function redraw(place, children) {
  const open = new Set([...place.querySelectorAll("details[open][data-fold]")].map((each) => each.dataset.fold));
  const held = place.contains(document.activeElement) ? selector(document.activeElement) : "";
  place.replaceChildren(...children);
  for (const each of place.querySelectorAll("details[data-fold]")) each.open = open.has(each.dataset.fold);
  if (held) (place.querySelector(held) ?? place.querySelector("a, summary"))?.focus({ preventScroll: true });
}

function selector(element) {
  const key = element.closest("summary")?.parentElement.dataset.fold;
  if (key) return `details[data-fold="${CSS.escape(key)}"] > summary`;
  return element.matches("a[href]") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : "";
}
