// The text of a warning of the city, to read and to change: what stands here is what goes out.

import { el } from "../dom.js";
import { moment, now } from "../format.js";
import { lang } from "../texts.js";
import { actButton, newId } from "./acting.js";
import { Refused, read } from "./client.js";
import { SEVERITIES, areaName, areaNames, severityName, state } from "./state.js";
import { c, testTexts } from "./texts.js";

const LANGUAGES = ["de", "en", "einfach"];
const FIELDS = { headline: 160, description: 2000, instruction: 2000 };
const SPANS = [60, 120, 180, 360, 720];
const DEFAULT_MIN = 180;
const EXERCISE_MIN = 60;
const MINUTE = 60_000;

/** `standing`: {severity, areas, texts, valid_until?}. `changed` is called when somebody changes something. */
export class Editor {
  constructor(standing, changed = () => {}) {
    this.dirty = false;
    this.changed = changed;
    this.element = el("div", { class: "editor" });
    this.element.addEventListener("input", (event) => {
      this.dirty = true;
      if (event.target.dataset.tongue === "de") this.older.hidden = false;
      this.changed(event.target);
    });
    this.set(standing);
  }

  set(standing) {
    this.standing = standing;
    this.dirty = false;
    this.texts = {};
    this.older = el("p", { class: "doubt", hidden: true }, c().older);
    const languages = LANGUAGES.filter((each) => standing.texts[each] || each !== "einfach");
    const first = this.text("de", standing.texts.de);
    const rest = languages.slice(1).map((each) => el("details", {}, el("summary", {}, el("b", {}, c().language[each]), standing.texts[each] ? `: ${standing.texts[each].headline}` : ""), this.text(each, standing.texts[each])));
    this.severity = el("select", { id: newId("severity") }, SEVERITIES.map((each) => el("option", { value: each, selected: each === standing.severity }, severityName(each))));
    this.boxes = [...new Set([...state.areas.map((each) => each.id), ...standing.areas])].map((id) => el("input", { type: "checkbox", value: id, checked: standing.areas.includes(id) }));
    this.areaLine = el("span", {}, areaNames(standing.areas));
    const areas = this.boxes.length
      ? el("details", {}, el("summary", {}, el("b", {}, c().areas), ": ", this.areaLine), el("fieldset", { class: "boxes" }, el("legend", {}, c().areasHint), this.boxes.map((box) => el("label", {}, box, areaName(box.value)))))
      : null;
    this.valid = el("select", { id: newId("valid") }, this.spans(standing.exercise ? EXERCISE_MIN : DEFAULT_MIN));
    this.element.replaceChildren(
      el("div", { class: "pair" }, field(c().severity, this.severity), field(c().valid, this.valid)),
      ...[areas, first, this.older, ...rest].filter(Boolean),
    );
  }

  spans(preferred) {
    const until = Date.parse(this.standing.valid_until ?? "");
    const keep = until > now() ? [el("option", { value: "" }, c().validKeep(moment(until)))] : [];
    const preset = keep.length ? 0 : preferred;
    return [...keep, ...SPANS.map((each) => el("option", { value: String(each), selected: each === preset }, c().validFor(c().span(each), moment(now() + each * MINUTE))))];
  }

  text(language, said) {
    const spoken = language === "en" ? "en" : "de";
    this.texts[language] = Object.entries(FIELDS).map(([name, most]) => {
      const rows = { headline: 2, description: 4, instruction: 4 }[name];
      const box = el("textarea", { id: newId(name), rows, maxlength: most, lang: spoken, data: { tongue: language, name } });
      box.value = said?.[name] ?? "";
      return box;
    });
    const fields = this.texts[language].map((box) => field(c()[box.dataset.name], box));
    return el("fieldset", { class: "text" }, el("legend", {}, c().language[language]), fields);
  }

  get areas() {
    return this.boxes.filter((each) => each.checked).map((each) => each.value);
  }

