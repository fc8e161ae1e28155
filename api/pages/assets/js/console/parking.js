// The page where staff say what they counted in a car park, and read what was put right there.

import { el } from "../dom.js";
import { now, stamp } from "../format.js";
import { setLanguage } from "../texts.js";
import { newId, person, setPerson } from "./acting.js";
import { Refused, read, send } from "./client.js";
import { p, translateParking } from "./parking_texts.js";

const PARKING = "/api/v1/admin/parking";
const SHOWN = 20;
const MOST_MINUTES = 59;
const $ = (id) => document.getElementById(id);

function start() {
  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => {
      setLanguage(button.dataset.language);
      translateParking();
      load();
    });
  $("scheme").value = location.protocol; // a proxy may hide it from the service
  $("logout").addEventListener("submit", () => setPerson(""));
  translateParking();
  if (!document.documentElement.dataset.refused) load();
}

async function load() {
  try {
    await showCorrections();
    const { body } = await read("/api/v1/parking?limit=10000");
    $("form").replaceChildren(body.items.length ? countForm(body.items) : el("p", { class: "quiet" }, p().noPark));
    trouble("");
    $("login").hidden = true;
    $("board").hidden = false;
    $("logout").hidden = false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (![401, 403].includes(error.status)) return trouble(p().lost);
    if (error.status === 403) trouble(p().closed);
    $("login").hidden = false;
    $("token").focus();
  }
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

async function showCorrections() {
  const { body } = await read(`${PARKING}/corrections?limit=${SHOWN}`);
  const line = (each) =>
    el("li", {}, el("b", {}, each.station), ` ${stamp(Date.parse(each.time))} · ${p().reason[each.reason] ?? each.reason} · ${each.before} → ${each.after} · ${p().found[each.reason]?.(each) ?? ""}`, el("span", { class: "quiet", lang: "en" }, each.detail));
  $("corrections").replaceChildren(...(body.items.length ? body.items.map(line) : [el("li", { class: "quiet" }, p().none)]));
}

function countForm(parks) {
  const park = el("select", { id: newId("park"), required: true }, parks.map((each) => el("option", { value: each.station }, p().parkSaid(each))));
  const occupied = el("input", { id: newId("occupied"), type: "number", min: 0, required: true, inputmode: "numeric" });
  const ago = el("input", { id: newId("ago"), type: "number", min: 0, max: MOST_MINUTES, value: 0, required: true, inputmode: "numeric" });
  const by = el("input", { id: newId("by"), required: true, maxlength: 100, autocomplete: "name", value: person() });
  const button = el("button", { class: "main" }, p().send);
  const told = el("div", { role: "status" });
  const field = (label, input) => el("div", { class: "field" }, el("label", { for: input.id }, label), input);
  const form = el(
    "form",
    { class: "panel", id: "count" },
    field(p().park, park),
    field(p().occupied, occupied),
    field(p().ago, ago),
    field(p().by, by),
    el("p", { class: "after" }, button),
    told,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    told.replaceChildren();
    try {
      setPerson(by.value.trim());
      const time = new Date(now() - Number(ago.value) * 60_000).toISOString();
      const made = await send(`${PARKING}/${encodeURIComponent(park.value)}/count`, { occupied: Number(occupied.value), by: by.value.trim(), time });
      told.replaceChildren(el("p", { class: "told good" }, p().sent(made)));
      occupied.value = "";
      await showCorrections();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const said = p().refused[error.status];
      told.replaceChildren(el("p", { class: "problem" }, said ? `${said} ` : "", el("span", { lang: "en" }, error.message)));
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

start();
