// Asking the API with the session of this browser. The cookie counts only beside the header sent here.

import { setNow } from "../format.js";

const PATIENCE_MS = 15_000;
const known = new Map(); // address -> {etag, body}

/** The service's answer was a refusal; `status` 0: it did not answer. `errors`: what is wrong with each field;
 *  `reason`: a word where the address tells its refusals apart. */
export class Refused extends Error {
  constructor(status, why, hint = "", errors = [], reason = "") {
    super(why);
    this.status = status;
    this.hint = hint;
    this.errors = errors;
    this.reason = reason;
  }
}

/** What an address says, and whether it is another than last time. */
export async function read(address) {
  const before = known.get(address);
  const answer = await ask(address, { headers: before ? { "If-None-Match": before.etag } : {} });
  if (answer.status === 304) return { body: before.body, fresh: false };
  const body = await answer.json();
  const etag = answer.headers.get("ETag");
  if (etag) known.set(address, { etag, body });
  return { body, fresh: true };
}

export async function send(address, body) {
  const answer = await ask(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
}

/** Send a file as it is. */
export async function sendFile(address, file, type) {
  const answer = await ask(address, { method: "POST", headers: { "Content-Type": type }, body: await file.arrayBuffer() });
  return answer.json();
}

async function ask(address, { headers, ...options }) {
  let answer;
  try {
    answer = await fetch(address, {
      ...options,
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
      headers: { Accept: "application/json", "Stadtfunk-Console": "1", ...headers },
    });
  } catch (error) {
    throw new Refused(0, String(error.message ?? error));
  }
  const clock = answer.headers.get("Stadtfunk-Now");
  if (clock) setNow(clock);
  if (answer.ok || answer.status === 304) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, String(problem.detail ?? answer.status), String(problem.hint ?? ""), problem.errors ?? [], String(problem.reason ?? ""));
}
