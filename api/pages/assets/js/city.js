// Warnings of the city: what a named person released, apart from the automatic notices.

import { getAll } from "./api.js";
import { el, icon } from "./dom.js";
import { moment, now } from "./format.js";
import { severityName } from "./model.js";
import { lang, t } from "./texts.js";

const section = document.getElementById("city");
const list = document.getElementById("city-list");
const announcer = document.getElementById("announce");
const SCALE = ["Extreme", "Severe", "Moderate", "Minor"];
const KEPT_MS = 24 * 3_600_000;
const items = new Map();
const heard = new Set(); // what the stream told while they were read: newer than what is read
let known = false; // until then the page's own words stand
let read = false; // once: what the first reading brings is no news
let drawn = "";

/** Read them all; what fails leaves what is shown. */
export async function readCity() {
  heard.clear();
  const all = await getAll("/api/v1/city-warnings");
  const ids = new Set([...heard, ...all.map((item) => item.id)]);
  for (const id of items.keys()) if (!ids.has(id)) items.delete(id);
  take(all.filter((item) => !heard.has(item.id)), read);
  read = true;
}

/** Take what the stream tells: it is news. */
export function takeCity(changed) {
  changed.forEach((item) => heard.add(item.id));
  take(changed, true);
}

function take(changed, aloud) {
  for (const item of changed) {
    const before = items.get(item.id);
    items.set(item.id, item);
    if (!aloud || before?.changed === item.changed || item.exercise) continue;
    announcer.append(el("span", {}, `${t().citySaid(say(item.headline))} `));
    while (announcer.childElementCount > 5) announcer.firstElementChild.remove();
  }
  known = true;
  showCity();
}

export function showCity() {
  if (!known) return;
  const shown = [...items.values()].filter((item) => item.status === "in_force" || now() - Date.parse(item.ended) < KEPT_MS).sort(urgentFirst);
  const shape = JSON.stringify([lang(), shown, shown.map((item) => [past(item), severityName(item.severity)])]);
  if (shape === drawn) return;
  drawn = shape;
  section.hidden = !shown.length;
  list.replaceChildren(...shown.map((item) => (item.status === "in_force" ? inForce(item) : ended(item))));
}

function urgentFirst(a, b) {
  const order = (item) => [item.status === "in_force" ? 0 : 1, item.exercise ? 1 : 0, SCALE.indexOf(item.severity)];
  const [one, other] = [order(a), order(b)];
  const at = one.findIndex((value, i) => value !== other[i]);
  return at < 0 ? b.changed.localeCompare(a.changed) || a.id.localeCompare(b.id) : one[at] - other[at];
}

const past = (item) => now() > Date.parse(item.valid_until);
const say = (texts) => texts[lang()] ?? texts.de;
const at = (iso) => moment(Date.parse(iso));

/** Whatever the city has not written in the page's language is German. */
const inLanguage = (texts) => ({ lang: texts[lang()] === undefined ? "de" : lang() });

function inForce(item) {
  const until = past(item) ? t().cityWas(at(item.valid_until)) : t().cityUntil(at(item.valid_until));
  return el(
    "article",
    { class: item.exercise ? "city-warning exercise" : "city-warning", data: { severity: item.severity, id: item.id } },
    el("p", { class: "band" }, icon("alert"), item.exercise ? t().exercises : t().cityBand(severityName(item.severity))),
    el("h3", inLanguage(item.headline), say(item.headline)),
    el("p", { class: "what", ...inLanguage(item.description) }, say(item.description)),
    el("p", { class: "todo" }, el("b", {}, t().cityToDo), el("span", inLanguage(item.instruction), say(item.instruction))),
    el("p", { class: "where" }, where(item)),
    el("p", { class: "who" }, `${released(item)} · ${until}`),
  );
}

function ended(item) {
  const said = t().cityEnded[item.end] ?? t().cityEnded.expire;
  const by = item.end === "expire" ? "" : item.ended_by;
  return el(
    "article",
    { class: item.exercise ? "city-ended exercise" : "city-ended", data: { id: item.id, end: item.end } },
    icon(item.end === "all_clear" ? "check" : "other"),
    el(
      "div",
      {},
      item.exercise ? el("p", { class: "band" }, t().exercises) : null,
      el("h3", inLanguage(item.headline), say(item.headline)),
      el("p", inLanguage(item.description), say(item.description)),
      say(item.instruction) ? el("p", inLanguage(item.instruction), say(item.instruction)) : null,
      el("p", { class: "who" }, said(at(item.ended), by), " · ", where(item)),
    ),
  );
}

function where(item) {
  return item.areas.length ? t().cityAreas(item.areas.map((each) => each.name[lang()])) : t().cityWhole;
}

function released(item) {
  return item.released_by_rule ? t().cityByRule(at(item.released)) : t().cityBy(item.released_by, at(item.released));
}
