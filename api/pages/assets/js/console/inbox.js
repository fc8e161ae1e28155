// The page of unknown devices: the list, or one device with what it may be and the form that registers it.

import { el } from "../dom.js";
import { ago, number, stamp, unit } from "../format.js";
import { setLanguage, lang } from "../texts.js";
import { setPerson } from "./acting.js";
import { Refused, read } from "./client.js";
import { translateInbox, w } from "./inbox_texts.js";
import { importForm, registerForm } from "./registering.js";

const POLL_MS = 15_000;
const SHOWN_UPLINKS = 10;
const PAGE = 50;
const INBOX = "/api/v1/admin/inbox";
const $ = (id) => document.getElementById(id);
const only = decodeURIComponent(location.pathname.split("/")[3] ?? "");
let limit = PAGE;
let timer = 0;
let asked = 0;
let draw = null; // what is shown, in the language of now
let drawn = "";

function start() {
  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => {
      setLanguage(button.dataset.language);
      translateInbox();
      $("import").open = false;
      if (draw) draw();
      else load();
    });
  $("scheme").value = location.protocol; // a proxy may hide it from the service
  $("logout").addEventListener("submit", () => setPerson(""));
  $("more").addEventListener("click", () => {
    limit += PAGE;
    load();
  });
  $("import").addEventListener("toggle", () => $("import").querySelector("div").replaceChildren(...($("import").open ? [importForm(load)] : [])));
  document.addEventListener("visibilitychange", () => document.hidden || only || load());
  translateInbox();
  if (!document.documentElement.dataset.refused) load();
}

async function load() {
  clearTimeout(timer);
  try {
    await (only ? loadDevice() : loadList());
    trouble("");
    $("login").hidden = true;
    $("board").hidden = false;
    $("logout").hidden = false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if ([401, 403].includes(error.status)) return locked(error.status);
    trouble(w().lost);
  }
  // a form that somebody fills in stays as it is
  if (!only && $("login").hidden) timer = setTimeout(load, POLL_MS);
}

