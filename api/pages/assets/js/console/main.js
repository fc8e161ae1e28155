// The staff page: asks every three seconds, draws what changed, keeps what somebody is writing.

import { el } from "../dom.js";
import { ago, now, time } from "../format.js";
import { lang, setLanguage } from "../texts.js";
import { announce, onDone, person, setPerson, watchMoves } from "./acting.js";
import { Refused } from "./client.js";
import { showDeliveries, showLog, showMailings } from "./deliveries.js";
import { handForm } from "./editor.js";
import { IncidentCard } from "./incident.js";
import { refresh, state, waiting } from "./state.js";
import { c, translate } from "./texts.js";
import { WarningCard } from "./warning.js";

const POLL_MS = 3_000;
const HIDDEN_MS = 30_000;
const RANK = ["Minor", "Moderate", "Severe", "Extreme"];
const $ = (id) => document.getElementById(id);
const only = decodeURIComponent(location.pathname.split("/")[3] ?? "");
const title = document.title;
const cards = new Map();
let asOf = null;
let timer = 0;
let running = null;
let known = null; // ids that waited last time

function start() {
  translate();
  for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => speak(button.dataset.language));
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("name").value.trim();
    if (!name) return;
    setPerson(name);
    $("incidents-title").focus();
    show();
  });
  $("other").addEventListener("click", () => {
    $("name").value = person();
    $("who").hidden = false;
    $("name").focus();
  });
  $("scheme").value = location.protocol; // a proxy may hide it from the service
  $("logout").addEventListener("submit", () => setPerson(""));
  $("log").addEventListener("toggle", () => $("log").open && anew());
  fill("by-hand", () => handForm({}));
  fill("test-alarm", () => handForm({ exercise: true }));
  onDone(anew);
  addEventListener("online", tick);
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  say("connecting", c().connecting);
  if (!document.documentElement.dataset.refused) tick();
}

/** A form that is built when it is opened, and anew when it is opened again. */
function fill(id, make) {
  $(id).addEventListener("toggle", () => $(id).querySelector("div").replaceChildren(...($(id).open ? [make()] : [])));
}

function speak(language) {
  setLanguage(language);
  translate();
  for (const id of ["by-hand", "test-alarm"]) $(id).open = false;
  cards.clear();
  document.querySelectorAll("[data-cards]").forEach((each) => each.replaceChildren());
  show();
}

function tick() {
  running ??= ask().finally(() => {
    running = null;
    clearTimeout(timer);
    if ($("login").hidden) timer = setTimeout(tick, document.hidden ? HIDDEN_MS : POLL_MS);
  });
  return running;
}

/** Ask after something happened: what is being asked already may be answered as of before. */
async function anew() {
  await running;
  await tick();
}

async function ask() {
  try {
    await refresh($("log").open);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return locked(error);
  }
  if (!["incidents", "city"].some((each) => state.failed.has(each))) asOf = now();
  $("login").hidden = true;
  show();
}

function locked(error) {
  const form = $("login");
  if (form.hidden) {
    form.hidden = false;
    trouble(error.status === 403 ? c().closed : asOf === null ? "" : c().expired);
    $("token").focus();
  }
  $("connection").hidden = asOf === null;
  say("lost", asOf === null ? "" : c().lost(clock(asOf)));
}

