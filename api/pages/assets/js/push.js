// Messages in this browser: its permission, its address at its push service, and the link to look after them,
// which stays here and nowhere else.

const KEPT = "stadtfunk-subscription";
const box = document.getElementById("push");
const said = document.getElementById("push-said");
const button = document.getElementById("push-button");
const problems = box ? JSON.parse(box.dataset.problems) : {};

if (box && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window) {
  box.hidden = false;
  button.addEventListener("click", begin);
  known();
} else if (box && /iPhone|iPad/.test(navigator.userAgent)) {
  document.getElementById("push-home").hidden = false;
}

async function begin() {
  said.textContent = "";
  button.disabled = true;
  try {
    if ((await Notification.requestPermission()) !== "granted") return say("denied");
    const worker = await navigator.serviceWorker.register("/sw.js", { scope: "/" });
    await navigator.serviceWorker.ready;
    const browser = await address(worker.pushManager);
    const answer = await fetch("/api/v1/subscriptions/push", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...choices(box.form), subscription: { endpoint: browser.endpoint, keys: browser.toJSON().keys } }),
    });
    if (!answer.ok) return say(...(await wrong(answer)));
    keep((await answer.json()).token);
  } catch {
    say("failed");
  } finally {
    button.disabled = false;
  }
}

/** The browser's address. One made with a former key of the city is no use any more. */
async function address(manager) {
  const applicationServerKey = bytes(box.dataset.key);
  const before = await manager.getSubscription();
  const key = before?.options?.applicationServerKey;
  if (before && key && !same(new Uint8Array(key), applicationServerKey)) await before.unsubscribe();
  else if (before) return before;
  return manager.subscribe({ userVisibleOnly: true, applicationServerKey });
}

function choices(form) {
  const data = new FormData(form);
  const points = data.getAll("point").map((each) => each.split(",").map(Number));
  return {
    areas: data.getAll("area"),
    gauges: data.getAll("gauge"),
    points: points.map(([lat, lon, radius_km]) => ({ lat, lon, radius_km })),
    told: data.getAll("told"),
    least: data.get("least"),
    language: data.get("language"),
    quiet: data.get("quiet") ? { start: data.get("quiet_start"), end: data.get("quiet_end") } : null,
  };
}

/** What has been begun here; gone when it was ended elsewhere. */
async function known() {
  const token = localStorage.getItem(KEPT);
  if (!token) return;
  const answer = await fetch(`/api/v1/subscriptions/${encodeURIComponent(token)}`);
  if (answer.ok) return link(token);
  if (answer.status !== 404) return;
  localStorage.removeItem(KEPT);
  const worker = await navigator.serviceWorker.getRegistration("/");
  await (await worker?.pushManager.getSubscription())?.unsubscribe();
}

function keep(token) {
  localStorage.setItem(KEPT, token);
  link(token);
  document.getElementById("push-manage").focus();
}

function link(token) {
  document.getElementById("push-manage").href = `/subscriptions/${encodeURIComponent(token)}?lang=${document.documentElement.lang}`;
  document.getElementById("push-done").hidden = false;
}

async function wrong(answer) {
  if (answer.status === 429) return ["busy"];
  if (answer.status !== 422) return ["failed"];
  const names = (await answer.json()).errors.map((each) => each.parameter.split(".")[0]);
  return names.map((each) => (each === "body" ? "places" : each));
}

function say(...names) {
  said.textContent = [...new Set(names.map((each) => problems[each] ?? problems.other))].join(" ");
}

const same = (one, other) => one.length === other.length && one.every((each, i) => each === other[i]);

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
