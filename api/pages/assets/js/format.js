// Numbers, times and ages for people, in the city's time zone and by the service's clock.

import { lang, t } from "./texts.js";

const zone = document.documentElement.dataset.timezone;
const locale = () => (lang() === "de" ? "de-DE" : "en-GB");
const MINUTE = 60_000;

let offset = 0;

/** The service says what time it is; a demo's clock runs faster than the browser's. */
export function setNow(iso) {
  offset = Date.parse(iso) - Date.now();
}

export const now = () => Date.now() + offset;

export function number(value, decimals = 0) {
  // four digits need no separator: 1,005.0 hPa would be read as one
  return value.toLocaleString(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: "min2" });
}

const UNITS = { Cel: "°C", "m/s": "m/s", "%": "%", 1: "", deg: "°", "W/m2": "W/m²" };
export const unit = (ucum) => UNITS[ucum] ?? ucum;

export function time(ms, options = { hour: "2-digit", minute: "2-digit" }) {
  return new Date(ms).toLocaleString(locale(), { timeZone: zone, ...options });
}

const day = (ms) => time(ms, { year: "numeric", month: "2-digit", day: "2-digit" });

/** Clock time, with the day in front where it is not today. */
export function moment(ms) {
  const clock = t().clock(time(ms));
  return day(ms) === day(now()) ? clock : `${time(ms, { day: "numeric", month: "numeric" })} ${clock}`;
}

export const stamp = (ms) => time(ms, { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit" });

export function ago(ms) {
  const minutes = Math.floor(Math.max(0, now() - ms) / MINUTE);
  if (minutes < 1) return t().justNow;
  if (minutes < 120) return t().minAgo(minutes);
  if (minutes < 48 * 60) return t().hoursAgo(Math.floor(minutes / 60));
  return t().daysAgo(Math.floor(minutes / 1440));
}

/** A watchdog's rule: two and a half of a station's own intervals without a value are too many. */
export function isStale(ms, intervalS) {
  return ms === null || now() - ms > Math.max(2.5 * (intervalS ?? 900), 120) * 1000;
}
