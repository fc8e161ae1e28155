"""Silences: who may hide what, for how long, and that they end by themselves."""

import pytest

from alerts.errors import SilenceRefusedError
from alerts.routing.silences import MOST_US, Silence, Silences

NOW = 1_780_000_000_000_000
HOUR = 3_600_000_000


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_silences(tmp_path, clock):
    opened = []

    def make():
        opened.append(Silences(tmp_path / "silences.db", clock))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def silence(**changes):
    given = {"by": "Anna Meier", "reason": "gauge is being cleaned", "from_us": NOW, "until_us": NOW + HOUR}
    return Silence(**{**given, "stations": ("kippemuehle",), **changes})


def hiding(silences, time_us=NOW, severity="Minor", station="kippemuehle", measure="water_level"):
    return silences.hiding(station, "strunde", measure, severity, time_us)


def test_it_survives_a_restart_and_ends_by_itself(open_silences, clock):
    kept = open_silences().add(silence())
    again = open_silences()
    assert hiding(again) == kept
    assert hiding(again, NOW + HOUR - 1) == kept
    assert hiding(again, NOW + HOUR) is None
    clock.now = NOW + HOUR
    assert again.all() == [kept]


def test_it_hides_what_it_names_and_nothing_else(open_silences):
    silences = open_silences()
    silences.add(silence(measures=("water_level",), stations=("kippe*",)))
    assert hiding(silences)
    assert hiding(silences, severity="Moderate")
    assert hiding(silences, severity="Severe") is None
    assert hiding(silences, station="other") is None
    assert hiding(silences, measure="sri") is None


def test_extreme_needs_a_second_person(open_silences):
    silences = open_silences()
    for second in ("", "  ", "anna  MEIER", "Anna\u200b Meier", "Anna Meier.", "\u200b", "\uff21nna Meier"):
        with pytest.raises(SilenceRefusedError, match="second person"):
            silences.add(silence(max_severity="Extreme", second=second))
    silences.add(silence(max_severity="Severe"))
    assert hiding(silences, severity="Extreme") is None
    silences.add(silence(max_severity="Extreme", second="Bernd Kurz"))
    assert hiding(silences, severity="Extreme")


@pytest.mark.parametrize(
    "changes",
    [
        {"until_us": NOW},
        {"until_us": NOW + MOST_US + 1},
        {"stations": ()},
        {"by": " "},
        {"reason": ""},
    ],
)
def test_what_is_too_much_or_says_too_little_is_refused(open_silences, changes):
    silences = open_silences()
    with pytest.raises(SilenceRefusedError):
        silences.add(silence(**changes))
    assert silences.all() == []


def test_who_ends_one_before_its_time_is_kept(open_silences, clock):
    silences = open_silences()
    kept = silences.add(silence())
    clock.now += HOUR // 2
    ended = silences.end(kept.id, "Bernd Kurz")
    assert (ended.ended_by, ended.ended_us) == ("Bernd Kurz", clock.now)
    assert hiding(silences, clock.now) is None
    assert hiding(open_silences(), clock.now) is None
    assert silences.end(kept.id, "Cem") == ended
    assert silences.end("unknown", "Cem") is None


@pytest.mark.parametrize("stations", [("*",), ("**",), ("?*",), ("kippemuehle", "*"), ("[!]",)])
def test_a_glob_that_means_everything_is_refused(open_silences, stations):
    with pytest.raises(SilenceRefusedError, match="nobody silences everything"):
        open_silences().add(silence(stations=stations, max_severity="Severe"))
