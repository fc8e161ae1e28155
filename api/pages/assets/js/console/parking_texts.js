// What the page of counts by hand says, in German and English.

import { lang } from "../texts.js";
import { c, translate } from "./texts.js";

const cars = (number) => (number === 1 ? "1 Auto" : `${number} Autos`.replace("-", "−"));

const TEXTS = {
  de: {
    parkingTitle: "Parkplätze zählen",
    countTitle: "Selbst gezählt",
    countHint: "Zählen Sie die belegten Stellplätze, die jeder nutzen darf, ohne reservierte. Melden Sie die Zahl innerhalb einer Stunde: Der Dienst zählt von ihr aus weiter.",
    park: "Parkplatz",
    soFar: (park) => (park.occupied === null ? "Bisher ist nichts bekannt." : `Bisher ${park.occupied} von ${park.capacity} belegt.`),
    others: (names) => `Ohne Zähler an den Zufahrten, daher nicht dabei: ${names}.`,
    occupied: "Belegte Stellplätze",
    ago: "Vor wie vielen Minuten (0: jetzt)",
    by: "Ihr Name (steht im Protokoll)",
    send: "Melden",
    sent: (made) => `Danke. Es gilt jetzt ${made.after}; die Zähler ergaben ${made.before}.`,
    noPark: "Kein Parkplatz hat Zähler an den Zufahrten: Hier ist nichts zu zählen.",
    notSent: "Nicht angekommen. Versuchen Sie es noch einmal.",
    loginAgain: "Nicht angemeldet. Laden Sie die Seite neu.",
    refused: {
      source: "Hier bestimmen keine Zähler die Zahl: Eine Zählung kann sie nicht berichtigen.",
      capacity: "So viele Stellplätze hat dieser Parkplatz nicht. Zählen Sie ohne reservierte.",
      future: "Diese Zeit liegt in der Zukunft.",
      age: "Das ist über eine Stunde her. Zählen Sie bitte noch einmal.",
      late: "Der Dienst kommt nicht nach. Sehen Sie unter „Berichtigt“ nach, bevor Sie wiederholen.",
      unknown: "Diesen Parkplatz gibt es nicht mehr. Laden Sie die Seite neu.",
    },
    putRight: "Berichtigt",
    putRightHint: "Steht ein Parkplatz oft hier, übersieht ein Zähler Autos: bei zu hohen Zahlen einer an der Ausfahrt, bei zu niedrigen einer an der Einfahrt.",
    none: "Bisher wurde nichts berichtigt.",
    why: {
      over_capacity: ({ before, after }) => `${cars(before)} nach den Zählern, Plätze gibt es ${after}: Die übrigen fuhren ungezählt hinaus.`,
      below_zero: ({ before }) => `Nach den Zählern fuhren ${cars(-before)} mehr hinaus, als da waren: So viele kamen ungezählt herein.`,
      night_minimum: ({ before, after }) => `${cars(before)} nach den Zählern in der ruhigsten Stunde der Nacht. Nachts stehen dort ${after}.`,
      spaces: ({ before, after }) => `${cars(before)} nach den Zählern, ${before > after ? "höchstens" : "mindestens"} ${after} nach den Sensoren an Stellplätzen.`,
      manual: ({ before, after }) => `Selbst gezählt: ${after}. Die Zähler ergaben ${before}.`,
    },
    lost: "Die Daten sind nicht zu erreichen. Laden Sie die Seite neu.",
  },
  en: {
    parkingTitle: "Count car parks",
    countTitle: "Counted by hand",
    countHint: "Count the taken spaces that everybody may use, reserved ones left out. Send the number within an hour: the service counts on from it.",
    park: "Car park",
    soFar: (park) => (park.occupied === null ? "Nothing is known so far." : `So far ${park.occupied} of ${park.capacity} taken.`),
    others: (names) => `Without counters at the gates, so not among them: ${names}.`,
    occupied: "Taken spaces",
    ago: "How many minutes ago (0: now)",
    by: "Your name (stands in the log)",
    send: "Send",
    sent: (made) => `Thank you. It is ${made.after} now; the counters made it ${made.before}.`,
    noPark: "No car park has counters at its gates: there is nothing to count here.",
    notSent: "It did not arrive. Try again.",
    loginAgain: "Not logged in. Load the page again.",
    refused: {},
    putRight: "Put right",
    putRightHint: "A car park that is often here has a counter that misses cars: at an exit where numbers are too high, at an entrance where they are too low.",
    none: "Nothing has been put right so far.",
    why: {},
    lost: "The data cannot be reached. Load the page again.",
  },
};

export const p = () => ({ ...c(), ...TEXTS[lang()] });
export const translateParking = () => translate(p());
