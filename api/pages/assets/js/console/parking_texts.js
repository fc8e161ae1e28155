// What the page of counts by hand says, in German and English.

import { lang } from "../texts.js";
import { c, translate } from "./texts.js";

const TEXTS = {
  de: {
    parkingTitle: "Parkplätze zählen",
    countTitle: "Selbst gezählt",
    countHint: "Zählen Sie die belegten Stellplätze, die jeder nutzen darf, ohne reservierte. Melden Sie die Zahl innerhalb einer Stunde: Der Dienst zählt von ihr aus weiter.",
    park: "Parkplatz",
    parkSaid: (park) => (park.occupied === null ? park.name : `${park.name} – bisher ${park.occupied} von ${park.capacity} belegt`),
    occupied: "Belegte Stellplätze",
    ago: "Vor wie vielen Minuten (0: jetzt)",
    by: "Ihr Name (steht im Protokoll)",
    send: "Melden",
    sent: (made) => `Danke. Es gilt jetzt ${made.after}, gezählt worden waren ${made.before}.`,
    noPark: "Es gibt keinen Parkplatz.",
    putRight: "Berichtigt",
    none: "Bisher wurde nichts berichtigt.",
    reason: { over_capacity: "mehr Autos als Plätze", below_zero: "mehr hinaus als hinein", night_minimum: "am Ende der Nacht", spaces: "nach den Einzelplätzen", manual: "gezählt" },
    found: {
      over_capacity: (each) => `Die Zähler kamen auf ${each.before} belegte Stellplätze, mehr als es gibt. Es gilt ${each.after}. `,
      below_zero: (each) => `Nach den Zählern fuhren ${-each.before} Autos mehr hinaus, als darin waren. Es gilt ${each.after}. `,
      night_minimum: (each) => `In der ruhigsten Stunde der Nacht kamen die Zähler auf ${each.before} belegte Stellplätze, nachts üblich sind ${each.after}. Das gilt jetzt. `,
      spaces: (each) => `Die Zähler kamen auf ${each.before} belegte Stellplätze, die beobachteten Plätze widersprechen. Es gilt ${each.after}. `,
      manual: (each) => `Selbst gezählt wurden ${each.after} belegte Stellplätze, die Zähler kamen auf ${each.before}. `,
    },
    refused: {
      404: "Diesen Parkplatz gibt es nicht.",
      409: "Zurzeit wird nicht gezählt. Sehen Sie unter „Berichtigt“ nach, bevor Sie noch einmal melden.",
      422: "Diese Zahl kann nicht gelten.",
      503: "Zurzeit kann nichts gespeichert werden.",
    },
    lost: "Die Daten sind nicht zu erreichen. Laden Sie die Seite neu.",
  },
  en: {
    parkingTitle: "Count car parks",
    countTitle: "Counted by hand",
    countHint: "Count the taken spaces that everybody may use, reserved ones left out. Send the number within an hour: the service counts on from it.",
    park: "Car park",
    parkSaid: (park) => (park.occupied === null ? park.name : `${park.name} – so far ${park.occupied} of ${park.capacity} taken`),
    occupied: "Taken spaces",
    ago: "How many minutes ago (0: now)",
    by: "Your name (stands in the log)",
    send: "Send",
    sent: (made) => `Thank you. It is ${made.after} now; the counters had made it ${made.before}.`,
    noPark: "There is no car park.",
    putRight: "Put right",
    none: "Nothing has been put right so far.",
    reason: { over_capacity: "more cars than spaces", below_zero: "more out than in", night_minimum: "at the end of the night", spaces: "by single spaces", manual: "counted" },
    // the service says it itself in English
    found: {},
    refused: {},
    lost: "The data cannot be reached. Load the page again.",
  },
};

export const p = () => ({ ...c(), ...TEXTS[lang()] });
export const translateParking = () => translate(p());
