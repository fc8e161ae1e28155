// The chosen station: its values now, its history, the same as a table and as CSV.

import { drawChart, resizeChart } from "./chart.js";
import { el } from "./dom.js";
import { ago, number, stamp } from "./format.js";
import { history, mainProperty } from "./history.js";
import { label, line, model, rainInLastHour, show, themeOf } from "./model.js";
import { t } from "./texts.js";

const title = document.getElementById("detail-title");
const body = document.getElementById("detail-body");
const chart = el("div", { class: "chart" });
const figures = el("dl", { class: "now" });
const after = el("div", { class: "after-chart" });
const RANGES = [6, 24, 168];
const SHOWN = 6;
const ROWS = 100;
let hours = 24;
let drawn = 0;

new ResizeObserver(() => resizeChart(chart)).observe(chart);

export async function showDetail(id) {
  const station = model.stations.get(id);
  if (!station) return;
  title.textContent = station.name;
  const said = line(station);
  const under = [t().theme[themeOf(station)], station.water, said.ms === null ? t().never : ago(said.ms)].filter(Boolean).join(" · ");
  const property = mainProperty(station);
  const head = el("div", { class: "detail-head" }, el("p", { class: "quiet" }, under), property ? ranges(id) : null);
  const focused = body.contains(document.activeElement) && document.activeElement.dataset.hours;
  body.replaceChildren(head, figures, ...(property ? [chart, after] : []));
  if (focused) body.querySelector(`[data-hours="${focused}"]`)?.focus();
  showFigures(station, said);
  if (!property) {
    body.append(el("p", { class: "quiet" }, themeOf(station) === "parking" ? parkingNote(station) : t().noHistory));
    return;
  }
  drawn += 1;
  const mine = drawn;
  try {
    const data = await history(station, property, hours);
    if (mine !== drawn) return; // somebody chose another station meanwhile
    drawChart(chart, station, property, data);
    showTable(property, data);
  } catch {
    if (mine === drawn) chart.replaceChildren(el("p", { class: "chart-note" }, t().failed));
  }
}

function ranges(id) {
  const choose = (each) => {
    hours = each;
    showDetail(id);
  };
  return el(
    "div",
    { class: "ranges", role: "group", "aria-label": t().ranges },
    RANGES.map((each) => el("button", { type: "button", data: { hours: each }, "aria-pressed": String(each === hours), onclick: () => choose(each) }, t().range[each])),
  );
}

function showFigures(station, said) {
  const shown = [];
  const rain = rainInLastHour(station);
  if (rain) shown.push([t().sumHour, number(rain.value, 1), "mm"]);
  if (themeOf(station) === "parking" || themeOf(station) === "traffic") shown.push([said.sub || t().theme[themeOf(station)], said.value, said.unit]);
  for (const reading of model.readings.get(station.id)?.values() ?? []) {
    const property = model.properties.get(reading.property);
    if (!property || property.kind === "counter" || shown.length >= SHOWN) continue;
    const { value, unit } = show(reading);
    const doubt = t().quality[reading.quality];
    shown.push([`${label(reading.property)}${reading.channel ? ` (${reading.channel})` : ""}${doubt ? `, ${doubt}` : ""}`, value, unit]);
  }
  figures.replaceChildren(...shown.map(([name, value, unit]) => el("div", {}, el("dt", {}, name), el("dd", {}, value, " ", el("small", {}, unit)))));
}

function parkingNote(station) {
  const site = model.parking.get(station.id);
  return site ? t().sensors(site.sensors_known, site.sensors_total) : t().noHistory;
}

function showTable(property, data) {
  const decimals = model.properties.get(property)?.decimals ?? 1;
  const rows = data.points.slice(-ROWS).reverse();
  const open = after.querySelector("details")?.open;
  const table = el(
    "table",
    {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t().time), el("th", { scope: "col" }, label(property)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, el("td", {}, stamp(row.ms)), el("td", {}, row.value === null ? t().noValue : number(row.value, decimals))))),
  );
  after.replaceChildren(
    el("details", { open }, el("summary", {}, t().table), el("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": t().table }, table)),
    el("a", { href: data.csv, download: "stadtfunk.csv" }, t().csv),
  );
}
