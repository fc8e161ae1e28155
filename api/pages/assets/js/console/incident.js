// One incident: what stands first is what a person decides by.

import { el } from "../dom.js";
import { ago, moment, now } from "../format.js";
import { lang } from "../texts.js";
import { actButton, reasonForm } from "./acting.js";
import { courses } from "./courses.js";
import { handForm } from "./editor.js";
import { cut, fold, redraw } from "./fold.js";
import { byStation, highestFirst, notice, value } from "./notices.js";
import { catchmentName, severityName, state, stationName } from "./state.js";
import { c } from "./texts.js";

const address = (id) => `/api/v1/admin/incidents/${encodeURIComponent(id)}/decisions`;
const at = (iso) => moment(Date.parse(iso));
const MOST_LOST = 2;
const REDRAWN_MS = 60_000; // what is said in minutes

export class IncidentCard {
  constructor(item) {
    this.head = el("div");
    this.foot = el("div", { class: "foldings" });
    const decidable = item.status !== "closed" && !item.exercise;
    this.element = el("article", { class: "card", data: { id: item.id } }, this.head, ...(decidable ? this.buttons(item.id) : []), this.foot);
    this.update(item);
  }

  update(item) {
    // there is one warning of the city for an incident: while it is open, that one is to be changed
    if (this.hand) this.hand.hidden = state.city.some((each) => each.incident === item.id && ["proposed", "in_force"].includes(each.status));
    const shown = JSON.stringify([item, lang(), item.members.map((m) => [state.notices.get(m.warning), state.courses.get(m.station)]), Math.floor(now() / REDRAWN_MS), state.catchments.size, state.stations.size]);
    if (shown === this.shown) return;
    this.shown = shown;
    redraw(this.head, head(item));
    redraw(this.foot, foot(item));
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

/** What a person decides by. */
function head(item) {
  const inForce = item.members.filter((each) => each.in_force);
  const [highest] = highestFirst(inForce);
  const lost = item.lost.map((each) => el("li", {}, c().lost_(stationName(each.station), at(each.since))));
  const last = item.decisions.at(-1);
  return [
    item.exercise ? el("p", { class: "exercise" }, c().exercise) : null,
    el("div", { class: "line" }, chip(item.severity ?? item.peak_severity), el("h3", {}, el("a", { href: `/console/incidents/${encodeURIComponent(item.id)}` }, catchmentName(item.catchment)))),
    el("p", {}, el("b", {}, c().status[item.status]), " · ", ...since(item.began), item.ended ? ` · ${c().ended(at(item.ended))}` : ""),
    highest ? el("div", { class: "list" }, el("h4", {}, inForce.length > 1 ? c().highest : c().figures), ...notice(highest)) : null,
    courses(inForce),
    lost.length ? el("div", { class: "list doubt" }, el("h4", {}, c().lostTitle), ...cut("lost", lost, MOST_LOST, c().moreLost).filter(Boolean)) : null,
    last ? el("p", { class: "last" }, decided(last)) : null,
  ].filter(Boolean);
}

/** What else there is, folded. */
function foot(item) {
  const inForce = item.members.filter((each) => each.in_force);
  const over = item.members.filter((each) => !each.in_force);
  const expires = inForce.map((each) => state.notices.get(each.warning)?.expires).filter(Boolean).sort()[0];
  const stations = new Set(inForce.map((each) => each.station)).size;
  const earlier = item.decisions.slice(0, -1).reverse();
  return [
    inForce.length ? fold("notices", c().noticesAt(inForce.length, stations), expires ? el("p", {}, c().notices(at(expires))) : null, el("ul", {}, byStation(inForce))) : null,
    folded("doubt", c().doubtTitle, item.unverified.map((each) => c().doubted(stationName(each.station), value(each.value, each.measure), at(each.time)))),
    folded("decisions", c().earlierDecisions, earlier.map(decided)),
    folded("over", c().overNotices, highestFirst(over).map((each) => notice(each, "over "))),
  ].filter(Boolean);
}

const decided = (each) => c().decided(c().action[each.action] ?? each.action, each.by, at(each.time), each.reason);

/** A list behind its title and its length. */
export function folded(key, title, lines) {
  return lines.length ? fold(key, `${title}: ${lines.length}`, el("ul", {}, lines.map((each) => el("li", {}, each)))) : null;
}
