// Warning areas: their list, and what holds at a place. Where somebody is never leaves the browser.

import { getJson } from "./api.js";
import { el, icon } from "./dom.js";
import { markPlace, showAreas } from "./map.js";
import { model, severityName, warningsFor } from "./model.js";
import { lang, t } from "./texts.js";

const box = document.getElementById("place");
const answer = document.getElementById("place-said");
const list = document.getElementById("area-list");
let asked = null; // {lat, lon}, or {problem}
let drawn = "";

export async function readAreas() {
  model.areas = (await getJson("/api/v1/areas?limit=10000")).body.features;
  refreshAreas();
}

export function startAreas() {
  const button = document.getElementById("locate");
  button.hidden = !navigator.geolocation;
  button.addEventListener("click", () => {
    say({ waiting: true });
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => askAt(coords.latitude, coords.longitude),
      () => say({ problem: true }),
      { maximumAge: 60_000, timeout: 20_000 },
    );
  });
}

/** What holds at a place, found here and asked of nobody. */
export function askAt(lat, lon) {
  if (!model.areas.length) return;
  markPlace(lat, lon);
  say({ lat, lon });
}

export function refreshAreas() {
  box.hidden = !model.areas.length;
  if (box.hidden) return;
  showAreas();
  const shape = JSON.stringify([lang(), model.scale, model.warningsKnown, model.areas.map((each) => [each.id, warningsFor(each)]), asked]);
  if (shape === drawn) return;
  drawn = shape;
  list.replaceChildren(...model.areas.map((each) => row(each, false)));
  answer.replaceChildren(...said());
}

function say(next) {
  asked = next;
  refreshAreas();
}

function said() {
  if (!asked) return [];
  if (asked.waiting) return [el("p", {}, t().locating)];
  if (asked.problem) return [el("p", {}, t().notLocated)];
  const here = model.areas.filter((each) => inside(each.geometry, asked.lat, asked.lon));
  if (!here.length) return [el("p", { class: "place-none" }, t().noArea)];
  return [el("h3", {}, t().atPlace), el("ul", { role: "list" }, here.map((each) => row(each, true)))];
}

function row(area, whole) {
  const found = warningsFor(area);
  const worst = found[0];
  const name = area.properties.name[lang()] + (area.properties.fictitious ? ` (${t().fictitious})` : "");
  const state = !model.warningsKnown ? t().areaUnknown : worst ? t().areaWarned(severityName(worst.severity)) : t().areaCalm;
  const what = whole ? found.map((each) => el("span", { class: "area-what" }, `${t().measure[each.measure] ?? each.headline[lang()]}, ${t().levelChip(each.measure, each.level, severityName(each.severity))}: ${each.station_name}`)) : [];
  return el(
    "li",
    { class: worst ? "area-row warned" : "area-row", data: { area: area.id, severity: worst?.severity } },
    icon(worst || !model.warningsKnown ? "alert" : "check"),
    el("span", {}, el("b", {}, name), el("span", { class: "area-state" }, state), ...what),
  );
}

/** Even-odd rule over every ring: holes are outside, parts of a MultiPolygon inside. */
export function inside(geometry, lat, lon) {
  const rings = geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();
  let within = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [x, y] = ring[i];
      const [u, v] = ring[j];
      if (y > lat !== v > lat && lon < ((u - x) * (lat - y)) / (v - y) + x) within = !within;
    }
  }
  return within;
}
