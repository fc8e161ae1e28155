// One warning of the city: a proposal to release with its text in view, or one in force to change and call off.

import { el } from "../dom.js";
import { moment } from "../format.js";
import { lang } from "../texts.js";
import { actButton, newId, reasonForm } from "./acting.js";
import { Editor, field } from "./editor.js";
import { fold, redraw } from "./fold.js";
import { chip, folded, lazily, since } from "./incident.js";
import { inOurWords } from "./sayings.js";
import { areaNames, catchmentName, severityName, state } from "./state.js";
import { c } from "./texts.js";

const address = (id) => `/api/v1/admin/city-warnings/${encodeURIComponent(id)}/steps`;
const at = (iso) => moment(Date.parse(iso));

export class WarningCard {
  constructor(item) {
    this.head = el("div");
    this.body = el("div");
    this.foot = el("div", { class: "foldings" });
    this.element = el("article", { class: "card city", data: { id: item.id } }, this.head, this.body);
    this.update(item);
  }

  update(item) {
    const shown = JSON.stringify([item, lang(), state.areas.length, Boolean(state.scale)]);
    if (shown === this.shown) return;
    this.shown = shown;
    redraw(this.head, head(item));
    redraw(this.foot, steps(item));
    this.element.dataset.severity = item.severity;
    const standing = JSON.stringify([item.status, item.severity, item.areas, item.texts, item.valid_until, item.pending, lang(), state.areas.length]);
    if (standing === this.standing) return;
    if (this.status === item.status && this.editor?.busy) return this.offer(item, standing);
    this.standing = standing;
    this.status = item.status;
    this.editor = null;
    redraw(this.body, this.actions(item));
  }

  /** Somebody is at it: what they write stays, and they are told. */
  offer(item, standing) {
    const take = () => {
      this.standing = standing;
      redraw(this.body, this.actions(item));
      this.body.querySelector("textarea")?.focus();
    };
    this.notice.replaceChildren(c().newer, " ", el("button", { type: "button", onclick: take }, c().takeNew));
    this.notice.hidden = false;
  }

  actions(item) {
    this.notice = el("p", { class: "doubt", role: "alert", hidden: true });
    if (item.status === "proposed") return [...this.proposal(item, item), this.foot];
    if (item.status === "in_force") return this.standingOne(item);
    return [this.foot];
  }

  /** `said`: what is proposed: the warning itself, or the change of one in force. */
  proposal(item, said) {
    const place = el("p", { class: "told", role: "status" });
    const small = el("small");
    this.editor = new Editor(said, () => (small.textContent = this.editor.summary()));
    small.textContent = this.editor.summary();
    const { reason, release } = this.sender(item, { action: "release", label: c().release, preset: c().releaseReason, place });
    release.append(small);
    const decline = reasonForm({ address: () => address(item.id), said: () => c().action.decline, label: c().declineProposal, quick: c().declineQuick, body: (why) => ({ action: "decline", reason: why, seen: item.steps.length }) });
    return [this.notice, this.editor.element, field(c().reason, reason), el("p", { class: "quiet" }, c().releaseHint), el("div", { class: "acts" }, release, decline), place];
  }

  standingOne(item) {
    const end = (action, label, hint, quick) =>
      reasonForm({ address: () => address(item.id), said: () => c().action[action], label, hint, quick, body: (why) => ({ action, reason: why }) });
    const update = lazily(c().update, () => {
      const place = el("p", { class: "told", role: "status" });
      this.editor = new Editor(item);
      const { reason, release } = this.sender(item, { action: "update", label: c().updateSend, preset: c().updateReason, place });
      return el("div", {}, this.editor.element, field(c().reason, reason), release, place);
    });
    const pending = item.pending ? [el("h4", {}, c().pending), ...this.proposal(item, item.pending)] : [this.notice];
    const changes = el("div", { class: "acts", role: "group", "aria-label": c().decisions }, item.pending ? null : update, end("cancel", c().cancel, c().cancelHint, c().cancelQuick));
    return [
      ...pending,
      el("div", { class: "acts" }, end("all_clear", c().callOff, c().callOffHint, c().callOffQuick)),
      el("div", { class: "foldings" }, fold("more", c().wording, item.pending ? el("h4", {}, c().nowSaid) : null, texts(item), changes, this.foot)),
    ];
  }

  sender(item, { action, label, preset, place }) {
    const reason = el("input", { id: newId("reason"), maxlength: 500, autocomplete: "off", value: preset });
    const body = () => (reason.value.trim() ? { action, reason: reason.value.trim(), seen: item.steps.length, ...this.editor.value() } : null);
    return { reason, release: actButton({ label, kind: "main release", address: () => address(item.id), place, body, said: () => c().action[action] }) };
  }
}

function head(item) {
  const incident = state.incidents.find((each) => each.id === item.incident);
  return [
    item.exercise ? el("p", { class: "exercise" }, c().exercise) : null,
    el("p", { class: "line" }, chip(item.severity), el("b", {}, c().status[item.status] ?? item.status)),
    el("h3", {}, el("a", { href: `/console/incidents/${encodeURIComponent(item.id)}` }, item.texts[lang()]?.headline ?? item.texts.de?.headline ?? severityName(item.severity))),
    el("p", {}, [areaNames(item.areas), incident && catchmentName(incident.catchment)].filter(Boolean).join(" · ")),
    el("p", {}, ...since(item.released ?? item.proposed), " · ", item.ended ? c().ended(at(item.ended)) : c().until(at(item.valid_until))),
    waits(item) && item.steps.length ? el("p", { class: "last" }, step(item.steps.at(-1))) : null,
  ].filter(Boolean);
}

const waits = (item) => item.status === "proposed" || item.pending;
const step = (each) => c().decided(c().action[each.action] ?? each.action, who(each.by), at(each.time), why(each));

/** How it came to it; of what waits for a decision the last step stands above. */
function steps(item) {
  const earlier = waits(item) ? item.steps.slice(0, -1) : item.steps;
  return [folded("steps", waits(item) ? c().earlierDecisions : c().decisions, [...earlier].reverse().map(step))].filter(Boolean);
}

/** A rule that the city wrote may propose and release; it is no person. */
const who = (by) => (by.startsWith("rule ") ? c().rule(by.slice(5)) : by);

const why = (step) => (step.by.startsWith("rule ") && inOurWords(step.reason)) || step.reason;

/** As people read it now. */
function texts(item) {
  const said = (text, language) => el("div", { class: "said", lang: language === "en" ? "en" : "de" }, el("b", {}, text.headline), el("p", {}, text.description), el("p", {}, text.instruction));
  const [first, ...rest] = ["de", "en", "einfach"].filter((each) => item.texts[each]);
  if (!first) return "";
  return el("div", {}, said(item.texts[first], first), rest.map((each) => fold(`text ${each}`, c().language[each], said(item.texts[each], each))));
}
