// What the staff page knows, and which part of it could not be loaded last time.

import { lang } from "../texts.js";
import { Refused, read } from "./client.js";
import { c } from "./texts.js";

const WORDS_MS = 60_000;
const MOST_GAUGES = 12;
export const SEVERITIES = ["Minor", "Moderate", "Severe", "Extreme"];
const LEVELS = /^(water_level|basin)/;

export const state = {
  incidents: [],
  city: [],
  deliveries: [],
  mailings: [],
  log: [],
  notices: new Map(), // warning id -> measurement notice
  courses: new Map(), // station -> its level gauges
  stations: new Map(), // id -> name
  catchments: new Map(),
  areas: [], // {id, name: {de, en}}
  scale: null,
  failed: new Set(), // parts that could not be loaded
  loaded: new Set(), // parts that ever could
};
let wordsAt = -Infinity;

/** Read everything once; each part on its own, so that one that fails keeps none of the others. */
export async function refresh(withLog) {
  // alone at first: without a session one refusal is enough
  const first = await part("incidents", "/api/v1/admin/incidents?limit=200", (items) => (state.incidents = items));
  if (isLocked(first)) throw first;
  const parts = [
    part("city", "/api/v1/admin/city-warnings?limit=200", (items) => (state.city = items.map(plain))),
    part("deliveries", "/api/v1/admin/deliveries?limit=40", (items) => (state.deliveries = items)),
    part("mailings", "/api/v1/admin/mailings?limit=20", (items) => (state.mailings = items)),
    part("warnings", "/api/v1/warnings?limit=1000", (items) => (state.notices = new Map(items.map((each) => [each.id, each])))),
    withLog && part("log", "/api/v1/admin/audit?limit=50", (items) => (state.log = items)),
    performance.now() - wordsAt > WORDS_MS && words(),
  ];
  const found = [first, ...(await Promise.all(parts.filter(Boolean)))];
  found.push(await courses());
  const fault = found.find(isLocked);
  if (fault) throw fault;
  return found.some((each) => each === true);
}

const isLocked = (answer) => answer instanceof Refused && [401, 403].includes(answer.status);

async function part(name, address, take) {
  try {
    const { body, fresh } = await read(address);
    if (fresh) take(body.items ?? body);
    state.failed.delete(name);
    state.loaded.add(name);
    return fresh;
  } catch (error) {
    state.failed.add(name);
    return error;
  }
}

async function words() {
  const found = await Promise.all([
    part("words", "/api/v1/scale", (body) => (state.scale = body)),
    part("words", "/api/v1/areas?f=json&limit=1000", (items) => (state.areas = items)),
    part("words", "/api/v1/catchments?limit=1000", (items) => (state.catchments = new Map(items.map((each) => [each.id, each.name])))),
    part("words", "/api/v1/stations?limit=10000", (items) => (state.stations = new Map(items.map((each) => [each.id, each.name || each.id])))),
  ]);
  if (!found.some((each) => each instanceof Error)) wordsAt = performance.now();
  return found.find((each) => each instanceof Error) ?? found.some(Boolean);
}

/** What the water gauges with a warning in force are heading for. */
async function courses() {
  const members = state.incidents.flatMap((each) => each.members.filter((m) => m.in_force && LEVELS.test(m.measure)));
  const gauges = new Set(members.sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity)).map((m) => m.station));
  for (const id of state.courses.keys()) if (!gauges.has(id)) state.courses.delete(id);
  const found = await Promise.all(
    [...gauges].slice(0, MOST_GAUGES).map((id) => part("stations", `/api/v1/stations/${encodeURIComponent(id)}`, (body) => state.courses.set(id, body.levels ?? []))),
  );
  return found.find((each) => each instanceof Error) ?? found.some(Boolean);
}

/** Areas by their ids; their names are learnt in passing. */
function plain(item) {
  const ids = (areas) => areas.map((each) => (learn(each), each.id));
  return { ...item, areas: ids(item.areas), pending: item.pending && { ...item.pending, areas: ids(item.pending.areas) } };
}

const areasHeard = new Map();
const learn = (area) => areasHeard.set(area.id, area.name);

export const severityName = (severity) => state.scale?.severities.find((each) => each.severity === severity)?.name[lang()] ?? severity;
export const stationName = (id) => state.stations.get(id) ?? id;
export const areaName = (id) => (state.areas.find((each) => each.id === id)?.name ?? areasHeard.get(id))?.[lang()] ?? id;
export const catchmentName = (id) => state.catchments.get(id) ?? (id === "city" ? c().wholeCity : id);
export const areaNames = (ids) => (ids.length ? ids.map(areaName).join(", ") : c().wholeCity);

/** What a person has to decide: proposals, and incidents that nobody has taken or that wait for their all-clear. */
export function waiting() {
  const proposals = state.city.filter((each) => each.status === "proposed" || each.pending);
  const untaken = state.incidents.filter((each) => !each.exercise && ((each.status === "awaiting_all_clear") || (each.status !== "closed" && !each.decisions.length)));
  return [...proposals, ...untaken].map((each) => each.id);
}
