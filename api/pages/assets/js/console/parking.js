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
let parks = null; // station -> what is known of it
let corrections = [];
const $ = (id) => document.getElementById(id);

function start() {
  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => {
      setLanguage(button.dataset.language);
      translateParking();
      if (parks) draw();
      else load();
    });
  $("scheme").value = location.protocol; // a proxy may hide it from the service
  $("logout").addEventListener("submit", () => setPerson(""));
  translateParking();
  if (!document.documentElement.dataset.refused) load();
}

async function load() {
  try {
    await refresh();
    draw();
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

function draw() {
  const counted = [...parks.values()].filter((each) => each.source === "counters");
  const others = [...parks.values()].filter((each) => each.source !== "counters").map((each) => each.name);
  $("form").replaceChildren(
    counted.length ? countForm(counted) : el("p", { class: "quiet" }, p().noPark),
    ...(counted.length && others.length ? [el("p", { class: "quiet" }, p().others(others.join(", ")))] : []),
  );
  showCorrections();
}

/** What is known of the car parks, by station, and what was put right there. */
async function refresh() {
  const made = await read(`${PARKING}/corrections?limit=${SHOWN}`);
  const { body } = await read("/api/v1/parking?limit=10000");
  parks = new Map(body.items.map((each) => [each.station, each]));
  corrections = made.body.items;
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

function showCorrections() {
  const line = (each) =>
    el("li", {}, el("b", {}, parks.get(each.station)?.name ?? each.station), ` ${stamp(Date.parse(each.time))}`, el("br"), p().why[each.reason]?.(each) ?? each.detail);
  $("corrections").replaceChildren(...(corrections.length ? corrections.map(line) : [el("li", { class: "quiet" }, p().none)]));
}

function countForm(counted) {
  const park = el("select", { id: newId("park"), required: true }, counted.map((each) => el("option", { value: each.station }, each.name)));
  const soFar = el("p", { class: "quiet" });
  const say = () => {
    const chosen = parks.get(park.value);
    soFar.textContent = chosen ? p().soFar(chosen) : "";
    if (chosen) occupied.max = chosen.capacity;
  };
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
    soFar,
    field(p().occupied, occupied),
    field(p().ago, ago),
    field(p().by, by),
    el("p", { class: "after" }, button),
    told,
  );
  park.addEventListener("change", say);
  say();
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
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told.replaceChildren(el("p", { class: "problem" }, refusal(error)));
      return;
    } finally {
      button.disabled = false;
    }
    // the count is taken, whatever becomes of this
    await refresh().then(
      () => (say(), showCorrections()),
      () => trouble(p().lost),
    );
  });
  return form;
}

/** Why a count was not taken. */
function refusal({ status, reason, message }) {
  if (reason) return p().refused[reason] ?? message;
  if (status === 422) return message;
  return [401, 403].includes(status) ? p().loginAgain : p().notSent;
}

start();
