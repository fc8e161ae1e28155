// What became of each message, and the log of decisions.

import { el } from "../dom.js";
import { moment } from "../format.js";
import { severityName, state } from "./state.js";
import { c } from "./texts.js";

const MOST = 20;
const MOST_MAILINGS = 5;
const BAD = new Set(["failed", "expired"]);

const kindName = (kind) => c().kind[kind.replace(/^city_/, "")] ?? kind;

/** What is not for a channel is counted, and stands in no line of its own. `mine`: ids to show, null for all. */
export function showDeliveries(mine) {
  const rows = state.deliveries.filter((each) => !mine || mine.has(each.warning) || mine.has(each.incident));
  const counts = new Map();
  for (const each of rows) counts.set(each.status, (counts.get(each.status) ?? 0) + 1);
  const said = [...counts].map(([status, n]) => `${n} ${c().delivery[status] ?? status}`).join(", ");
  put("deliveries-sum", rows.length ? c().sum({ n: rows.length, said }) : c().noDeliveries);
  draw("deliveries-list", rows.filter((each) => each.status !== "skipped").slice(0, MOST), (each) => {
    const took = each.ended && each.created ? Math.round((Date.parse(each.ended) - Date.parse(each.created)) / 100) / 10 : null;
    const more = [each.status === "sent" && took !== null ? c().took(took) : "", each.attempts > 1 ? c().attempts(each.attempts) : "", BAD.has(each.status) ? each.detail : ""];
    return el(
      "li",
      { class: BAD.has(each.status) ? "bad" : "", data: { status: each.status } },
      el("b", {}, c().delivery[each.status] ?? each.status),
      ` ${[each.channel, kindName(each.kind), moment(Date.parse(each.created)), ...more].filter(Boolean).join(" · ")}`,
    );
  });
}

export function showLog() {
  draw("log-list", state.log, (each) => el("li", {}, el("b", {}, each.by), ` ${[each.action, each.subject, each.reason, moment(Date.parse(each.time))].join(" · ")}`));
}

/** Residents who subscribed, counted. */
export function showMailings(mine) {
  const rows = state.mailings.filter((each) => !mine || mine.has(each.warning)).slice(0, MOST_MAILINGS);
  draw("mailings-list", rows, (each) => {
    const ways = each.ways.map((way) => c().way({ ...way, name: c().ways[way.way] ?? way.way, state: c().run[way.state] ?? way.state }));
    return el("li", {}, el("b", {}, c().residents), ` ${[c().kind[each.kind] ?? each.kind, severityName(each.severity), moment(Date.parse(each.created)), ...ways].join(" · ")}`);
  });
}

const drawn = new Map();

function draw(id, rows, line) {
  const key = JSON.stringify([rows, document.documentElement.lang]);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  document.getElementById(id).replaceChildren(...rows.map(line));
}

function put(id, text) {
  const place = document.getElementById(id);
  if (place.textContent !== text) place.textContent = text;
}
