"""Where too few gauges give values is said to residents."""

from small_town import T0
from starlette.testclient import TestClient

from alerts.watch.outages import Sight

BLIND = Sight("strunde", "Strunde", 0, 1, T0, ("geheim-pegel", "strunde-gierath"), rest=False)
SECRET = Sight("tal", "Geheimes Tal", 0, 1, T0, ("geheim-pegel",), rest=False)
SEES = Sight("city", "", 2, 1, None, ("regen-gierath",), rest=True)


def answers(town, *sights):
    town.changes = {"catchments": lambda: sights}
    with TestClient(town.app()) as client:
        return client.get("/api/v1/catchments").json()["items"], client.get("/").text


def test_residents_are_told_where_the_network_is_blind(town):
    items, page = answers(town, BLIND, SECRET, SEES)
    assert items == [
        {
            "id": "city",
            "name": "Bergisch Gladbach",
            "blind": False,
            "since": None,
            "stations": ["regen-gierath"],
        },
        {
            "id": "strunde",
            "name": "Strunde",
            "blind": True,
            "since": "2026-07-14T18:30:00Z",
            "stations": ["strunde-gierath"],
        },
    ]
    assert "Für Strunde liegen derzeit zu wenige Messwerte vor" in page
    assert "Geheimes Tal" not in page


def test_nothing_is_said_where_it_sees(town):
    assert "liegen derzeit zu wenige" not in answers(town, SEES)[1]
