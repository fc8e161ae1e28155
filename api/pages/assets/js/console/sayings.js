// The service's own sentences, which are English and name ids, in the page's language and with people's names.

import { severityName, stationName } from "./state.js";
import { c } from "./texts.js";

const names = (ids) => ids.split(", ").map(stationName).join(", ");

const SAYINGS = [
  [/^measured (\w+): (.+)$/, (severity, ids) => c().measured(severityName(severity), names(ids))],
  [/^still Severe or above at (.+): wait until values fall/, (ids) => c().stillHigh(severityName("Severe"), names(ids))],
  [/^still (?:Severe|Extreme): (.+); wait until values fall/, (ids) => c().stillHigh(severityName("Severe"), names(ids))],
];

/** A rule's reason or a refusal; null for what is not the service's own, such as what a person wrote. */
export function inOurWords(said) {
  for (const [pattern, say] of SAYINGS) {
    const found = pattern.exec(said);
    if (found) return say(...found.slice(1));
  }
  return null;
}
