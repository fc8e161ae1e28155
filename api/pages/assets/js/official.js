// The Deutscher Wetterdienst's warnings, in its own words; apart from what our sensors say.

import { getJson } from "./api.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { lang, t } from "./texts.js";

const list = document.getElementById("official-list");
const REFRESH_MS = 60_000;
let known = null; // { items, fresh }
let drawn = "";

/** Keep the block up to date; nothing where the city has no such source. */
export function startOfficial() {
  if (!list) return;
  read();
  setInterval(read, REFRESH_MS);
}

export function showOfficial() {
  if (!list || !known) return;
  const shape = JSON.stringify([lang(), known]);
  if (shape === drawn) return;
  drawn = shape;
  const { items, fresh } = known;
  const nothing = el("p", { class: "quiet" }, fresh ? t().officialNone : t().officialUnknown);
  list.replaceChildren(...(items.length ? items.map(article) : [nothing]));
}

async function read() {
  try {
    const { body } = await getJson("/api/v1/official-warnings");
    known = { items: body.items, fresh: true };
  } catch {
    known = { items: [], fresh: false }; // what was shown may have been taken back since
  }
  showOfficial();
}

function article(item) {
  const [onset, expires] = [item.onset, item.expires].map((each) => each && moment(Date.parse(each)));
  return el(
    "article",
    { class: "official-warning", lang: "de" },
    el("h3", {}, item.headline),
    el("p", { class: "span", lang: lang() }, expires ? t().officialSpan(onset, expires) : t().officialOpen(onset)),
    el("p", {}, item.description),
    item.instruction ? el("p", {}, item.instruction) : null,
  );
}
