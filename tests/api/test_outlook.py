"""What a level station is heading for, in numbers and in plain German and English."""

import pytest
from small_town import MINUTE
from starlette.testclient import TestClient

from alerts.outlook import BasinOutlook, LevelOutlook, MarkOutlook, SpillwayOutlook, Wave
from api.public_rule import PublicRule
from api.routes.level_item import sentence
from api.schemas.levels import StationNow


def outlook(now_us, **changes):
    return LevelOutlook(
        **{
            "station": "strunde-gierath",
            "place": "strunde-gierath",
            "time_us": now_us - 2 * MINUTE,
            "level": 44.0,
            "rate": 24.2,
            "confidence": "low",
            "rising": True,
            "least_rate": 20.0,
            "marks": (
                MarkOutlook(1, 40.0, True, (0.0, 0.0)),
                MarkOutlook(2, 60.0, False, (14.2, 21.9)),
            ),
            "wave": None,
            "basin": None,
            **changes,
        }
    )


BASIN = BasinOutlook(
    id="k",
    name="Kippemühle",
    fictitious=True,
    volume=6200.4,
    share=0.62,
    inflow=3.14,
    spillways=(
        SpillwayOutlook("Notüberlauf", 180.0, (24.0, 31.4)),
        SpillwayOutlook("Dammkrone", 220.0, None),
    ),
)
SAID = [
    (
        {},
        "steigt 24 cm/h, Marke 2 in 14 bis 22 min (geringe Sicherheit)",
        "rising 24 cm/h, mark 2 in 14 to 22 min (low confidence)",
    ),
    ({"rising": False, "rate": 3.0, "marks": ()}, "etwa gleichbleibend", "about steady"),
    ({"rising": False, "rate": -36.0, "marks": ()}, "fällt 36 cm/h", "falling 36 cm/h"),
    (
        {"confidence": "good", "marks": (), "basin": BASIN},
        (
            "steigt 24 cm/h, Becken zu 62 % gefüllt, Notüberlauf: Überlauf in 24 bis 31 min, "
            "Kennlinie des Beckens fiktiv"
        ),
        (
            "rising 24 cm/h, basin 62 % full, Notüberlauf: overflow in 24 to 31 min, "
            "the basin's curve is fictitious"
        ),
    ),
    (
        {"rising": False, "rate": None, "marks": (), "wave": Wave(2, 0, 1)},
        "etwa gleichbleibend, Welle von oben: Marke 2 erwartet",
        "about steady, wave from upstream: mark 2 expected",
    ),
    ({"time_us": -60 * MINUTE}, "seit 60 min kein neuer Wert", "no new value for 60 min"),
]


@pytest.mark.parametrize(("changes", "german", "english"), SAID)
def test_the_sentence(changes, german, english):
    it = outlook(0, **{"time_us": 0, **changes})
    assert sentence(it, "de", 0) == german
    assert sentence(it, "en", 0) == english


def test_a_station_carries_its_outlook(city):
    asked = []
    city.changes["levels"] = lambda station: asked.append(station) or [outlook(city.now_us, basin=BASIN)]
    with TestClient(city.app()) as client:
        answer = client.get("/api/v1/stations/strunde-gierath").json()
        (level,) = answer["levels"]
        assert asked == ["strunde-gierath"]
        assert StationNow.model_validate(answer).levels[0].confidence == "low"
        assert level["marks"][1] == {"mark": 2, "cm": 60.0, "reached": False, "minutes": [14.2, 21.9]}
        assert (level["rate_cm_h"], level["basin"]["volume_m3"], level["basin"]["inflow_m3_s"]) == (
            24.2,
            6200,
            3.14,
        )
        assert level["basin"]["fictitious"] is True
        assert level["outlook"]["de"].startswith("steigt 24 cm/h")
        assert "levels" not in client.get("/api/v1/stations/regen-gierath").json()


def test_who_may_not_read_the_level_reads_no_outlook(city):
    city.changes["levels"] = lambda _: [outlook(city.now_us)]
    city.changes["rules"] = {"water_level": PublicRule(public=False)}
    with TestClient(city.app()) as client:
        assert "levels" not in client.get("/api/v1/stations/strunde-gierath").json()
        assert client.get("/api/v1/stations/geheim-pegel").status_code == 404
