"""A catalogue with one of everything."""

from datetime import date

from api.dcat.contents import Contents, Dataset, Offer
from api.dcat.graph import Page, graph
from api.dcat.interfaces import hazard_forms, interfaces, reading_forms, theme_forms
from api.dcat.publisher import Publisher
from api.dcat.terms import Terms
from api.dcat.texts import dataset_texts

BASE = "https://sensoren.stadt.example"
ZERO = Terms("http://dcat-ap.de/def/licenses/dl-zero-de/2.0", "Stadt Bergisch Gladbach")
BY = Terms("http://dcat-ap.de/def/licenses/dl-by-de/2.0", "Stadtwerke Bergisch Gladbach")
PATHS = {
    *("/api/v1/readings", "/api/v1/archive", "/sta/v1.1", "/cap/feed.atom"),
    *("/parkapi/v3/parking-sites", "/datex2/parking.json", "/api/v1/parking/history"),
    *("/datex2/traffic.json", "/datex2/traffic-sites.json"),
    *("text/csv", "application/json", "application/geo+json", "application/vnd.apache.parquet"),
}
PUBLISHER = Publisher(
    name="Stadt Bergisch Gladbach",
    homepage="https://stadt.example",
    contact_name="Offene Daten",
    contact_mail="opendata@stadt.example",
    contributor_id="http://dcat-ap.de/def/contributors/openNRW",
    base=BASE,
)


def dataset(name, *properties, terms=ZERO):
    text = dataset_texts()[name]
    if not text.service:
        forms = hazard_forms(name, "053780004004", PATHS)
    else:
        forms = [*reading_forms(text, properties, PATHS), *theme_forms(name, PATHS)]
    return Dataset(
        name,
        text,
        tuple(Offer(f"{name}-{form.name}", form, terms) for form in forms),
        begin=date(2026, 3, 1) if text.service else None,
        newest=date(2026, 7, 14) if text.service else None,
        box=(7.05, 50.93, 7.2, 51.02) if text.service else None,
        resolution_s=300 if text.service else None,
    )


def contents(**changes):
    known = {
        "city": "Bergisch Gladbach",
        "ars": "053780004004",
        "terms": ZERO,
        "publisher": PUBLISHER,
        "datasets": (
            dataset("rain", "precipitation", terms=BY),
            dataset("level", "water_level", "water_temperature"),
            dataset("parking"),
            dataset("traffic", "vehicle_count"),
            dataset("warnings"),
            dataset("official-warnings"),
        ),
        "interfaces": tuple(interfaces(PATHS)),
    }
    return Contents(**(known | changes))


def catalogue(number=1, size=100, **changes):
    return graph(contents(**changes), BASE, Page(number, size))
