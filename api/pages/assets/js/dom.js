// Small elements without innerHTML for data: what a sensor's name says is text, never markup.

export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// drawn on a grid of 24
const PATHS = {
  rain: '<path d="M12 3.500c3 3.9 5.5 7 5.5 10.200a5.5 5.5 0 0 1-11 0C6.5 10.5 9 7.4 12 3.500Z"/>',
  level: '<path d="M2.5 9c2.4-2 4.3-2 6.3 0s4.1 2 6.3 0 4.2-2 6.4 0M2.5 15.500c2.4-2 4.3-2 6.3 0s4.1 2 6.3 0 4.2-2 6.4 0"/>',
  parking: '<path d="M8 20V4h5.200a4.6 4.6 0 0 1 0 9.200H8"/>',
  traffic: '<path d="M4 20V9.500M10 20V4M16 20v-7M22 20H2"/>',
  weather: '<path d="M10 13.800V5a2.2 2.2 0 0 1 4.4 0v8.800a4 4 0 1 1-4.4 0ZM12.2 10v6.5"/>',
  other: '<circle cx="12" cy="12" r="3"/><path d="M5.5 5.500a9.2 9.2 0 0 0 0 13M18.5 5.500a9.2 9.2 0 0 1 0 13"/>',
  check: '<circle cx="12" cy="12" r="9.5"/><path d="m8 12.3 2.8 2.800L16.2 9.5"/>',
  alert: '<path d="M12 3.5 21.5 20h-19L12 3.500ZM12 10v4.500M12 17.200v.2"/>',
};

export const iconMarkup = (name) =>
  `<svg viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;

export function icon(name) {
  const template = document.createElement("template");
  template.innerHTML = iconMarkup(name);
  return template.content.firstChild;
}
