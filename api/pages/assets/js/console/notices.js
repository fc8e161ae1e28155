// The measurement notices of an incident in words: the highest of each station first, the others folded.

import { el } from "../dom.js";
import { moment, number } from "../format.js";
import { fold } from "./fold.js";
import { SEVERITIES, severityName, state, stationName } from "./state.js";
import { c } from "./texts.js";

const at = (iso) => moment(Date.parse(iso));
const LEVELS = /level|basin/;

/** The highest first; of equals what the public was told, then the latest. */
export function highestFirst(members) {
  const key = (each) => [-SEVERITIES.indexOf(each.severity), each.audience === "public" ? 0 : 1, each.confirmation === "confirmed" ? 0 : 1, -Date.parse(each.changed)];
  return [...members].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x.map((value, i) => value - y[i]).find(Boolean) ?? a.warning.localeCompare(b.warning);
  });
}

/** By station, the station with the highest first. */
export function byStation(members) {
  const stations = new Map();
  for (const each of highestFirst(members)) stations.set(each.station, [...(stations.get(each.station) ?? []), each]);
  return [...stations].map(([station, [first, ...rest]]) =>
    el("li", {}, ...notice(first, `${station} `), rest.length ? fold(`${station} rest`, c().moreNotices(rest.length), el("ul", {}, rest.map((each) => el("li", {}, ...notice(each, `${each.warning} `))))) : null),
  );
}

/** One notice; `prefix` tells its witnesses from those of the same notice elsewhere on the card. */
export function notice(each, prefix = "") {
  const said = [`${c().level(each.measure, each.level)} · ${severityName(each.severity)}`, c().since(at(each.since)), each.audience && c().told[each.audience]];
  const witness = state.notices.get(each.warning)?.witness;
  const { line, names } = believed(each.confirmation, witness);
  if (line && !names.length) said.push(line);
  return [
    el("b", {}, `${stationName(each.station)}: ${c().measure[each.measure] ?? each.measure} ${figure(each)}`),
    el("br"),
    said.filter(Boolean).join(" · "),
    names.length ? fold(`${prefix}${each.warning} witness`, line, el("p", {}, names.join(", "))) : null,
  ].filter(Boolean);
}

/** What warned and when; where it is another by now, that too, with its time. */
function figure(each) {
  const warned = state.notices.get(each.warning)?.triggered ?? { value: each.value, window_min: each.window_min, time: each.changed };
  const during = warned.window_min === null ? "" : ` ${c().during(warned.window_min)}`;
  const first = `${warned.value === null ? "" : `${value(warned.value, each.measure)}${during} `}${c().atTime(at(warned.time))}`;
  const later = latest(each);
  if (later.value === null || Date.parse(later.time) <= Date.parse(warned.time)) return first;
  const same = value(later.value, each.measure) === value(warned.value, each.measure);
  return same ? first : `${first}, ${c().atTime(at(later.time))} ${value(later.value, each.measure)}${later.window_min === warned.window_min ? "" : ` ${c().during(later.window_min)}`}`;
}

function latest(each) {
  const level = LEVELS.test(each.measure) && state.courses.get(each.station)?.[0];
  if (level) return { value: level.level_cm, time: level.time, window_min: null };
  return { value: each.value, time: each.changed, window_min: each.window_min };
}

export function value(number_, measure) {
  if (number_ === null) return "–";
  return LEVELS.test(measure) ? `${number(number_)} cm` : `${number(number_, 1)} l/m²`;
}

/** How many agreed, and who; or why nobody did. */
function believed(confirmation, words) {
  if (!confirmation) return { line: "", names: [] };
  if (!words) return { line: c()[confirmation], names: [] };
  const found = witnesses(words);
  if (!found.length) return { line: `${c()[confirmation]}: ${saying(words)}`, names: [] };
  const kinds = [...new Set(found.map((each) => each.kind))];
  const counted = kinds.map((kind) => c().witness[kind](found.filter((each) => each.kind === kind).length));
  return { line: `${c()[confirmation]}: ${counted.join(", ")}`, names: found.map((each) => `${c().witnessOf[each.kind]} ${stationName(each.who)}`) };
}

/** "gauge regen-a, level pegel-b": who agreed; none where the words say something else. */
function witnesses(words) {
  const found = [];
  for (const each of words.split(", ")) {
    const [kind, ...who] = each.split(" ");
    if (kind in c().witness && who.length) found.push({ kind, who: who.join(" ") });
    else if (found.length) found.at(-1).who += `, ${each}`; // a name with a comma
    else return [];
  }
  return found;
}

const SAYINGS = [
  [/^fewer than (\d+) other gauges within ([\d.]+) km$/, (n, km) => c().fewer(n, km)],
  [/^(\d+) of (\d+) neighbours report$/, (n, all) => c().report(n, all)],
  [/^(\d+) of (\d+) reporting neighbours$/, (n, all) => c().agree(n, all)],
  [/^no rain and no other level of the catchment$/, () => c().nobody],
];

/** Why nobody agreed, in words for people; the engine's own where it says something new. */
function saying(words) {
  for (const [pattern, say] of SAYINGS) {
    const found = pattern.exec(words);
    if (found) return say(...found.slice(1));
  }
  return words;
}
