// Themes to filter by, and the stations with their newest values.

import { el, icon } from "./dom.js";
import { ago } from "./format.js";
import { line, model, THEMES, themeOf, warningAt } from "./model.js";
import { lang, t } from "./texts.js";

const place = document.getElementById("list");
const filters = document.getElementById("themes");
const rows = new Map();
let drawn = "";
let drawnThemes = "";

export function showThemes(chosen, choose) {
  const counts = new Map();
  for (const station of model.stations.values()) counts.set(themeOf(station), (counts.get(themeOf(station)) ?? 0) + 1);
  const shape = JSON.stringify([lang(), chosen, [...counts]]);
  if (shape === drawnThemes) return;
  drawnThemes = shape;
  const focused = filters.contains(document.activeElement) && document.activeElement.dataset.theme;
  const names = ["all", ...THEMES.filter((theme) => counts.has(theme))];
  filters.replaceChildren(
    ...names.map((theme) =>
      el(
        "button",
        { type: "button", data: { theme }, "aria-pressed": String(theme === chosen), onclick: () => choose(theme) },
        theme === "all" ? null : icon(theme),
        t().theme[theme],
        el("span", { class: "count" }, String(theme === "all" ? model.stations.size : counts.get(theme))),
      ),
    ),
  );
  if (focused) filters.querySelector(`[data-theme="${focused}"]`)?.focus();
}

/** Draw the list. Buttons stay where they are while values change under them: a press must not miss. */
export function showStations(theme, chosen, choose) {
  place.setAttribute("aria-busy", "false");
  const groups = THEMES.filter((each) => theme === "all" || each === theme)
    .map((each) => [each, [...model.stations.values()].filter((station) => themeOf(station) === each).sort(byName)])
    .filter(([, stations]) => stations.length);
  const shape = JSON.stringify([lang(), groups.map(([each, stations]) => [each, stations.map((station) => station.id)])]);
  if (shape !== drawn) {
    drawn = shape;
    rows.clear();
    const focused = place.contains(document.activeElement) && document.activeElement.dataset.station;
    const nothing = el("p", { class: "quiet" }, t().noStations);
    place.replaceChildren(...(groups.length ? groups.map(([each, stations]) => group(each, stations, choose)) : [nothing]));
    if (focused) rows.get(focused)?.focus({ preventScroll: true });
  }
  for (const [id, row] of rows) update(row, model.stations.get(id), id === chosen);
}

function byName(a, b) {
  return a.name.localeCompare(b.name, "de", { numeric: true }); // the names are German in every language
}

function group(theme, stations, choose) {
  return el(
    "section",
    { class: "group", data: { theme }, "aria-label": t().theme[theme] },
    el("h3", {}, icon(theme), t().theme[theme]),
    el("ul", { role: "list" }, stations.map((station) => el("li", {}, row(station, choose)))),
  );
}

function row(station, choose) {
  const button = el("button", { type: "button", data: { station: station.id }, onclick: () => choose(station.id) });
  rows.set(station.id, button);
  return button;
}

function update(button, station, pressed) {
  const shown = line(station);
  const warning = warningAt(station.id);
  const state = shown.state || (warning ? t().measure[warning.measure] : "");
  const old = shown.stale && shown.ms !== null;
  const age = shown.ms === null ? t().never : ago(shown.ms);
  const said = JSON.stringify([shown.value, shown.unit, shown.sub, shown.taken, state, warning?.severity, age, old, station.name]);
  button.setAttribute("aria-pressed", String(pressed));
  if (button.dataset.said === said) return;
  button.dataset.said = said;
  button.className = shown.stale ? "station stale" : "station";
  const severity = warning?.severity ?? shown.severity;
  if (severity) button.dataset.severity = severity;
  else delete button.dataset.severity;
  button.replaceChildren(
    el("span", { class: "name" }, station.name),
    el("span", { class: "value" }, shown.value, " ", el("small", {}, shown.unit)),
    el("span", { class: "sub" }, state ? el("span", { class: "state" }, state) : shown.sub),
    el("span", { class: old ? "age old" : "age" }, old ? t().old(age) : age),
    ...bar(shown.taken),
  );
}

function bar(taken) {
  if (taken === undefined || taken === null) return [];
  const filled = el("span");
  filled.style.width = `${Math.round(100 * taken)}%`;
  return [el("span", { class: "bar", "aria-hidden": "true" }, filled)];
}
