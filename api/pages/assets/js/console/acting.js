// Buttons that decide: pressed once, told what became of it, and never by a page that jumped under the finger.

import { el } from "../dom.js";
import { now, time } from "../format.js";
import { Refused, send } from "./client.js";
import { inOurWords } from "./sayings.js";
import { c } from "./texts.js";

const SETTLED_MS = 600;
const JUMP_PX = 8;
const SHOWN_MS = 8_000;
const NAME = "stadtfunk-name";
const movedAt = new WeakMap(); // button -> when the page last moved it
let afterwards = () => {};
let serial = 0;
let fading = 0;


/** Change the page and remember which buttons jumped by it; new ones have jumped too, but for the first time. */
export function watchMoves(change) {
  const board = document.getElementById("board");
  const places = () => new Map([...board.querySelectorAll("button, summary")].map((each) => [each, each.getBoundingClientRect().top]));
  const before = places();
  change();
  for (const [button, top] of places()) if (before.size && Math.abs(top - (before.get(button) ?? Infinity)) > JUMP_PX) movedAt.set(button, performance.now());
}

export const onDone = (callback) => (afterwards = callback);
export const newId = (name) => `${name}-${(serial += 1)}`;

export function person() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return kept;
  }
}
let kept = "";

export function setPerson(name) {
  kept = name;
  try {
    if (name) localStorage.setItem(NAME, name);
    else localStorage.removeItem(NAME);
  } catch {
    // as long as the page
  }
}

export function announce(text) {
  const place = document.getElementById("announce");
  place.replaceChildren(el("span", {}, text));
  clearTimeout(fading);
  fading = setTimeout(() => place.replaceChildren(), SHOWN_MS);
}

/** A button that sends `body()` to an address; `said` is what the decision is called. */
export function actButton({ label, small, kind = "", address, body, said, place }) {
  const button = el("button", { type: "button", class: kind }, el("b", {}, label), small ? el("small", {}, small) : null);
  button.addEventListener("click", async (event) => {
    // a tap aimed at what stood there a moment ago; the keyboard cannot miss
    if (event.detail && performance.now() - (movedAt.get(button) ?? -Infinity) < SETTLED_MS) return tell(place, c().moved, "doubt");
    if (!person()) {
      // nothing is decided without a name
      document.getElementById("who").hidden = false;
      return document.getElementById("name").focus();
    }
    const content = body();
    if (!content) return tell(place, c().missing, "fault");
    button.disabled = true;
    tell(place, c().sending);
    try {
      await send(address(), { by: person(), ...content });
      const done = c().done(said(), time(now(), { hour: "2-digit", minute: "2-digit", second: "2-digit" }));
      tell(place, done, "good");
      announce(done);
      await afterwards();
      if (document.activeElement === document.body) document.getElementById("main").focus();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) await afterwards();
      tell(place, error.status ? c().refusedBy(inOurWords(error.message) ?? [error.message, error.hint].filter(Boolean).join(" – ")) : c().unsure, "fault");
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

export function tell(place, text, kind = "") {
  place.className = `told ${kind}`;
  place.setAttribute("role", kind === "fault" || kind === "doubt" ? "alert" : "status");
  place.textContent = text;
}

/** A decision that needs its reason: opens, asks, sends. Suggestions fill the field; nobody has to type at night. */
export function reasonForm({ label, hint, quick, kind = "", ...act }) {
  const id = newId("reason");
  const place = el("p", { class: "told", role: "status" });
  const input = el("input", { id, maxlength: 500, autocomplete: "off" });
  const take = (text) => {
    input.value = text;
    input.focus();
  };
  const button = actButton({ ...act, label, kind: `main ${kind}`, place, body: () => (input.value.trim() ? act.body(input.value.trim()) : null) });
  return el(
    "details",
    { class: "act" },
    el("summary", { class: `button ${kind}` }, label),
    el("div", { class: "act-body" }, hint ? el("p", { class: "quiet" }, hint) : null, el("div", { class: "quick" }, quick.map((text) => el("button", { type: "button", onclick: () => take(text) }, text))), el("label", { for: id }, c().reason), input, button, place),
  );
}
