// One incident: what stands first is what a person decides by.

import { el } from "../dom.js";
import { ago, moment, number } from "../format.js";
import { lang } from "../texts.js";
import { actButton, reasonForm } from "./acting.js";
import { handForm } from "./editor.js";
import { catchmentName, severityName, state, stationName } from "./state.js";
import { c } from "./texts.js";

const address = (id) => `/api/v1/admin/incidents/${encodeURIComponent(id)}/decisions`;
const MOST_FIGURES = 4;
const RANKS = ["Minor", "Moderate", "Severe", "Extreme"];
const at = (iso) => moment(Date.parse(iso));

export class IncidentCard {
  constructor(item) {
    this.head = el("div");
    this.element = el("article", { class: "card", data: { id: item.id } }, this.head);
    if (item.status !== "closed" && !item.exercise) this.element.append(...this.buttons(item.id));
    this.update(item);
  }

  update(item) {
    // there is one warning of the city for an incident: while it is open, that one is to be changed
    if (this.hand) this.hand.hidden = state.city.some((each) => each.incident === item.id && ["proposed", "in_force"].includes(each.status));
    const shown = JSON.stringify([item, lang(), item.members.map((m) => [state.notices.get(m.warning), state.courses.get(m.station)]), state.catchments.size, state.stations.size]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.head.replaceChildren(...head(item));
    if (item.severity) this.element.dataset.severity = item.severity;
    else delete this.element.dataset.severity;
  }

  buttons(id) {
    const place = el("p", { class: "told", role: "status" });
    const act = (action) => ({ address: () => address(id), said: () => c().action[action] });
    this.hand = lazily(c().handHere, () => handForm({ incident: id }));
    const acknowledge = actButton({ ...act("acknowledge"), label: c().say.acknowledge, place, body: () => ({ action: "acknowledge", reason: c().quick.acknowledge }) });
    const others = ["confirm", "decline", "all_clear"].map((action) =>
      reasonForm({ ...act(action), label: c().say[action], hint: c().hint[action], quick: c().quick[action], body: (reason) => ({ action, reason }) }),
    );
    return [el("div", { class: "acts", role: "group", "aria-label": c().decisions }, acknowledge, ...others, this.hand), place];
  }
}

/** What is seldom needed is built when somebody opens it. */
export function lazily(label, make, kind = "act") {
  const body = el("div", { class: "act-body" });
  const details = el("details", { class: kind }, el("summary", { class: "button" }, label), body);
  details.addEventListener("toggle", () => {
    if (details.open && !body.firstChild) body.append(make());
  });
  return details;
}

export function chip(severity) {
  return severity ? el("span", { class: "chip", data: { severity } }, severityName(severity)) : null;
}

export function since(iso) {
  return [c().since(at(iso)), " ", el("span", { class: "quiet", data: { ago: iso } }, `(${ago(Date.parse(iso))})`)];
}

function head(item) {
  const inForce = item.members.filter((each) => each.in_force);
  const expires = inForce.map((each) => state.notices.get(each.warning)?.expires).filter(Boolean).sort()[0];
  const over = item.members.filter((each) => !each.in_force);
  return [
    item.exercise ? el("p", { class: "exercise" }, c().exercise) : null,
    el("p", { class: "line" }, chip(item.severity ?? item.peak_severity), el("b", {}, c().status[item.status])),
    el("h3", {}, el("a", { href: `/console/incidents/${encodeURIComponent(item.id)}` }, catchmentName(item.catchment))),
    el("p", {}, ...since(item.began), item.ended ? ` · ${c().ended(at(item.ended))}` : ""),
    courses(inForce),
    expires ? el("p", {}, c().notices(at(expires))) : null,
    ...figures(inForce),
    list(c().lostTitle, item.lost.map((each) => c().lost_(stationName(each.station), at(each.since))), "doubt"),
    list(c().doubtTitle, item.unverified.map((each) => c().doubted(stationName(each.station), value(each.value, each.measure), at(each.time)))),
    list(c().decisions, [...item.decisions].reverse().map((each) => c().decided(c().action[each.action] ?? each.action, each.by, at(each.time), each.reason))),
    over.length ? el("details", {}, el("summary", {}, `${c().over}: ${over.length}`), el("ul", {}, over.map((each) => el("li", {}, member(each))))) : null,
  ].filter(Boolean);
}

/** The most serious few; who decides must not scroll past twenty gauges to the buttons. */
function figures(members) {
  const sorted = [...members].sort((a, b) => RANKS.indexOf(b.severity) - RANKS.indexOf(a.severity));
  const [first, rest] = [sorted.slice(0, MOST_FIGURES), sorted.slice(MOST_FIGURES)];
  return [list(c().figures, first.map(member)), rest.length ? el("details", {}, el("summary", {}, c().moreFigures(rest.length)), el("ul", {}, rest.map((each) => el("li", {}, member(each))))) : null];
}

/** How fast the water rises, and until when which mark is reached, as an interval. */
function courses(members) {
  const lines = [...new Set(members.map((each) => each.station))].flatMap((station) =>
    (state.courses.get(station) ?? []).map((level) => el("li", {}, el("b", {}, stationName(station)), `: ${number(level.level_cm)} cm, ${level.outlook[lang()]}`)),
  );
  return list(c().course, lines, "course");
}

export function list(title, lines, kind = "") {
  return lines.length ? el("div", { class: `list ${kind}` }, el("h4", {}, title), el("ul", {}, lines.map((each) => (each instanceof Element && each.tagName === "LI" ? each : el("li", {}, each))))) : null;
}

function member(each) {
  const what = `${stationName(each.station)}: ${c().measure[each.measure] ?? each.measure} ${value(each.value, each.measure)}`;
  const during = each.window_min === null ? "" : ` ${c().during(each.window_min)}`;
  const notice = state.notices.get(each.warning);
  const said = [`${c().level(each.measure, each.level)} · ${severityName(each.severity)}`, c().since(at(each.since)), each.audience && c().told[each.audience], believed(each.confirmation, notice?.witness)];
  return el("span", {}, el("b", {}, what + during), el("br"), said.filter(Boolean).join(" · "));
}

function value(number_, measure) {
  if (number_ === null) return "–";
  return /level|basin/.test(measure) ? `${number(number_)} cm` : `${number(number_, 1)} l/m²`;
}

function believed(confirmation, words) {
  if (!confirmation) return "";
  return `${c()[confirmation]}${words ? ` (${witnesses(words)})` : ""}`;
}

const SAYINGS = [
  [/^fewer than (\d+) other gauges within ([\d.]+) km$/, (n, km) => c().fewer(n, km)],
  [/^(\d+) of (\d+) neighbours report$/, (n, all) => c().report(n, all)],
  [/^(\d+) of (\d+) reporting neighbours$/, (n, all) => c().agree(n, all)],
  [/^no rain and no other level of the catchment$/, () => c().nobody],
];

/** Who agreed, or why nobody did, in words for people; the engine's own where it says something new. */
export function witnesses(words) {
  for (const [pattern, say] of SAYINGS) {
    const found = pattern.exec(words);
    if (found) return say(...found.slice(1));
  }
  return words
    .split(", ")
    .map((each) => {
      const [kind, ...who] = each.split(" ");
      return kind in c().witness ? `${c().witness[kind]} ${stationName(who.join(" "))}` : each;
    })
    .join(", ");
}
