// What the page says, in German and English; static texts stand in index.html and are found by data-t.

const TEXTS = {
  de: {
    skip: "Zur Liste der Stationen",
    claim: "Was unsere Sensoren gerade messen",
    connecting: "Verbindung wird aufgebaut",
    live: (time) => `Live · ${time}`,
    lost: (time) => `Verbindung unterbrochen${time ? ` · Stand ${time}` : ""}`,
    warnings: "Warnungen",
    notice: "Automatische Messwertmeldung, keine amtliche Warnung.",
    subscribe: "Warnungen per Nachricht bekommen",
    official: "Amtliche Warnungen des Deutschen Wetterdienstes",
    officialNotice: "Im Wortlaut des Deutschen Wetterdienstes, keine Meldungen unserer Sensoren.",
    officialNone: "Zurzeit warnt der Deutsche Wetterdienst hier nicht.",
    officialUnknown: "Der Wetterdienst ist gerade nicht zu erreichen. Das ist keine Entwarnung.",
    officialSpan: (from, to) => `${from} bis ${to}`,
    officialOpen: (from) => `ab ${from}`,
    warningsCount: (n) => `${n} Warnungen in Kraft`,
    moreWarnings: (n) => (n === 1 ? "1 weitere Warnung" : `${n} weitere Warnungen`),
    more: "Mehr",
    calm: "Zurzeit ist keine Warnung in Kraft.",
    calmMore: "Diese Seite meldet es sofort, wenn ein Messwert die Schwelle einer öffentlichen Warnung erreicht.",
    blind: (name) => `Für ${name} liegen derzeit zu wenige Messwerte vor: Dass keine Warnung angezeigt wird, ist dort keine Entwarnung.`,
    warningsUnknown: "Die Warnungen konnten nicht geladen werden.",
    warningsUnknownMore: "Wir versuchen es weiter. Diese Anzeige ist keine Entwarnung.",
    newWarning: (title) => `Neue Warnung: ${title}`,
    changedWarning: (title) => `Warnung geändert: ${title}`,
    endedWarning: (title) => `Warnung beendet: ${title}`,
    endedTitle: (n) => `In den letzten 24 Stunden beendet (${n})`,
    endedLine: (title, from, to) => `${title}: ${from} bis ${to}`,
    allClear: { pending: "Die Entwarnung steht noch aus. Sie gibt ein Mensch, kein Messwert.", given: "Entwarnung gegeben." },
    levelChip: (measure, level, severity) => `${measure.startsWith("water_level") ? "Marke" : "Stufe"} ${level} · Schwere ${severity}`,
    measure: { dwd_starkregen: "Starkregen", dwd_dauerregen: "Dauerregen", sri: "Regenindex", water_level: "Wasserstand", water_level_expected: "Anstieg", basin: "Rückhaltebecken" },
    outlook: (said) => `Hochrechnung: ${said}`,
    measured: (time) => `gemessen ${time}`,
    presently: (value) => `jetzt ${value}`,
    lastly: (value, time) => `zuletzt ${value}, ${time}`,
    falling: "Klingt ab",
    since: (time, ago) => `Seit ${time} (${ago})`,
    showStation: "Station zeigen",
    themes: "Themen",
    theme: { all: "Alle", rain: "Regen", level: "Pegel", parking: "Parken", traffic: "Verkehr", weather: "Wetter", other: "Weitere" },
    map: "Karte",
    mapHint: "Alle Stationen der Karte stehen auch in der Liste.",
    areas: "Warngebiete",
    areasHint: "Tippen Sie auf die Karte, um zu sehen, was an einem Ort gilt. Ihr Standort bleibt in Ihrem Browser.",
    locate: "Mein Standort",
    locating: "Standort wird bestimmt …",
    notLocated: "Der Standort war nicht zu bestimmen. Tippen Sie stattdessen auf die Karte.",
    noArea: "Dieser Ort liegt in keinem Warngebiet. Das heißt nicht, dass dort keine Gefahr besteht.",
    atPlace: "An diesem Ort",
    fictitious: "erfunden",
    areaWarned: (severity) => `Warnung · Schwere ${severity}`,
    areaCalm: "keine Warnung in Kraft",
    areaUnknown: "Warnungen nicht geladen",
    forAreas: (names) => `Warngebiet: ${names.join(", ")}`,
    exercises: "Übung – kein echtes Ereignis",
    exercisesMore: "Der Krisenstab übt mit aufgezeichneten Werten. Es besteht keine Gefahr durch das, was hier steht.",
    choose: "Station wählen",
    chooseHint: "Wählen Sie eine Station in der Liste oder auf der Karte, um ihren Verlauf zu sehen.",
    stations: "Stationen",
    noStations: "Hier ist noch keine Station öffentlich.",
    loading: "Wird geladen …",
    failed: "Die Daten konnten nicht geladen werden. Wir versuchen es weiter.",
    lastHour: "letzte Stunde",
    free: "frei",
    ofSpaces: (n) => `von ${n} Plätzen`,
    freeNow: "Freie Plätze jetzt",
    spaces: "Plätze insgesamt",
    sensorsTitle: "Sensoren, die melden",
    ofSensors: (n) => `von ${n}`,
    asOf: "Stand",
    inInterval: "im Intervall",
    during: (seconds) => `in ${seconds % 3600 ? `${Math.round(seconds / 60)} min` : `${seconds / 3600} h`}`,
    sensors: (known, total) => `${known} von ${total} Sensoren melden`,
    per: { PT5M: "in 5 min", PT15M: "in 15 min", PT1H: "in 1 h" },
    counted: { vehicle_count: "Fahrzeuge", people_count: "Personen", bicycle_count: "Fahrräder" },
    noValue: "kein Wert",
    never: "noch keine Daten",
    old: (age) => `veraltet, ${age}`,
    justNow: "gerade eben",
    minAgo: (n) => `vor ${n} min`,
    hoursAgo: (n) => `vor ${n} h`,
    daysAgo: (n) => (n === 1 ? "vor 1 Tag" : `vor ${n} Tagen`),
    clock: (time) => `${time} Uhr`,
    quality: { 3: "fraglich", 4: "fehlerhaft" },
    mark: (i, cm) => `Marke ${i}: ${cm} cm`,
    reached: (i) => `Marke ${i} erreicht`,
    ranges: "Zeitraum",
    range: { 6: "6 h", 24: "24 h", 168: "7 Tage" },
    noData: "Keine Werte in diesem Zeitraum.",
    noHistory: "Für diese Station gibt es keinen öffentlichen Verlauf.",
    noChart: "Das Diagramm ist auf dieser Installation nicht verfügbar.",
    chartOf: (name, unit, lo, hi) => `Verlauf ${name}: zwischen ${lo} und ${hi} ${unit}. Die Werte stehen in der Tabelle darunter.`,
    table: "Werte als Tabelle",
    csv: "CSV herunterladen",
    time: "Zeit",
    source: "Quelle",
    license: "Lizenz",
    unchecked: "Alle Werte sind automatisch gemessen und können fehlerhaft sein.",
    api: "Offene Daten und Schnittstelle",
    sumHour: "Regen in der letzten Stunde",
    zoomIn: "Vergrößern",
    zoomOut: "Verkleinern",
  },
  en: {
    skip: "Skip to the list of stations",
    claim: "What our sensors measure right now",
    connecting: "Connecting",
    live: (time) => `Live · ${time}`,
    lost: (time) => `Connection lost${time ? ` · as of ${time}` : ""}`,
    warnings: "Warnings",
    notice: "Automatic measurement notice, not an official warning.",
    subscribe: "Get warnings as messages",
    official: "Official warnings of the German weather service (DWD)",
    officialNotice: "In the words of the Deutscher Wetterdienst, in German; not from our sensors.",
    officialNone: "The German weather service has no warning for this place at present.",
    officialUnknown: "The weather service cannot be reached at the moment. This is no all-clear.",
    officialSpan: (from, to) => `${from} to ${to}`,
    officialOpen: (from) => `from ${from}`,
    warningsCount: (n) => `${n} warnings in force`,
    moreWarnings: (n) => (n === 1 ? "1 more warning" : `${n} more warnings`),
    more: "More",
    calm: "No warning is in force.",
    calmMore: "This page tells you at once when a measurement reaches the threshold of a public warning.",
    blind: (name) => `Too few measurements for ${name} at present: that no warning is shown there is no all-clear.`,
    warningsUnknown: "The warnings could not be loaded.",
    warningsUnknownMore: "We keep trying. This is not an all-clear.",
    newWarning: (title) => `New warning: ${title}`,
    changedWarning: (title) => `Warning changed: ${title}`,
    endedWarning: (title) => `Warning ended: ${title}`,
    endedTitle: (n) => `Ended in the last 24 hours (${n})`,
    endedLine: (title, from, to) => `${title}: ${from} to ${to}`,
    allClear: { pending: "The all-clear is still to come. A person gives it, no measurement.", given: "All-clear given." },
    levelChip: (measure, level, severity) => `${measure.startsWith("water_level") ? "Mark" : "Level"} ${level} · severity ${severity}`,
    measure: { dwd_starkregen: "Heavy rain", dwd_dauerregen: "Persistent rain", sri: "Rain index", water_level: "Water level", water_level_expected: "Rising water", basin: "Retention basin" },
    outlook: (said) => `Extrapolated: ${said}`,
    measured: (time) => `measured ${time}`,
    presently: (value) => `now ${value}`,
    lastly: (value, time) => `last ${value}, ${time}`,
    falling: "Easing",
    since: (time, ago) => `Since ${time} (${ago})`,
    showStation: "Show station",
    themes: "Themes",
    theme: { all: "All", rain: "Rain", level: "Water levels", parking: "Parking", traffic: "Traffic", weather: "Weather", other: "Other" },
    map: "Map",
    mapHint: "Every station on the map is also in the list.",
    areas: "Warning areas",
    areasHint: "Tap the map to see what holds at a place. Your position stays in your browser.",
    locate: "My position",
    locating: "Finding your position …",
    notLocated: "Your position could not be found. Tap the map instead.",
    noArea: "This place is in no warning area. That does not mean that there is no danger.",
    atPlace: "At this place",
    fictitious: "fictitious",
    areaWarned: (severity) => `Warning · severity ${severity}`,
    areaCalm: "no warning in force",
    areaUnknown: "warnings not loaded",
    forAreas: (names) => `Warning area: ${names.join(", ")}`,
    exercises: "Exercise – not a real event",
    exercisesMore: "The crisis team is practising with recorded values. What stands here is no danger.",
    choose: "Choose a station",
    chooseHint: "Choose a station in the list or on the map to see its history.",
    stations: "Stations",
    noStations: "No station is public here yet.",
    loading: "Loading …",
    failed: "The data could not be loaded. We keep trying.",
    lastHour: "last hour",
    free: "free",
    ofSpaces: (n) => `of ${n} spaces`,
    freeNow: "Free spaces now",
    spaces: "Spaces in all",
    sensorsTitle: "Sensors reporting",
    ofSensors: (n) => `of ${n}`,
    asOf: "As of",
    inInterval: "in the interval",
    during: (seconds) => `in ${seconds % 3600 ? `${Math.round(seconds / 60)} min` : `${seconds / 3600} h`}`,
    sensors: (known, total) => `${known} of ${total} sensors report`,
    per: { PT5M: "in 5 min", PT15M: "in 15 min", PT1H: "in 1 h" },
    counted: { vehicle_count: "Vehicles", people_count: "People", bicycle_count: "Bicycles" },
    noValue: "no value",
    never: "no data yet",
    old: (age) => `outdated, ${age}`,
    justNow: "just now",
    minAgo: (n) => `${n} min ago`,
    hoursAgo: (n) => `${n} h ago`,
    daysAgo: (n) => (n === 1 ? "1 day ago" : `${n} days ago`),
    clock: (time) => time,
    quality: { 3: "suspect", 4: "faulty" },
    mark: (i, cm) => `Mark ${i}: ${cm} cm`,
    reached: (i) => `mark ${i} reached`,
    ranges: "Time span",
    range: { 6: "6 h", 24: "24 h", 168: "7 days" },
    noData: "No values in this time span.",
    noHistory: "There is no public history of this station.",
    noChart: "The chart is not available on this installation.",
    chartOf: (name, unit, lo, hi) => `History of ${name}: between ${lo} and ${hi} ${unit}. The values are in the table below.`,
    table: "Values as a table",
    csv: "Download CSV",
    time: "Time",
    source: "Source",
    license: "Licence",
    unchecked: "All values are measured automatically and may be wrong.",
    api: "Open data and interface",
    sumHour: "Rain in the last hour",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
  },
};

const KEY = "stadtfunk-language";
const asked = new URLSearchParams(location.search).get("lang");
let language = [asked, stored(), spoken()].find((each) => each in TEXTS) ?? "de";

/** The browser's language, German where it does not say; whoever reads neither gets English. */
function spoken() {
  const tongue = navigator.language;
  return !tongue || /^de\b/i.test(tongue) ? "de" : "en";
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

export const lang = () => language;
export const t = () => TEXTS[language];

export function setLanguage(next) {
  language = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // the choice lasts as long as the page
  }
}

/** Put the language into the static parts of the page. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) {
    const text = t()[element.dataset.t];
    if (typeof text === "string") element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t()[element.dataset.tLabel]);
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}
