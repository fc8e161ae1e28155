"""The tree of routes: who is called when, and what in the file cannot work."""

import tomllib
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.errors import AlertsConfigError
from alerts.routing.matter import KINDS, Matter
from alerts.routing.rota import to_us
from alerts.routing.routes_file import misfits, parse_routes
from alerts.scale import SEVERITIES

BERLIN = ZoneInfo("Europe/Berlin")
NOW = to_us(datetime(2026, 1, 6, 12, tzinfo=BERLIN))
PEOPLE = """
[[person]]
name = "Anna Meier"
channels = ["anna-push", "anna-sms", "anna-voice"]
[[person]]
name = "Bernd Kurz"
channels = ["bernd-sms"]
[[rota]]
name = "bereitschaft"
people = ["Anna Meier", "Bernd Kurz"]
first = 2026-01-05T08:00:00+01:00
every = "1 week"
"""
CHANNELS = dict.fromkeys(["anna-push", "anna-sms", "anna-voice", "bernd-sms", "chat"], True)


def routes(text):
    return parse_routes(tomllib.loads(PEOPLE + text), "routes.toml", BERLIN)


def called(text, time_us=NOW, **matter):
    found = routes(text).turns(Matter(**{"kind": "notice", "severity": "Severe", **matter}), time_us)
    return {turn.after_min: [call.channel for call in turn.calls] for turn in found}


TREE = """
[[route]]
to = ["channel:chat"]
continue = true
[[route]]
least = "Moderate"
to = ["rota:bereitschaft"]
escalate = [{after_min = 10, louder = true}, {after_min = 20, to = ["person:Bernd Kurz"], louder = true}]
[[route.route]]
areas = ["gierath"]
kinds = ["city"]
to = ["person:Bernd Kurz"]
[[route.route]]
catchments = ["strunde"]
least = "Extreme"
to = ["person:Anna Meier", "person:Bernd Kurz"]
escalate = []
[[route]]
to = ["channel:anna-push"]
"""


@pytest.mark.parametrize(
    ("matter", "expected"),
    [
        ({}, {0: ["chat", "anna-push"], 10: ["anna-sms"], 20: ["anna-voice", "bernd-sms"]}),
        ({"severity": "Minor"}, {0: ["chat", "anna-push"]}),
        ({"kind": "city", "areas": frozenset({"gierath"})}, {0: ["chat", "bernd-sms"]}),
        ({"kind": "city", "areas": None}, {0: ["chat", "bernd-sms"]}),
        ({"kind": "city", "areas": frozenset({"other"}), "severity": "Minor"}, {0: ["chat", "anna-push"]}),
        ({"severity": "Extreme", "catchment": "strunde"}, {0: ["chat", "anna-push", "bernd-sms"]}),
        (
            {"severity": "Extreme", "catchment": "other"},
            {0: ["chat", "anna-push"], 10: ["anna-sms"], 20: ["anna-voice", "bernd-sms"]},
        ),
    ],
)
def test_the_first_route_that_matches_wins_unless_it_says_continue(matter, expected):
    assert called(TREE, **matter) == expected


def test_who_is_called_later_is_who_is_on_duty_then():
    before = to_us(datetime(2026, 1, 12, 7, 55, tzinfo=BERLIN))
    text = '[[route]]\nto = ["channel:chat"]\nescalate = [{after_min = 10, to = ["rota:bereitschaft"]}]'
    assert called(text, before) == {0: ["chat"], 10: ["bernd-sms"]}


def test_nobody_matches_what_no_route_is_about():
    assert called('[[route]]\nleast = "Extreme"\nto = ["channel:chat"]') == {}


@given(
    st.sampled_from(KINDS),
    st.sampled_from(SEVERITIES),
    st.sampled_from([None, frozenset(), frozenset({"gierath"}), frozenset({"bensberg"})]),
    st.sampled_from([None, "", "strunde", "city"]),
    st.integers(NOW, NOW + 30 * 86_400_000_000),
)
def test_a_channel_is_called_once_and_somebody_at_once(kind, severity, areas, catchment, time_us):
    turns = routes(TREE).turns(Matter(kind, severity, areas, catchment), time_us)
    channels = [call.channel for turn in turns for call in turn.calls]
    assert len(channels) == len(set(channels))
    assert turns[0].after_min == 0
    assert turns[0].calls
    assert [turn.after_min for turn in turns] == sorted(turn.after_min for turn in turns)


def test_every_fault_is_found_in_one_run():
    text = """
[[person]]
name = "Anna Meier"
channels = []
[[rota]]
name = "nacht"
people = ["Ana Meier"]
first = 2026-01-05T08:00:00+01:00
every = "1 h"
[[route]]
to = ["rota:nachts", "mail:x"]
[[route]]
to = ["rota:nachts"]
escalate = [{after_min = 10}, {after_min = 5, louder = true}]
[[route]]
least = "Huge"
[[route]]
escalate = [{after_min = 10, to = ["person:Anna Maier"]}]
[wrong]
"""
    with pytest.raises(AlertsConfigError) as caught:
        routes(text)
    said = str(caught.value)
    for part in (
        "wrong",
        "person 3.channels",
        "rota 2.every",
        "route 1.to.1",
        "route 2.escalate.0",
        "name somebody",
        "route 3.least",
        "did you mean 'Anna Meier'",
        "leads to nobody",
    ):
        assert part in said, part


def test_names_that_the_configuration_does_not_have_are_faults():
    text = """
[[route]]
areas = ["gierath"]
catchments = ["erft"]
to = ["channel:chta", "channel:liste"]
"""
    faults = list(misfits(routes(text), {**CHANNELS, "liste": False}, ["bensberg"], ["strunde"]))
    said = "\n".join(map(str, faults))
    assert len(faults) == 4
    for part in ("known: bensberg", "known: strunde", "did you mean 'chat'", "for the public alone"):
        assert part in said, part


def test_no_route_is_a_fault():
    with pytest.raises(AlertsConfigError, match="at least one"):
        routes("")
