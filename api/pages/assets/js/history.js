// The history of one property of one station: fetched page by page, made ready to draw.

import { getJson } from "./api.js";
import { now } from "./format.js";
import { model, themeOf } from "./model.js";

const HOUR = 3_600_000;
const PREFERRED = ["water_level", "precipitation", "air_temperature", "vehicle_count", "people_count", "bicycle_count"];
const BUCKET = 900_000;
const MINUTE = 60_000;

/** The property whose history says most, or null. */
export function mainProperty(station) {
  const own = PREFERRED.find((name) => station.properties.includes(name));
  const drawn = station.properties.filter((name) => model.properties.get(name)?.kind !== "state");
  return own ?? drawn.find((name) => model.properties.get(name)?.theme === themeOf(station)) ?? drawn[0] ?? null;
}

export async function history(station, property, hours) {
  const to = now();
  const from = to - hours * HOUR;
  const query = new URLSearchParams({ station: station.id, property, from: new Date(from).toISOString(), limit: "10000" });
  const rows = [];
  let next = `/api/v1/readings?${query}`;
  for (let page = 0; next && page < 4; page += 1) {
    const answer = await getJson(next);
    rows.push(...answer.body.items);
    next = answer.next;
  }
  const kind = model.properties.get(property)?.kind;
  const counted = kind === "counter";
  const points = counted ? differences(rows) : rows.map((row) => ({ ms: Date.parse(row.time), value: row.quality === 4 ? null : row.value }));
  const bars = counted || kind === "count";
  const everyS = counted ? BUCKET / 1000 : bars ? spacing(points.map((each) => each.ms)) : null;
  return { points, bars, everyS, from, to, csv: `/api/v1/readings?${query}&f=csv` };
}

/** Usual seconds between times in order, to the minute; null for fewer than two. A gap changes nothing. */
export function spacing(times) {
  const steps = times.slice(1).map((ms, i) => ms - times[i]).filter((step) => step > 0).sort((a, b) => a - b);
  return steps.length ? Math.max(1, Math.round(steps[Math.floor(steps.length / 2)] / MINUTE)) * 60 : null;
}

/** What a running counter counted in each quarter of an hour, all channels together; a fall is a restart. */
function differences(rows) {
  const before = new Map();
  const sums = new Map();
  for (const row of rows) {
    if (row.value === null) continue;
    const last = before.get(row.channel ?? "");
    before.set(row.channel ?? "", row.value);
    if (last === undefined) continue;
    const end = Math.ceil(Date.parse(row.time) / BUCKET) * BUCKET;
    sums.set(end, (sums.get(end) ?? 0) + Math.max(0, row.value - last));
  }
  return [...sums].map(([ms, value]) => ({ ms, value }));
}
