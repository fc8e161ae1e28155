// What the page knows: stations, newest readings, warnings, parking, counts; and what a station's line says.

import { isStale, now, number, unit } from "./format.js";
import { lang, t } from "./texts.js";

const HOUR = 3_600_000;
const ORDER = ["level", "rain", "parking", "traffic", "weather"];
const THEME_OF = { climate: "weather" };
const SEVERITIES = ["Minor", "Moderate", "Severe", "Extreme"];
const COUNTED = /^(vehicle|people|bicycle)/;

export const model = {
  stations: new Map(),
  properties: new Map(),
  readings: new Map(), // station -> "property channel" -> reading
  rain: new Map(), // station -> [{ms, value}] of the last hours
  warnings: new Map(),
  warningsKnown: false,
  parking: new Map(),
  traffic: new Map(), // station -> counts of 15 minutes
};

export const THEMES = ["rain", "level", "parking", "traffic", "weather", "other"];

export function themeOf(station) {
  const themes = station.themes.map((theme) => THEME_OF[theme] ?? theme);
  return ORDER.find((theme) => themes.includes(theme)) ?? "other";
}

export function takeReading(reading) {
  const ms = Date.parse(reading.time);
  const key = `${reading.property} ${reading.channel ?? ""}`;
  const known = model.readings.get(reading.station) ?? new Map();
  model.readings.set(reading.station, known);
  if (!known.has(key) || known.get(key).ms <= ms) known.set(key, { ...reading, ms });
  if (reading.property === "precipitation") takeRain(reading.station, ms, reading.value);
}

export function takeRain(station, ms, value) {
  const sums = model.rain.get(station) ?? new Map();
  model.rain.set(station, sums);
  sums.set(ms, value ?? 0);
  for (const at of sums.keys()) if (at < now() - 3 * HOUR) sums.delete(at);
}

export function newest(station, property) {
  const known = model.readings.get(station.id);
  if (!known) return null;
  let found = null;
  for (const reading of known.values()) {
    if (reading.property === property && (!found || reading.ms > found.ms)) found = reading;
  }
  return found;
}

/** mm in the hour before the newest value; null without any. */
export function rainInLastHour(station) {
  const newestRain = newest(station, "precipitation");
  if (!newestRain) return null;
  let sum = 0;
  for (const [at, value] of model.rain.get(station.id) ?? []) {
    if (at > newestRain.ms - HOUR && at <= newestRain.ms) sum += value;
  }
  return { value: sum, ms: newestRain.ms };
}

export function label(property) {
  return model.properties.get(property)?.label[lang()] ?? property;
}

export function show(reading) {
  if (reading.value === null) return { value: t().noValue, unit: "" };
  const decimals = model.properties.get(reading.property)?.decimals ?? 1;
  return { value: number(reading.value, decimals), unit: unit(reading.unit) };
}

/** The most serious warning in force at a station. */
export function warningAt(id) {
  return [...model.warnings.values()]
    .filter((each) => each.station === id && each.status === "in_force")
    .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity))[0];
}

/** One station's line: value, unit, what stands beside it, and how old it is. */
export function line(station) {
  const found = LINES[themeOf(station)](station);
  const ms = found?.ms ?? null;
  return { value: "–", unit: "", sub: "", ...found, ms, stale: isStale(ms, station.interval_s) };
}

const LINES = {
  rain(station) {
    const rain = rainInLastHour(station);
    return rain ? { value: number(rain.value, 1), unit: "mm", sub: t().lastHour, ms: rain.ms } : general(station);
  },
  level(station) {
    const reading = newest(station, "water_level");
    if (!reading) return general(station);
    const stage = reading.value === null ? 0 : station.stages_cm.filter((cm) => reading.value >= cm).length;
    const state = stage ? t().reached(stage) : "";
    return { ...show(reading), sub: station.water, state, severity: SEVERITIES[stage - 1], ms: reading.ms };
  },
  parking(station) {
    const site = model.parking.get(station.id);
    if (!site) return general(station);
    const ms = site.time ? Date.parse(site.time) : null;
    if (site.free === null) return { value: t().noValue, ms };
    const taken = site.capacity ? 1 - site.free / site.capacity : null;
    const heard = site.sensors_known < site.sensors_total ? `, ${t().sensors(site.sensors_known, site.sensors_total)}` : "";
    return { value: number(site.free), unit: t().free, sub: t().ofSpaces(site.capacity) + heard, taken, ms };
  },
  traffic(station) {
    const counts = model.traffic.get(station.id) ?? [];
    if (!counts.length) return general(station);
    const ms = Math.max(...counts.map((each) => Date.parse(each.time)));
    const last = counts.filter((each) => Date.parse(each.time) === ms && each.value !== null);
    if (!last.length) return general(station);
    const property = last[0].property;
    const sum = last.filter((each) => each.property === property).reduce((all, each) => all + each.value, 0);
    return { value: number(sum), unit: t().per[last[0].interval], sub: t().counted[property] ?? label(property), ms };
  },
  weather(station) {
    const temperature = newest(station, "air_temperature");
    if (!temperature) return general(station);
    const beside = ["relative_humidity", "wind_speed"].map((name) => newest(station, name)).find(Boolean);
    const more = beside ? Object.values(show(beside)).join(" ") : "";
    return { ...show(temperature), sub: beside ? `${label(beside.property)} ${more}` : "", ms: temperature.ms };
  },
  other: general,
};

function general(station) {
  const readings = [...(model.readings.get(station.id)?.values() ?? [])];
  const reading = readings.find((each) => !COUNTED.test(each.property)) ?? readings[0];
  if (!reading) return null;
  return { ...show(reading), sub: label(reading.property), ms: reading.ms };
}
