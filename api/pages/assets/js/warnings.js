// Warnings in force, first on the page; new ones are said aloud.

import { el, icon } from "./dom.js";
import { ago, moment, number } from "./format.js";
import { model, present, severityName } from "./model.js";
import { lang, t } from "./texts.js";

const place = document.getElementById("warnings");
const heading = document.getElementById("warnings-title");
const announcer = document.getElementById("announce");
const fresh = new Set();
const opened = new Set();
const SCALE = ["Extreme", "Severe", "Moderate", "Minor"];
const FEW = 3;
const MOST = 6;
let drawn = "";

/** Warnings in force, the most serious and then the newest first. */
export function worstFirst() {
  const inForce = [...model.warnings.values()].filter((each) => each.status === "in_force" && !each.exercise);
  return inForce.sort((a, b) => SCALE.indexOf(a.severity) - SCALE.indexOf(b.severity) || b.since.localeCompare(a.since) || a.id.localeCompare(b.id));
}

export function showWarnings(choose) {
  const inForce = worstFirst();
  const real = [...model.warnings.values()].filter((each) => !each.exercise);
  showEnded(real.filter((each) => each.status === "ended"));
  showExercises([...model.warnings.values()].filter((each) => each.exercise && each.status === "in_force"));
  const shape = JSON.stringify([lang(), model.warningsKnown, inForce, inForce.map((each) => [ago(Date.parse(each.since)), model.stations.has(each.station)])]);
  if (shape === drawn) return;
  drawn = shape;
  heading.textContent = inForce.length > 1 ? t().warningsCount(inForce.length) : t().warnings;
  // a redraw must not take the focus away from whoever reads by keyboard
  const focused = document.activeElement?.dataset?.warning;
  const first = foremost(inForce);
  const cards = inForce.filter((each) => first.has(each)).map((each) => card(each, choose, inForce.length <= FEW));
  const rest = inForce.filter((each) => !first.has(each)).map((each) => card(each, choose, false));
  place.replaceChildren(...(inForce.length ? cards : [calm()]), ...(rest.length ? [more(rest)] : []));
  if (focused) place.querySelector(`[data-warning="${CSS.escape(focused)}"]`)?.focus();
  fresh.clear();
  showPresent();
}

/** What the warned stations measure now; changed in place, so that a press on a card does not miss. */
export function showPresent() {
  for (const line of place.querySelectorAll("[data-present]")) {
    const item = model.warnings.get(line.dataset.present);
    const state = item.trend === "falling" ? t().falling : "";
    const said = [state, present(item)].filter(Boolean).join(", ");
    if (line.textContent !== said) line.textContent = said;
  }
}

/** Those to see at once: the most serious, and of every measure its most serious: rain must not hide the creek. */
function foremost(sorted) {
  const first = new Set(new Map([...sorted].reverse().map((each) => [each.measure, each])).values());
  for (const each of sorted) if (first.size < MOST) first.add(each);
  return first;
}

function more(cards) {
  return keptOpen("more", el("details", { class: "more" }, el("summary", { data: { warning: "more" } }, t().moreWarnings(cards.length)), el("div", { class: "cards" }, cards)));
}

/** A details element that stays as its reader left it when it is drawn anew. */
function keptOpen(id, details) {
  details.open = opened.has(id);
  details.addEventListener("toggle", () => (details.open ? opened.add(id) : opened.delete(id)));
  return details;
}

/** Take changed warnings; say what happened. */
export function takeWarnings(items, announced) {
  for (const item of items) {
    const before = model.warnings.get(item.id);
    model.warnings.set(item.id, item);
    if (!announced || (before && before.status === item.status && before.level === item.level)) continue;
    const title = item.headline[lang()];
    const say = item.status === "ended" ? t().endedWarning : before ? t().changedWarning : t().newWarning;
    if (!before) fresh.add(item.id);
    announcer.append(el("span", {}, `${say(title)} `));
    while (announcer.childElementCount > 5) announcer.firstElementChild.remove();
  }
}

