// The residents' page: read everything once, then keep up with the stream.

import { getAll, getJson } from "./api.js";
import { askAt, readAreas, refreshAreas, startAreas } from "./areas.js";
import { readCity, showCity, takeCity } from "./city.js";
import { openDetail, refreshChart, refreshFigures, refreshOutlook } from "./detail.js";
import { now } from "./format.js";
import { showStations, showThemes } from "./list.js";
import { connect, isLive, showConnection } from "./live.js";
import { panTo, relabelMap, showMap, startMap } from "./map.js";
import { model, takeRain, takeReading, themeOf } from "./model.js";
import { showOfficial, startOfficial } from "./official.js";
import { setLanguage, translatePage } from "./texts.js";
import { showBlind, showPresent, showWarnings, takeWarnings, worstFirst } from "./warnings.js";

const HOUR = 3_600_000;
const REFRESH_MS = 15_000;
const ANEW_MS = 60_000;
const LOOK_MS = 2_000;
const REDRAW_MS = 1_000;
const CHART_MS = 5_000;
let theme = "all";
let chosen = null;
let changed = true;
let loading = null;
let behind = false;
let loadedMs = 0;
let announced = false;
const heard = new Set(); // warnings that the stream told while they were read: newer than what is read
let chartOld = false;
let mobilityMs = null; // of the service's clock, which runs faster in a demo

/** Read all collections; warnings first, and each on its own: one that fails keeps none of the others. */
function load() {
  loading ??= read().finally(() => {
    loading = null;
    loadedMs = Date.now();
  });
  return loading;
}

async function read() {
  await Promise.allSettled([readCity(), readWarnings(), readCatchments(), readAreas(), readStations().then(() => Promise.allSettled([readLatest(), readRain(), readMobility()]))]);
  redraw();
  chooseFirst();
  while (behind) {
    behind = false;
    await Promise.allSettled([readCity(), readWarnings()]);
    changed = true;
  }
}

/** Where there is room beside the list, a chart from the start: of the most serious warning, else of a gauge. */
function chooseFirst() {
  if (chosen || !matchMedia("(min-width: 900px)").matches) return;
  const stations = [...model.stations.values()];
  const warned = worstFirst().find((each) => model.stations.has(each.station))?.station;
  chosen = warned ?? (stations.find((each) => themeOf(each) === "level") ?? stations[0])?.id ?? null;
  if (!chosen) return;
  redraw();
  openDetail(chosen);
}

async function readWarnings() {
  heard.clear();
  try {
    // its words are good to have; a warning needs none of them to be shown
    const scale = getJson("/api/v1/scale").catch(() => null);
    const items = await getAll("/api/v1/warnings");
    model.scale = (await scale)?.body ?? model.scale;
    const known = new Set([...heard, ...items.map((item) => item.id)]);
    for (const id of model.warnings.keys()) if (!known.has(id)) model.warnings.delete(id);
    takeWarnings(items.filter((item) => !heard.has(item.id)), announced);
    model.warningsKnown = true;
    announced = true;
  } finally {
    showWarnings(choose);
    showCity(); // now that severities have names
  }
}

async function readStations() {
  const [stations, properties] = await Promise.all([getAll("/api/v1/stations"), getAll("/api/v1/properties")]);
  model.stations = new Map(stations.map((each) => [each.id, each]));
  model.properties = new Map(properties.map((each) => [each.name, each]));
  redraw();
  showWarnings(choose); // now that their stations can be shown
}

async function readLatest() {
  (await getAll("/api/v1/readings/latest?limit=10000")).forEach(takeReading);
}

async function readRain() {
  if (!model.properties.has("precipitation")) return;
  const from = new Date(now() - 2 * HOUR).toISOString();
  const rows = await getAll(`/api/v1/readings?property=precipitation&from=${from}&limit=10000`);
  rows.forEach(takeRain);
}

async function readCatchments() {
  model.blind = (await getAll("/api/v1/catchments")).filter((each) => each.blind);
  showBlind();
}

async function readMobility() {
  mobilityMs = now();
  const [parking, traffic] = await Promise.all([getAll("/api/v1/parking"), getAll("/api/v1/traffic?interval=PT15M")]);
  model.parking = new Map(parking.map((each) => [each.station, each]));
  model.traffic = Map.groupBy ? Map.groupBy(traffic, (each) => each.station) : grouped(traffic);
  changed = true;
}

function grouped(items) {
  const groups = new Map();
  for (const item of items) groups.set(item.station, [...(groups.get(item.station) ?? []), item]);
  return groups;
}

function choose(id) {
  chosen = id;
  redraw();
  panTo(id);
  openDetail(id);
  const detail = document.getElementById("detail");
  const { top, bottom } = detail.getBoundingClientRect();
  if (top > innerHeight - 160 || bottom < 160) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    detail.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
  }
}

function chooseTheme(next) {
  theme = next;
  redraw();
}

function redraw() {
  changed = false;
  showThemes(theme, chooseTheme);
  showStations(theme, chosen, choose);
  showMap(theme, chosen, choose);
  refreshAreas();
  showPresent();
  refreshFigures();
}

function redrawAll() {
  translatePage();
  relabelMap();
  showConnection();
  showBlind();
  showWarnings(choose);
  showCity();
  showOfficial();
  redraw();
  if (chosen) openDetail(chosen);
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    setLanguage(button.dataset.language);
    redrawAll();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => refreshChart());

translatePage();
startMap(askAt);
startAreas();
relabelMap();
startOfficial();
load();
connect({
  onGap: () => {
    behind = loading !== null; // what is being read already may be of before the stream began
    load();
  },
  onWarnings: (items) => {
    items.forEach((item) => heard.add(item.id));
    takeWarnings(items, announced);
    showWarnings(choose);
    changed = true;
  },
  onCity: takeCity,
  onReadings: (items) => {
    items.forEach(takeReading);
    changed = true;
    chartOld ||= items.some((item) => item.station === chosen);
  },
});
setInterval(() => changed && redraw(), REDRAW_MS);
setInterval(() => {
  showConnection();
  showWarnings(choose);
  showCity();
  // whom the stream has no room for reads the same a minute later
  if (!model.stations.size || (!isLive() && Date.now() - loadedMs > ANEW_MS)) load();
  redraw();
}, REFRESH_MS);
setInterval(() => {
  const due = mobilityMs !== null && Math.abs(now() - mobilityMs) >= REFRESH_MS;
  if (due) readCatchments().catch(() => {});
  if (due) readMobility().catch(() => {}); // the connection's state says it already
}, LOOK_MS);
setInterval(() => {
  if (!chartOld || document.hidden) return;
  chartOld = false;
  refreshOutlook();
  refreshChart();
}, CHART_MS);