function locked(status) {
  if (status === 403) trouble(w().closed);
  $("login").hidden = false;
  $("token").focus();
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

async function loadList() {
  asked += 1;
  const mine = asked;
  const { items } = (await read(`${INBOX}?limit=${Math.min(limit, 200)}`)).body;
  if (mine !== asked) return; // a later answer says it
  $("unknown").hidden = false;
  $("more").hidden = items.length < limit || limit >= 200;
  draw = () => {
    const shape = JSON.stringify([lang(), items]);
    if (shape === drawn) return; // a press must not miss
    drawn = shape;
    $("devices").replaceChildren(...(items.length ? items.map(card) : [el("p", { class: "quiet" }, w().none)]));
  };
  draw();
}

function card(item) {
  const [best] = item.guesses;
  return el(
    "article",
    { class: "card", "data-device": item.device },
    el("h3", { class: "eui" }, el("a", { href: `/console/inbox/${item.device}` }, spaced(item.device))),
    best ? el("p", { class: "told" }, w().best(best.name[lang()], best.type)) : null,
    best || item.untried ? null : el("p", { class: "doubt" }, w().noGuess),
    item.untried ? el("p", { class: "quiet" }, w().untried(item.untried)) : null,
    facts(item),
    el("p", { class: "after" }, el("a", { href: `/console/inbox/${item.device}` }, w().open)),
  );
}

/** Everything that is known of it. Names come from the network server: text, whatever they look like. */
function facts(item) {
  const line = (label, text, kind = "") => (text ? el("li", {}, `${label}: `, el("span", { class: kind }, text)) : null);
  return el(
    "ul",
    {},
    el("li", {}, w().heard(item.count, stamp(Date.parse(item.first)), ago(Date.parse(item.last)))),
    item.rssi === null ? null : el("li", {}, w().signal(number(item.rssi), item.snr === null ? "–" : number(item.snr, 1), item.gateways.length)),
    el("li", {}, w().server(item.servers.join(", "))),
    line(w().called, item.name),
    line(w().profile, item.profile),
    line(w().last(item.f_port), item.payload, "eui"),
  );
}

async function loadDevice() {
  $("device").hidden = false;
  $("device-title").textContent = spaced(only);
  let item;
  try {
    item = (await read(`${INBOX}/${encodeURIComponent(only)}`)).body;
  } catch (error) {
    if (error.status !== 404) throw error;
    return show(() => [el("p", { class: "quiet" }, w().gone(only))]);
  }
  const stations = await read("/api/v1/stations?limit=10000").then(({ body }) => body.items.map((each) => each.id), () => []);
  show(() => device(item, stations));
}

/** Show this of the device, in another language too. */
function show(make) {
  draw = () => $("device-body").replaceChildren(...make());
  draw();
}

function device(item, stations) {
  const form = registerForm({
    device: item.device,
    guesses: item.guesses.map((each) => each.type),
    stations,
    done: (station) => {
      show(() => [el("p", { class: "told good", role: "status" }, w().registered(station)), el("p", {}, el("a", { href: "/console/inbox" }, w().back))]);
      $("device-title").focus();
    },
  });
  return [
    el("div", { class: "panel" }, facts(item)),
    el("h3", {}, w().guesses),
    guessed(item, form, stations),
    form.element,
    el("details", { class: "panel" }, el("summary", {}, w().uplinks), uplinkTable(item.uplinks.slice(0, SHOWN_UPLINKS))),
  ];
}

/** What it may be. Where the service had no time for every type, a button asks it to go on. */
function guessed(item, form, stations) {
  const goOn = el("button", { type: "button" }, w().goOn);
  const found = el(
    "div",
    { id: "guesses", tabindex: "-1" },
    item.guesses.length ? el("p", { class: "quiet" }, w().guessesHint) : item.untried ? null : el("p", { class: "doubt" }, w().noGuess),
    item.untried ? el("p", { role: "status" }, w().untried(item.untried), " ", goOn) : null,
    el("div", { class: "cards after" }, item.guesses.map((each) => guessCard(each, form.take))),
  );
  goOn.addEventListener("click", async () => {
    goOn.disabled = true;
    try {
      const { body } = await read(`${INBOX}/${encodeURIComponent(only)}`);
      draw = () => $("device-body").replaceChildren(...device(body, stations));
      const later = guessed(body, form, stations);
      found.replaceWith(later);
      (later.querySelector("[role=status] button") ?? later).focus();
      trouble("");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      goOn.disabled = false;
      trouble(w().lost);
    }
  });
  return found;
}

function guessCard(guess, take) {
  const good = guess.readings + guess.failed;
  const why = [
    w().reads(guess.frames),
    w().within(guess.readings, good),
    guess.missing ? w().absent(guess.missing) : "",
    w().heeded(Math.round(100 * guess.heeded), guess.seen, guess.properties),
    w().random(Math.round(100 * (1 - guess.strictness))),
    guess.named ? w().named[guess.named] : "",
  ];
  const button = el("button", { type: "button" }, w().take(guess.type));
  button.addEventListener("click", () => take(guess.type));
  return el(
    "article",
    { class: "card", "data-type": guess.type },
    el("h4", {}, `${guess.maker} ${guess.model}: ${guess.name[lang()]}`),
    el("p", {}, `${why.filter(Boolean).join("; ")}.`),
    el("ul", {}, guess.values.map((each) => el("li", {}, `${each.name[lang()]}${each.channel && ` (${each.channel})`}: ${each.value === null ? "–" : `${number(each.value, decimals(each.value))} ${unit(each.unit)}`}`))),
    el("p", { class: "after" }, button),
  );
}

const decimals = (value) => Math.min(3, (String(value).split(".")[1] ?? "").length);
const spaced = (eui) => (/^[0-9a-f]{16}$/.test(eui) ? eui.match(/.{4}/g).join(" ") : eui);

function uplinkTable(uplinks) {
  const head = [w().time, w().port, w().payload].map((text) => el("th", { scope: "col" }, text));
  const rows = uplinks.map((each) => el("tr", {}, el("td", {}, stamp(Date.parse(each.time))), el("td", {}, String(each.f_port)), el("td", { class: "eui" }, each.payload)));
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": w().uplinks }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}

start();