/** Where too few gauges give values: there the absence of a warning says nothing. */
export function showBlind() {
  const box = document.getElementById("blind");
  const said = model.blind.map((each) => t().blind(each.name)).join(" ");
  box.hidden = !said;
  if (box.textContent !== said) box.textContent = said;
}

function calm() {
  const [title, more] = model.warningsKnown ? [t().calm, t().calmMore] : [t().warningsUnknown, t().warningsUnknownMore];
  return el("div", { class: "calm" }, icon(model.warningsKnown ? "check" : "alert"), el("p", {}, el("b", {}, title), el("span", {}, more)));
}

function card(item, choose, roomy) {
  const since = Date.parse(item.since);
  return el(
    "article",
    { class: fresh.has(item.id) ? "warning new" : "warning", data: { severity: item.severity, id: item.id } },
    el("span", { class: "level" }, t().levelChip(item.measure, item.level, severityName(item.severity))),
    el("h3", {}, `${t().measure[item.measure] ?? item.headline[lang()]}: ${item.station_name}`),
    ...figures(item),
    item.areas.length ? el("p", { class: "for-areas" }, t().forAreas(item.areas.map((each) => each.name[lang()]))) : null,
    el("p", { class: "since" }, t().since(moment(since), ago(since))),
    item.all_clear ? el("p", { class: "since all-clear" }, t().allClear[item.all_clear]) : null,
    roomy ? said(item, choose) : keptOpen(item.id, el("details", {}, el("summary", { data: { warning: `${item.id} more` } }, t().more), said(item, choose))),
  );
}

function said(item, choose) {
  // of the message only its ground: the rest speaks of the moment it was sent, and the card of now
  const basis = item.text[lang()].split("\n")[1];
  const known = model.stations.has(item.station);
  return [
    el("p", { class: "basis" }, basis ?? item.notice[lang()]),
    known ? el("button", { type: "button", data: { warning: item.id }, onclick: () => choose(item.station) }, t().showStation) : null,
  ];
}

/** What triggered the level in force and when, and beside it what is measured now. */
function figures(item) {
  const { time, value, window_min: minutes } = item.triggered ?? { ...item, time: item.changed };
  const when = t().measured(moment(Date.parse(time)));
  const rain = item.unit === "mm";
  const big = value === null ? [] : [`${number(value, rain ? 1 : 0)} ${rain ? "l/m²" : item.unit}`, " "];
  const during = minutes === null ? [] : [el("small", {}, `${t().during(60 * minutes)},`), " "];
  return [el("p", { class: "figure" }, ...big, ...during, el("small", {}, when)), el("p", { class: "present", data: { present: item.id } })];
}

/** A drill that was released to the public: apart from the warnings, never counted as one. */
function showExercises(items) {
  const box = document.getElementById("exercises");
  box.hidden = !items.length;
  const lines = items.map((item) => el("li", { class: "exercise", data: { id: item.id } }, item.headline[lang()]));
  document.getElementById("exercises-list").replaceChildren(...lines);
}

function showEnded(items) {
  const box = document.getElementById("ended");
  box.hidden = !items.length;
  document.getElementById("ended-title").textContent = t().endedTitle(items.length);
  const lines = items
    .sort((a, b) => b.ended.localeCompare(a.ended))
    .map((item) => {
      const name = `${t().measure[item.measure] ?? item.measure}, ${item.station_name}`;
      const line = t().endedLine(name, moment(Date.parse(item.since)), moment(Date.parse(item.ended)));
      const clearance = item.all_clear ? el("span", { class: "all-clear" }, t().allClear[item.all_clear]) : null;
      return el("li", {}, line, clearance ? ". " : null, clearance);
    });
  document.getElementById("ended-list").replaceChildren(...lines);
}
