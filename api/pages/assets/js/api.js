// Reading the API. `no-cache` asks the server whether what the browser has is still the newest (ETag).

import { setNow } from "./format.js";

export async function getJson(address) {
  const answer = await fetch(address, { cache: "no-cache", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const clock = answer.headers.get("Stadtfunk-Now");
  if (clock) setNow(clock);
  const next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("Link") ?? "");
  return { body: await answer.json(), next: next && new URL(next[1], location.origin).href.replace(/^https?:\/\/[^/]+/, "") };
}

export async function getAll(address) {
  const items = [];
  let next = address;
  while (next) {
    const answer = await getJson(next);
    items.push(...answer.body.items);
    next = answer.next;
  }
  return items;
}
