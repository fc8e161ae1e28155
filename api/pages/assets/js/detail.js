// The chosen station: its values now, its history, the same as a table and as CSV.

import { getJson } from "./api.js";
import { clearChart, drawChart, resizeChart } from "./chart.js";
import { el } from "./dom.js";
import { ago, moment, number, stamp } from "./format.js";
import { history, mainProperty, spacing } from "./history.js";
import { isIdle, label, line, model, rainInLastHour, show, themeOf, unitOf } from "./model.js";
import { lang, t } from "./texts.js";

const RANGES = [6, 24, 168];
const SHOWN = 6;
const ROWS = 100;
const BEHIND = new Set(["water_distance", "precipitation_intensity"]); // what a level and a sum are made of
const COUNTED_INTERVAL = /_count_interval$/; // the count of 15 minutes says it already
const title = document.getElementById("detail-title");
const body = document.getElementById("detail-body");
const under = el("p", { class: "quiet" });
const outlook = el("p", { class: "outlook" });
const figures = el("dl", { class: "now" });
const chart = el("div", { class: "chart" });
const rows = el("tbody");
const column = el("th", { scope: "col" });
const csv = el("a", { download: "stadtfunk.csv" });
let station = null;
let property = null;
let hours = RANGES[0];
let asked = 0;

new ResizeObserver(() => resizeChart(chart)).observe(chart);

/** Show a station, or show it anew after the language changed. */
export function openDetail(id) {
  const before = station?.id;
  station = model.stations.get(id);
  if (!station) return;
  if (id !== before) {
    // another station's values must not stand under this one's name
    clearChart(chart);
    rows.replaceChildren();
    csv.removeAttribute("href");
  }
  property = mainProperty(station);
  title.textContent = station.name;
  const head = el("div", { class: "detail-head" }, under, outlook, property ? ranges() : null);
  const nothing = themeOf(station) === "parking" ? [] : [el("p", { class: "quiet" }, t().noHistory)];
  body.replaceChildren(head, figures, ...(property ? [chart, after()] : nothing));
  outlook.textContent = "";
  refreshFigures();
  refreshOutlook();
  refreshChart();
}

/** What the water is heading for: the sentence that the service makes of its last readings. */
export async function refreshOutlook() {
  if (!station || themeOf(station) !== "level") return;
  const asked = station.id;
  try {
    const { body } = await getJson(`/api/v1/stations/${encodeURIComponent(asked)}`);
    const said = body.levels?.map((each) => each.outlook[lang()]).join(" · ");
    if (station?.id === asked) outlook.textContent = said ? t().outlook(said) : "";
  } catch {
    // the values themselves stay on the page
    if (station?.id === asked) outlook.textContent = "";
  }
}

export function refreshFigures() {
  if (!station) return;
  const said = line(station);
  const parts = [t().theme[themeOf(station)], station.water, said.ms === null ? t().never : ago(said.ms)];
  under.textContent = parts.filter(Boolean).join(" · ");
  const shown = valuesNow(said).map(([name, value, unit]) => el("div", {}, el("dt", {}, name), el("dd", {}, value, " ", el("small", {}, unit))));
  figures.replaceChildren(...shown);
}

export async function refreshChart() {
  if (!station || !property) return;
  asked += 1;
  const mine = asked;
  try {
    const data = await history(station, property, hours);
    if (mine !== asked) return; // somebody chose another station meanwhile
    drawChart(chart, station, property, data);
    fillTable(data);
  } catch {
    if (mine !== asked) return;
    clearChart(chart);
    chart.append(el("p", { class: "chart-note" }, t().failed));
  }
}

function ranges() {
  const button = (each) =>
    el("button", { type: "button", "aria-pressed": String(each === hours), onclick: (event) => choose(each, event.currentTarget) }, t().range[each]);
  return el("div", { class: "ranges", role: "group", "aria-label": t().ranges }, RANGES.map(button));
}

function choose(each, button) {
  hours = each;
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  refreshChart();
}

function valuesNow(said) {
  const shown = [];
  const rain = rainInLastHour(station);
  if (rain) shown.push([t().sumHour, number(rain.value, 1), unitOf("precipitation")]);
  const site = model.parking.get(station.id);
  if (site) shown.push(...parkingNow(site));
  else if (themeOf(station) === "traffic") shown.push([said.sub || t().theme[themeOf(station)], said.value, said.unit]);
  for (const reading of model.readings.get(station.id)?.values() ?? []) {
    const kind = model.properties.get(reading.property)?.kind;
    if (!["gauge", "count"].includes(kind) || BEHIND.has(reading.property) || COUNTED_INTERVAL.test(reading.property)) continue;
    if (isIdle(reading) || shown.length >= SHOWN) continue;
    const { value, unit } = show(reading);
    const doubt = t().quality[reading.quality];
    shown.push([`${label(reading.property, kind === "count" ? intervalS(reading.property) : null)}${reading.channel ? ` (${reading.channel})` : ""}${doubt ? `, ${doubt}` : ""}`, value, unit]);
  }
  return shown;
}

function parkingNow(site) {
  return [
    [t().freeNow, site.free === null ? t().noValue : number(site.free), ""],
    [t().spaces, number(site.capacity), ""],
    [t().sensorsTitle, number(site.sensors_known), t().ofSensors(site.sensors_total)],
    ...(site.time ? [[t().asOf, moment(Date.parse(site.time)), ""]] : []),
  ];
}

function intervalS(counted) {
  const times = counted === "precipitation" ? [...(model.rain.get(station.id)?.keys() ?? [])].sort((a, b) => a - b) : [];
  return spacing(times) ?? station.interval_s;
}

function after() {
  csv.textContent = t().csv;
  const table = el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t().time), column)), rows);
  const box = el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": t().table }, table);
  return el("div", { class: "after-chart" }, el("details", {}, el("summary", {}, t().table), box), csv);
}

function fillTable(data) {
  const inUnit = unitOf(property);
  column.textContent = `${label(property, data.everyS)}${inUnit ? ` (${inUnit})` : ""}`;
  const decimals = model.properties.get(property)?.decimals ?? 1;
  const shown = (value) => (value === null ? t().noValue : number(value, decimals));
  rows.replaceChildren(...data.points.slice(-ROWS).reverse().map((row) => el("tr", {}, el("td", {}, stamp(row.ms)), el("td", {}, shown(row.value)))));
  csv.href = data.csv;
}