  /** What is sent: all that stands here, so that nothing goes out that nobody saw. */
  value() {
    const texts = {};
    for (const [language, boxes] of Object.entries(this.texts)) {
      const said = Object.fromEntries(boxes.map((box) => [box.dataset.name, box.dataset.name === "headline" ? box.value.replace(/\s+/g, " ").trim() : box.value.trim()]));
      if (Object.values(said).some(Boolean)) texts[language] = said;
    }
    return { severity: this.severity.value, areas: this.areas, texts, ...(this.valid.value ? { valid_min: Number(this.valid.value) } : {}) };
  }

  /** In short what is about to go out. */
  summary() {
    this.areaLine.textContent = areaNames(this.areas);
    const until = this.valid.value ? now() + Number(this.valid.value) * MINUTE : Date.parse(this.standing.valid_until);
    return [severityName(this.severity.value), areaNames(this.areas), c().until(moment(until))].join(" · ");
  }

  get busy() {
    return this.dirty || this.element.contains(document.activeElement);
  }
}

export function field(label, control) {
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

/** A warning that begins with a person: by hand, for an incident or not; or a test alarm. */
export function handForm({ incident = "", exercise = false }) {
  const item = state.incidents.find((each) => each.id === incident);
  const place = el("p", { class: "told", role: "status" });
  const reason = el("input", { id: newId("reason"), maxlength: 500, autocomplete: "off", value: exercise ? c().testReason : c().proposeReason });
  const small = el("small");
  let drafts = 0;
  let written = false; // somebody changed the texts: a new draft must not overwrite them
  const editor = new Editor({ severity: item?.severity ?? (exercise ? "Minor" : "Severe"), areas: [], texts: exercise ? testTexts() : {}, exercise }, (target) => {
    small.textContent = editor.summary();
    if (target.tagName === "TEXTAREA") written = true;
    else if (!exercise) draft();
  });
  small.textContent = editor.summary();

  async function draft() {
    if (written) return;
    drafts += 1;
    const mine = drafts;
    const asked = { ...editor.value() };
    const query = new URLSearchParams({ severity: asked.severity, ...(incident ? { incident } : {}) });
    for (const each of asked.areas) query.append("areas", each);
    try {
      const { body } = await read(`/api/v1/admin/city-warnings/draft?${query}`);
      if (written || mine !== drafts) return; // somebody wrote or chose another meanwhile
      const open = [...editor.element.querySelectorAll("details")].map((each) => each.open);
      const held = document.activeElement;
      const valid = editor.valid.value;
      for (const [language, boxes] of Object.entries(editor.texts)) for (const box of boxes) box.value = body.texts[language]?.[box.dataset.name] ?? "";
      if (body.texts.einfach && !editor.texts.einfach) {
        editor.set({ severity: asked.severity, areas: asked.areas, texts: body.texts });
        editor.valid.value = valid;
        editor.element.querySelectorAll("details").forEach((each, i) => (each.open = open[i] ?? false));
        if (held === editor.element || !document.contains(held)) editor.severity.focus();
      }
      small.textContent = editor.summary();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      place.textContent = c().draftFailed;
    }
  }
  if (!exercise) draft();

  const body = (release) => () =>
    reason.value.trim() ? { ...editor.value(), reason: reason.value.trim(), release, ...(incident ? { incident } : {}), ...(exercise ? { exercise } : {}) } : null;
  const address = () => "/api/v1/admin/city-warnings";
  const release = actButton({ label: exercise ? c().testSend : c().release, kind: "main release", address, place, body: body(true), said: () => c().action.release });
  release.append(small);
  const propose = exercise ? null : actButton({ label: c().propose, address, place, body: body(false), said: () => c().action.propose });
  return el("div", { lang: lang() }, el("p", { class: "quiet" }, exercise ? c().testHint : c().releaseHint), editor.element, field(c().reason, reason), el("div", { class: "acts" }, release, propose), place);
}
