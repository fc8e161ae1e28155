// What the page knows: stations, newest readings, warnings, parking, counts; and what a station's line says.

import { isStale, moment, now, number, unit } from "./format.js";
import { lang, t } from "./texts.js";

const HOUR = 3_600_000;
const ORDER = ["level", "rain", "parking", "traffic", "weather"];
const THEME_OF = { climate: "weather" };
const SEVERITIES = ["Minor", "Moderate", "Severe", "Extreme"];
const LEVELS = new Set(["water_level", "water_level_expected", "basin"]);
const FAILED = 4; // QARTOD
const COUNTED = /^(vehicle|people|bicycle)/;

const RAIN_UNIT = { precipitation: "l/m²", precipitation_total: "l/m²" }; // as on the warnings; 1 mm is 1 l/m²

export const model = {
  stations: new Map(),
  properties: new Map(),
  scale: null, // what levels mean, in the city's words
  readings: new Map(), // station -> "property channel" -> reading
  rain: new Map(), // station -> [{ms, value}] of the last hours
  warnings: new Map(),
  areas: [], // GeoJSON features
  warningsKnown: false,
  blind: [], // catchments with too few live gauges
  parking: new Map(),
  traffic: new Map(), // station -> counts of 15 minutes
};

/** Severity of a measure's level; none while the scale is not read. */
function severityOf(measure, level) {
  return model.scale?.measures[measure]?.find((each) => each.level === level)?.severity;
}

/** A severity's name in the city's words. */
export function severityName(severity) {
  return model.scale?.severities.find((each) => each.severity === severity)?.name[lang()] ?? severity;
}

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
  if (reading.property === "precipitation") takeRain(reading);
}

export function takeRain({ station, time, value, quality }) {
  const sums = model.rain.get(station) ?? new Map();
  model.rain.set(station, sums);
  sums.set(Date.parse(time), quality === FAILED ? 0 : (value ?? 0));
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

/** Name of a property; of what counts in intervals with their length, where it is known. */
export function label(property, everyS = null) {
  const name = model.properties.get(property)?.label[lang()] ?? property;
  if (!everyS) return name;
  return t().counted[property] ? `${t().counted[property]} ${t().during(everyS)}` : name.replace(t().inInterval, t().during(everyS));
}

export const unitOf = (property) => RAIN_UNIT[property] ?? unit(model.properties.get(property)?.unit ?? "");

/** A distance to lightning that never struck says nothing. */
export function isIdle(reading) {
  return reading.property === "lightning_distance" && model.readings.get(reading.station)?.get("lightning_count ")?.value === 0;
}

export function show(reading) {
  if (reading.value === null) return { value: t().noValue, unit: "" };
  const decimals = model.properties.get(reading.property)?.decimals ?? 1;
  return { value: number(reading.value, decimals), unit: unitOf(reading.property) };
}

/** What a warning's station measures now, in words; empty where nothing is known. */
export function present(warning) {
  const station = model.stations.get(warning.station);
  const reading = station && newest(station, LEVELS.has(warning.measure) ? "water_level" : "precipitation");
  if (!reading) return "";
  const rain = reading.property === "precipitation";
  const usable = reading.value !== null && reading.quality !== FAILED;
  const { value, unit } = rain ? { value: number(rainInLastHour(station).value, 1), unit: unitOf(reading.property) } : show(reading);
  const said = usable ? `${value} ${unit}${rain ? ` ${t().during(3600)}` : ""}` : t().noValue;
  const doubt = usable && t().quality[reading.quality] ? `, ${t().quality[reading.quality]}` : "";
  // an old value must not pass for the present one
  return isStale(reading.ms, station.interval_s) ? t().lastly(said + doubt, moment(reading.ms)) : t().presently(said + doubt);
}

/** The most serious warning in force at a station. */
export function warningAt(id) {
  return [...model.warnings.values()]
    .filter((each) => each.station === id && each.status === "in_force" && !each.exercise)
    .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity))[0];
}

/** Warnings in force for an area, the most serious first. */
export function warningsFor(area) {
  return [...model.warnings.values()]
    .filter((each) => each.status === "in_force" && !each.exercise && each.areas.some((its) => its.id === area.id))
    .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity));
}

/** One station's line: value, unit, what stands beside it, and how old it is. */
export function line(station) {
  const found = LINES[themeOf(station)](station);
  const ms = found?.ms ?? null;
  return { value: "–", unit: "", sub: "", ...found, ms, stale: isStale(Math.max(ms, found?.heard ?? ms), station.interval_s) };
}

const LINES = {
  rain(station) {
    const rain = rainInLastHour(station);
    return rain ? { value: number(rain.value, 1), unit: unitOf("precipitation"), sub: t().lastHour, ms: rain.ms } : general(station);
  },
  level(station) {
    const reading = newest(station, "water_level");
    if (!reading) return general(station);
    const stage = reading.value === null ? 0 : station.stages_cm.filter((cm) => reading.value >= cm).length;
    const state = stage ? t().reached(stage) : "";
    return { ...show(reading), sub: station.water, state, severity: severityOf("water_level", stage), ms: reading.ms };
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
    // the counter is old when it is silent, not when its quarter of an hour ended a while ago
    const heard = newest(station, property)?.ms;
    return { value: number(sum), unit: t().per[last[0].interval], sub: t().counted[property] ?? label(property), ms, heard };
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
  const readings = [...(model.readings.get(station.id)?.values() ?? [])].filter((each) => !isIdle(each));
  const reading = readings.find((each) => !COUNTED.test(each.property)) ?? readings[0];
  if (!reading) return null;
  return { ...show(reading), sub: label(reading.property), ms: reading.ms };
}
