// Places for a subscription: a click on the map, or a house of the city's own list. Without scripts areas and
// gauges can be chosen all the same.

import { el } from "./dom.js";

const L = window.L;
const box = document.getElementById("points");
const list = document.getElementById("point-list");
const settings = document.documentElement.dataset;
const said = document.getElementById("point-said");
const radius = document.getElementById("radius");
const marks = new Map();
let map = null;

if (box && (L || document.getElementById("search"))) {
  box.hidden = false;
  document.getElementById("picker").hidden = false;
  document.getElementById("search-button")?.addEventListener("click", search);
  document.getElementById("search")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would send the form
    search();
  });
  if (L) startMap();
  else document.querySelectorAll("#map, #centre").forEach((each) => (each.hidden = true));
  list.querySelectorAll("input").forEach(mark);
  list.addEventListener("change", (event) => mark(event.target));
}

function startMap() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  map = L.map("map", { zoomAnimation: !calm, fadeAnimation: !calm, markerZoomAnimation: !calm });
  map.attributionControl.setPrefix(false);
  map.setView([Number(box.dataset.lat), Number(box.dataset.lon)], 13);
  if (settings.basemap) {
    const credit = document.createElement("span");
    credit.textContent = settings.basemapAttribution;
    L.tileLayer(settings.basemap, { attribution: credit.innerHTML, maxZoom: 19 }).addTo(map);
  }
  map.on("click", (event) => add(event.latlng.lat, event.latlng.lng));
  document.getElementById("centre").addEventListener("click", () => add(map.getCenter().lat, map.getCenter().lng));
  showAreas();
}

async function showAreas() {
  const answer = await fetch(box.dataset.areas);
  if (!answer.ok) return;
  const shapes = L.geoJSON(await answer.json(), { interactive: false, style: { className: "area", fill: false, weight: 1.5, dashArray: "5 5" } });
  if (!shapes.getLayers().length) return;
  shapes.addTo(map).bringToBack();
  map.fitBounds(shapes.getBounds(), { padding: [20, 20], animate: false });
}

/** Rounded here already: where exactly somebody clicked never leaves the browser. */
function add(lat, lon, name = "") {
  const value = `${lat.toFixed(3)},${lon.toFixed(3)},${radius.value}`;
  const known = [...list.querySelectorAll("input")].find((each) => each.value === value);
  const label = name || box.dataset.place.replace("{lat}", decimal(lat)).replace("{lon}", decimal(lon));
  const text = label + (Number(radius.value) ? box.dataset.rain.replace("{km}", radius.value) : "");
  if (known) known.checked = true;
  else list.append(el("li", {}, el("label", {}, el("input", { type: "checkbox", name: "point", value, checked: true }), " ", el("span", {}, text))));
  mark(known ?? list.lastElementChild.querySelector("input"));
  said.textContent = `${box.dataset.added}: ${text}`;
}

function mark(input) {
  if (!map) return;
  marks.get(input)?.remove();
  marks.delete(input);
  if (!input.checked) return;
  const [lat, lon, km] = input.value.split(",").map(Number);
  const shapes = [L.circleMarker([lat, lon], { radius: 7, className: "point", fillOpacity: 0.7, interactive: false })];
  if (km) shapes.push(L.circle([lat, lon], { radius: km * 1000, className: "point", weight: 1, fillOpacity: 0.05, interactive: false }));
  marks.set(input, L.layerGroup(shapes).addTo(map));
}

async function search() {
  const found = document.getElementById("found");
  const answer = await fetch("/api/v1/subscriptions/addresses", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ q: document.getElementById("search").value }),
  });
  const items = answer.ok ? (await answer.json()).items : [];
  if (!items.length) said.textContent = box.dataset.none;
  found.replaceChildren(
    ...items.map((each) =>
      el("li", {}, el("button", { type: "button", onclick: () => { add(each.lat, each.lon, each.label); found.replaceChildren(); } }, each.label)),
    ),
  );
}

function decimal(degrees) {
  const text = degrees.toFixed(3);
  return document.documentElement.lang === "en" ? text : text.replace(".", ",");
}
