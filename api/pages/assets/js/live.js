// The live connection, and an honest word about its state.

import { now, setNow, time } from "./format.js";
import { t } from "./texts.js";

const place = document.getElementById("connection");
const text = document.getElementById("connection-text");
const SILENCE_MS = 40_000;
const RETRY_MS = 5_000;
let heard = 0;
let heardAt = null;
let state = "connecting";

export function connect({ onWarnings, onCity, onReadings, onGap }) {
  const source = new EventSource("/api/v1/stream");
  const on = (name, take) =>
    source.addEventListener(name, (event) => {
      const data = JSON.parse(event.data);
      setNow(data.now);
      heard = Date.now();
      heardAt = now();
      set("live");
      take?.(data);
    });
  on("hello", onGap); // what happened between two connections may be more than the stream still knows
  on("reset", onGap);
  on("heartbeat");
  on("warnings", (data) => onWarnings(data.items));
  on("city_warning", (data) => onCity(data.items));
  on("readings", (data) => onReadings(data.items));
  const again = () => {
    source.close();
    clearInterval(watch);
    setTimeout(() => connect({ onWarnings, onCity, onReadings, onGap }), RETRY_MS);
  };
  source.addEventListener("error", () => {
    set("lost");
    if (source.readyState === EventSource.CLOSED) again();
  });
  // a connection can die without a word: two heartbeats missing are one too many
  const watch = setInterval(() => {
    if (state === "live" && Date.now() - heard > SILENCE_MS) {
      set("lost");
      again();
    }
  }, 5_000);
  heard = Date.now();
}

function set(next) {
  if (state === next) return;
  state = next;
  showConnection();
}

/** Whether changes arrive as they happen. */
export function isLive() {
  return state === "live";
}

export function showConnection() {
  place.dataset.state = state;
  const clock = heardAt === null ? "" : t().clock(time(state === "live" ? now() : heardAt));
  const said = state === "connecting" ? t().connecting : state === "live" ? t().live(clock) : t().lost(clock);
  if (text.textContent !== said) text.textContent = said;
}
