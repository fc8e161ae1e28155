// How fast the water rises and until when which mark is reached: the most urgent gauges first.

import { el } from "../dom.js";
import { moment, now, number } from "../format.js";
import { lang } from "../texts.js";
import { fold } from "./fold.js";
import { state, stationName } from "./state.js";
import { c } from "./texts.js";

const MOST = 3;
const MINUTE = 60_000;
const OLD_MS = 45 * MINUTE; // from then on the service gives no outlook any more
const DATED_MS = 15 * MINUTE;
const FAR_MIN = 240;

/** Of the stations of these members; null where none has a gauge. In short what comes next; all there is to say folded. */
export function courses(members) {
  const gauges = [...new Set(members.map((each) => each.station))].flatMap((station) => (state.courses.get(station) ?? []).map((level) => ({ station, level, next: nearest(level) })));
  if (!gauges.length) return null;
  const keys = new Map(gauges.map((each) => [each, urgency(each)]));
  gauges.sort((a, b) => keys.get(a).map((value, i) => value - keys.get(b)[i]).find((each) => each !== 0) ?? a.station.localeCompare(b.station));
  const line = (each, said) => el("li", {}, el("b", {}, stationName(each.station)), `: ${number(each.level.level_cm)} cm${dated(each.level)}, ${said}`);
  const rest = gauges.length - MOST;
  return el(
    "div",
    { class: "list course" },
    el("h4", {}, c().course),
    el("ul", {}, gauges.slice(0, MOST).map((each) => line(each, short(each)))),
    fold("courses", rest > 0 ? c().moreGauges(rest) : c().inFull, el("ul", {}, gauges.map((each) => line(each, each.level.outlook[lang()])))),
  );
}

/** Rising before silent before falling; the nearest next thing first, then the most marks reached. */
function urgency({ level, next }) {
  return [isOld(level) ? 1 : level.rising ? 0 : 2, Math.min(1e9, next?.minutes[0] ?? 1e9), -level.marks.filter((each) => each.reached).length, -(level.rate_cm_h ?? 0)];
}

/** A value that is not of now says of when it is. */
const dated = (level) => (now() - Date.parse(level.time) > DATED_MS ? ` ${c().atTime(moment(Date.parse(level.time)))}` : "");
const isOld = (level) => now() - Date.parse(level.time) > OLD_MS;

/** The mark, overflow or wave that comes first, with its interval in minutes. */
function nearest(level) {
  const wave = level.wave && Date.parse(level.wave.last) > now() && { say: c().waveIn, name: level.wave.mark, minutes: [level.wave.first, level.wave.last].map((iso) => Math.max(0, (Date.parse(iso) - now()) / MINUTE)) };
  const ahead = [
    ...level.marks.filter((each) => !each.reached && each.minutes).map((each) => ({ say: c().markIn, name: each.mark, minutes: each.minutes })),
    ...(level.basin?.spillways ?? []).filter((each) => each.minutes).map((each) => ({ say: each.minutes[1] ? c().overflowIn : c().overflows, name: each.name, minutes: each.minutes })),
    wave,
  ].filter((each) => each && each.minutes[0] <= FAR_MIN);
  return ahead.sort((a, b) => a.minutes[0] - b.minutes[0])[0];
}

function short({ level, next }) {
  if (isOld(level)) return level.outlook[lang()];
  const [rate] = level.outlook[lang()].split(/, | \(/);
  const said = [rate, next && next.say(next.name, c().within(...next.minutes.map(Math.round))), level.rising && level.confidence === "low" && c().unsureCourse];
  return said.filter(Boolean).join(", ");
}