const clock = (ms) => time(ms, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function say(kind, text) {
  $("connection").dataset.state = kind;
  if ($("connection-text").textContent !== text) $("connection-text").textContent = text;
}

function trouble(text) {
  $("trouble").hidden = !text;
  if ($("trouble").textContent !== text) $("trouble").textContent = text;
}

/** Honest about what is old: everything, or one part. */
function showConnection() {
  const vital = ["incidents", "city"].filter((each) => state.failed.has(each));
  if (vital.length) {
    say("lost", asOf === null ? c().lost("") : c().lost(clock(asOf)));
    const half = vital.length === 1 && asOf === null;
    return trouble(half ? c().partly(c().part[vital[0]]) : asOf === null ? c().never : c().lostLong(clock(asOf)));
  }
  say("live", asOf === null ? c().connecting : c().asOf(clock(asOf)));
  trouble(state.failed.size ? c().partly([...state.failed].map((each) => c().part[each] ?? each).join(", ")) : "");
}

function show() {
  showConnection();
  $("logout").hidden = false;
  $("board").hidden = false;
  $("by").textContent = person();
  $("person").hidden = !person();
  $("who").hidden = Boolean(person()) && !$("who").contains(document.activeElement);
  const incidents = state.incidents.filter((each) => !only || each.id === only || state.city.some((one) => one.id === only && one.incident === each.id));
  const city = state.city.filter((each) => !only || each.id === only || incidents.some((one) => one.id === each.incident));
  const open = incidents.filter((each) => each.status !== "closed").sort(worst);
  const live = city.filter((each) => each.status === "proposed" || each.status === "in_force").sort(worst);
  const decide = live.filter((each) => each.status === "proposed" || each.pending);
  const past = [...incidents.filter((each) => !open.includes(each)), ...city.filter((each) => !live.includes(each))];
  watchMoves(() => {
    draw("decide", decide, WarningCard, "", true);
    $("decide").hidden = !decide.length;
    draw("incidents", open, IncidentCard, c().noIncidents, state.loaded.has("incidents"));
    draw("warnings", live.filter((each) => !decide.includes(each)), WarningCard, c().noWarnings, state.loaded.has("city"));
  });
  draw("past", past, null, "", true);
  $("past").hidden = !past.length;
  if (only && !open.length && !live.length) $("past").open = true;
  notFound(only && state.loaded.has("incidents") && state.loaded.has("city") && !incidents.length && !city.length);
  const mine = only && new Set([only, ...city.map((each) => each.id), ...incidents.flatMap((each) => [each.id, ...each.members.map((m) => m.warning)])]);
  showDeliveries(mine);
  showMailings(mine);
  if ($("log").open) showLog();
  for (const each of document.querySelectorAll("[data-ago]")) {
    const said = `(${ago(Date.parse(each.dataset.ago))})`;
    if (each.textContent !== said) each.textContent = said;
  }
  tellWaiting();
}

function notFound(missing) {
  let note = $("not-found");
  if (only && !note) {
    note = el("p", { id: "not-found" }, el("span"), " ", el("a", { href: "/console/incidents" }, c().all));
    $("board").prepend(note);
  }
  if (note) {
    note.firstChild.textContent = missing ? c().notFound(only) : "";
    note.lastChild.textContent = c().all;
  }
}

/** Proposals first, then by severity, the newest first. */
function worst(a, b) {
  const key = (each) => [each.status === "proposed" || each.pending ? 0 : 1, -RANK.indexOf(each.severity ?? each.peak_severity), -Date.parse(each.began ?? each.proposed)];
  const [x, y] = [key(a), key(b)];
  return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
}

/** Cards are kept and updated. */
function draw(name, items, Card, nothing, loaded) {
  const place = document.querySelector(`[data-cards="${name}"]`);
  const wanted = items.map((item) => {
    const key = `${name} ${item.id}`;
    const card = cards.get(key);
    if (card) card.update(item);
    else cards.set(key, new (Card ?? ("members" in item ? IncidentCard : WarningCard))(item));
    return cards.get(key).element;
  });
  for (const [key, card] of cards) if (key.startsWith(`${name} `) && !wanted.includes(card.element)) cards.delete(key);
  if (!wanted.length && nothing) wanted.push(el("p", { class: "quiet" }, loaded ? nothing : c().connecting));
  const there = [...place.children];
  const same = there.length === wanted.length && wanted.every((each, i) => each === there[i] || (each.className === "quiet" && there[i].textContent === each.textContent));
  if (!same) {
    const held = document.activeElement;
    // moving an element takes its focus; those that stay where they are keep it
    for (const each of there) if (!wanted.includes(each)) each.remove();
    wanted.forEach((each, i) => place.children[i] === each || place.insertBefore(each, place.children[i] ?? null));
    if (held !== document.activeElement && place.contains(held)) held.focus({ preventScroll: true });
  }
}

function tellWaiting() {
  const ids = waiting();
  const fresh = known === null ? ids : ids.filter((each) => !known.has(each));
  known = new Set(ids);
  document.title = `${ids.length ? `(${ids.length}) ` : ""}${title}`;
  if (fresh.length) announce(c().newThings(ids.length));
}

start();
