// The map: stations on paper with a grid of coordinates, or on the city's base map. Leaflet is optional.

import { iconMarkup } from "./dom.js";
import { line, model, themeOf, warningAt, warningsFor } from "./model.js";
import { t } from "./texts.js";

const L = window.L;
const settings = document.documentElement.dataset;
const LABEL_FREE = { top: 20, bottom: 44 }; // pixels: the scale stands at the bottom
const STEPS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002];
let map = null;
let grid = null;
let zoom = null;
let fitted = false;
let placeMark = null;
const pins = new Map();
const outlines = new Map();
const SEVERITIES = ["Minor", "Moderate", "Severe", "Extreme"];

export const hasMap = Boolean(L);

export function startMap(tapped) {
  if (!L) {
    document.getElementById("map-panel").hidden = true;
    return;
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  map = L.map("map", { zoomControl: false, zoomSnap: 0.5, zoomAnimation: !calm, fadeAnimation: !calm, markerZoomAnimation: !calm });
  map.attributionControl.setPrefix(false);
  L.control.scale({ imperial: false }).addTo(map);
  map.setView([51, 10], 6);
  map.on("click", (event) => tapped(event.latlng.lat, event.latlng.lng));
  hatch();
  if (settings.basemap) {
    const credit = document.createElement("span");
    credit.textContent = settings.basemapAttribution;
    L.tileLayer(settings.basemap, { attribution: credit.innerHTML, maxZoom: 19 }).addTo(map);
  } else {
    grid = L.layerGroup().addTo(map);
    map.on("moveend", drawGrid);
  }
}

export function showMap(theme, chosen, choose) {
  if (!map) return;
  const shown = new Set();
  for (const station of model.stations.values()) {
    if (station.lat === null || station.lon === null) continue;
    if (theme !== "all" && themeOf(station) !== theme) continue;
    shown.add(station.id);
    draw(station, station.id === chosen, choose);
  }
  for (const [id, pin] of pins) {
    if (shown.has(id)) continue;
    pin.marker.remove();
    pins.delete(id);
  }
  if (!fitted && pins.size) {
    fitted = true;
    map.fitBounds(L.latLngBounds([...pins.values()].map((pin) => pin.marker.getLatLng())), { padding: [36, 36], maxZoom: 15, animate: false });
  }
}

/** The warning areas, under the stations: an outline, and where a warning is in force hatched in its colour. */
export function showAreas() {
  if (!map) return;
  for (const feature of model.areas) {
    const severity = warningsFor(feature)[0]?.severity ?? "";
    const known = outlines.get(feature.id);
    if (known?.severity === severity) continue;
    known?.shape.remove();
    const look = severity ? { fill: true, fillColor: `url(#hatch-${severity})`, fillOpacity: 1, weight: 3 } : { fill: false, weight: 1.5, dashArray: "5 5" };
    const shape = L.geoJSON(feature, { interactive: false, style: { className: "area", ...look } }).addTo(map);
    if (severity) shape.eachLayer((each) => (each.getElement().dataset.severity = severity));
    shape.bringToBack();
    outlines.set(feature.id, { severity, shape });
  }
}

/** Where a resident asked for. */
export function markPlace(lat, lon) {
  if (!map) return;
  placeMark?.remove();
  placeMark = L.circleMarker([lat, lon], { radius: 8, weight: 3, className: "place-mark", interactive: false }).addTo(map);
  if (!map.getBounds().contains([lat, lon])) map.panTo([lat, lon]);
}

/** Stripes tell a warned area apart without its colour; the worse, the denser. */
function hatch() {
  const patterns = SEVERITIES.map((severity, i) => {
    const width = 16 - 3 * i;
    return `<pattern id="hatch-${severity}" data-severity="${severity}" patternUnits="userSpaceOnUse" width="${width}" height="${width}" patternTransform="rotate(45)"><rect class="hatch-ground" width="${width}" height="${width}"/><line class="hatch-line" x1="0" y1="0" x2="0" y2="${width}" stroke-width="5"/></pattern>`;
  });
  const box = document.createElement("div");
  box.innerHTML = `<svg width="0" height="0" class="hidden" aria-hidden="true"><defs>${patterns.join("")}</defs></svg>`;
  document.body.append(box.firstChild);
}

export function panTo(id) {
  const pin = pins.get(id);
  if (pin && !map.getBounds().pad(-0.1).contains(pin.marker.getLatLng())) map.panTo(pin.marker.getLatLng());
}

function draw(station, chosen, choose) {
  const said = line(station);
  const warning = warningAt(station.id);
  const look = ["pin", warning ? "alert" : said.stale ? "stale" : "", chosen ? "chosen" : ""].join(" ").trim();
  const tip = `${station.name}: ${said.value} ${said.unit}`;
  const key = `${look} ${warning?.severity ?? ""} ${themeOf(station)}`;
  let pin = pins.get(station.id);
  if (!pin) {
    // the list beside it does the same by keyboard; sixty more stops before it would help nobody
    const marker = L.marker([station.lat, station.lon], { keyboard: false, icon: image(look, station, warning) });
    marker.bindTooltip("", { direction: "top", offset: [0, -14] }).on("click", () => choose(station.id)).addTo(map);
    pin = { marker, key };
    pins.set(station.id, pin);
  } else if (pin.key !== key) {
    pin.marker.setIcon(image(look, station, warning));
    pin.key = key;
  }
  pin.marker.setZIndexOffset(chosen ? 2000 : warning ? 1000 : 0);
  const text = document.createElement("span");
  text.textContent = tip;
  pin.marker.setTooltipContent(text);
}

function image(look, station, warning) {
  const size = warning ? 36 : 28;
  const box = document.createElement("span");
  box.className = look;
  box.dataset.theme = themeOf(station);
  if (warning) box.dataset.severity = warning.severity;
  box.innerHTML = iconMarkup(themeOf(station));
  return L.divIcon({ html: box, className: "", iconSize: [size, size] });
}

function drawGrid() {
  grid.clearLayers();
  const bounds = map.getBounds().pad(0.2);
  const span = bounds.getNorth() - bounds.getSouth();
  const step = STEPS.findLast((each) => span / each <= 9) ?? STEPS[0];
  const digits = step < 0.01 ? 3 : 2;
  const range = (from, to) => Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => (Math.ceil(from / step) + i) * step);
  if ((bounds.getEast() - bounds.getWest()) / step > 60) return;
  const view = map.getBounds();
  for (const lat of range(bounds.getSouth(), bounds.getNorth())) {
    rule([[lat, bounds.getWest()], [lat, bounds.getEast()]]);
    const y = map.latLngToContainerPoint([lat, view.getWest()]).y;
    if (y > LABEL_FREE.top && y < map.getSize().y - LABEL_FREE.bottom) note([lat, view.getWest()], `${lat.toFixed(digits)}° N`, [-48, 14]);
  }
  for (const lon of range(bounds.getWest(), bounds.getEast())) rule([[bounds.getSouth(), lon], [bounds.getNorth(), lon]]);
}

function rule(points) {
  L.polyline(points, { className: "grid-line", interactive: false, stroke: true, color: "currentColor", weight: 1 }).addTo(grid);
}

function note(at, text, anchor) {
  L.marker(at, { interactive: false, keyboard: false, icon: L.divIcon({ className: "grid-label", html: text, iconSize: null, iconAnchor: anchor }) }).addTo(grid);
}

export function relabelMap() {
  if (!map) return;
  map.getContainer().setAttribute("aria-label", t().map);
  zoom?.remove();
  zoom = L.control.zoom({ zoomInTitle: t().zoomIn, zoomOutTitle: t().zoomOut }).addTo(map);
}
