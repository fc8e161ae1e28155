// Forms that register: one device, or a CSV list after a dry run.

import { el } from "../dom.js";
import { newId, person, setPerson } from "./acting.js";
import { send, sendFile } from "./client.js";
import { w } from "./inbox_texts.js";

const DEVICES = "/api/v1/admin/devices";
const MOST_BYTES = 1 << 20; // more the service does not take
const FIRST = ["type", "station", "name", "lat", "lon", "public"];
const FURTHER = ["water", "sensor_height_cm", "gauge_zero_m", "stages_cm", "capacity", "reserved", "direction", "interval_s", "note"];
const NUMBERS = new Set(["lat", "lon", "sensor_height_cm", "gauge_zero_m", "capacity", "interval_s"]);

/** The form for one device; `guesses`: type ids to offer, `stations`: ids there are, `done(station)` afterwards. */
export function registerForm({ device, guesses, stations, done }) {
  const told = el("div", { role: "status" });
  const fields = new Map([...FIRST, ...FURTHER].map((name) => [name, field(name, { type: guesses, station: stations }[name])]));
  const by = byField();
  fields.get("type").input.value = guesses[0] ?? "";
  const button = el("button", { class: "main" }, w().register);
  const form = el(
    "form",
    { class: "panel", id: "register" },
    el("h3", {}, w().registerTitle),
    FIRST.map((name) => fields.get(name).element),
    el("p", { class: "quiet" }, w().placeHint),
    el("details", {}, el("summary", {}, w().further), FURTHER.map((name) => fields.get(name).element)),
    by.element,
    el("p", { class: "after" }, button),
    told,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    once(button, told, async () => {
      const body = { dev_eui: device };
      for (const [name, { input }] of fields) {
        const value = input.type === "checkbox" ? input.checked : input.value.trim();
        if (value !== "" && value !== false) body[name] = value;
      }
      await send(`${DEVICES}?by=${by.name()}`, body);
      done(body.station);
    });
  });
  return { element: form, take: (type) => ((fields.get("type").input.value = type), fields.get("station").input.focus()) };
}

/** The form for a CSV list: checked first, then written whole. */
export function importForm(done) {
  const input = el("input", { type: "file", id: newId("file"), accept: ".csv,text/csv", required: true });
  const told = el("div", { role: "status" });
  const by = byField();
  const check = el("button", { class: "main" }, w().check);
  const form = el(
    "form",
    {},
    el("p", { class: "quiet" }, w().importHint),
    el("div", { class: "field" }, el("label", { for: input.id }, w().file), input),
    by.element,
    el("p", { class: "after" }, check),
    told,
  );
  input.addEventListener("change", () => told.replaceChildren());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [file] = input.files;
    if (!file) return;
    if (file.size > MOST_BYTES) return told.replaceChildren(el("p", { class: "problem" }, w().tooLarge));
    once(check, told, async () => {
      const found = await sendFile(`${DEVICES}/import?dry_run=true`, file, "text/csv");
      if (found.errors.length) return told.replaceChildren(el("p", { class: "problem" }, w().bad(found.errors.length)), faultTable(found.errors));
      const n = found.devices.length;
      const write = el("button", { type: "button", class: "main" }, w().write(n));
      const said = el("div", { role: "status" });
      write.addEventListener("click", () =>
        once(write, said, async () => {
          const wrote = await sendFile(`${DEVICES}/import?version=${encodeURIComponent(found.version)}&by=${by.name()}`, file, "text/csv");
          told.replaceChildren(el("p", { class: "told good" }, w().written(wrote.written)));
          done();
        }),
      );
      told.replaceChildren(el("p", { class: "told good" }, w().good(n)), write, said);
    });
  });
  return form;
}

function field(name, offers) {
  const id = newId(name);
  const label = el("label", { for: id }, w().field[name]);
  if (name === "public") {
    const input = el("input", { type: "checkbox", id });
    return { element: el("div", { class: "field boxes" }, el("label", { for: id }, input, w().field[name])), input };
  }
  const required = name === "type" || name === "station";
  const list = offers && el("datalist", { id: `${id}-list` }, offers.map((value) => el("option", { value })));
  const input = el("input", { id, required, autocomplete: "off", spellcheck: "false", inputmode: NUMBERS.has(name) ? "decimal" : null, list: list && list.id, "data-field": name });
  if (name === "type" || name === "station") input.setAttribute("autocapitalize", "none");
  return { element: el("div", { class: "field" }, label, input, list), input };
}

function byField() {
  const id = newId("by");
  const input = el("input", { id, required: true, maxlength: 100, autocomplete: "name", value: person() });
  return {
    element: el("div", { class: "field" }, el("label", { for: id }, w().by), input),
    name: () => (setPerson(input.value.trim()), encodeURIComponent(input.value.trim())),
  };
}

/** Run it once at a time; what is refused is told in `told`, each fault with its remedy. */
async function once(button, told, run) {
  button.disabled = true;
  told.replaceChildren();
  try {
    await run();
  } catch (error) {
    const table = error.errors?.length ? faultTable(error.errors) : null;
    const said = table ? w().bad(error.errors.length) : [error.message, error.hint].filter(Boolean).join(" – ");
    told.replaceChildren(...[el("p", { class: "problem" }, said), table].filter(Boolean));
  } finally {
    button.disabled = false;
  }
}

function faultTable(errors) {
  const [line, ...others] = w().columns;
  const lines = errors.some((each) => each.line !== null);
  const head = (lines ? [line, ...others] : others).map((text) => el("th", { scope: "col" }, text));
  const rows = errors.map((each) =>
    el("tr", {}, lines ? el("td", {}, String(each.line ?? "")) : null, el("td", {}, w().field[each.field] ?? each.field), el("td", { lang: "en" }, each.problem), el("td", { lang: "en" }, each.remedy)),
  );
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": others[1] }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
}
