"""The city that the chain runs through: gauges, catchments, rules, releases, channels, routes."""

import tomllib
from zoneinfo import ZoneInfo

from alerts.catchments import Catchment, Catchments
from alerts.city.release import ReleaseRule, Releases
from alerts.delivery.channels import Channel
from alerts.routing.routes_file import parse_routes
from alerts.rules import parse_rules
from alerts.scale import shipped_scale
from alerts.texts.texts import Texts
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import Series

MIN = 60_000_000
BERLIN = ZoneInfo("Europe/Berlin")
GAUGES = ("strunde-gierath", "regen-gierath", "oben-pegel")
SERIES = {name: Series(name, "water_level", "", f"{i:016x}") for i, name in enumerate(GAUGES, 1)}
MARKS = (50.0, 100.0, 150.0, 200.0)
SEVERITIES = ("", "Minor", "Moderate", "Severe", "Extreme")
REGISTRY = Registry(
    {each.dev_eui: InstalledDevice(each.dev_eui, "", name, interval_s=300) for name, each in SERIES.items()},
    {
        name: Station(name, name, None, None, True, (each.dev_eui,), stages_cm=MARKS)
        for name, each in SERIES.items()
    },
)
CATCHMENTS = Catchments(
    "",
    (
        Catchment(id="strunde", stations=("strunde-gierath", "regen-gierath")),
        Catchment(id="oben", stations=("oben-pegel",)),
    ),
)
RULES = parse_rules(
    {
        "rule": [
            {
                "id": "level",
                "kind": "water_level",
                "hold_min": 5,
                "lead_min": 0,
                "audience": {1: "staff", 2: "public", 3: "public", 4: "public"},
            },
            {"id": "dog", "kind": "watchdog"},
        ]
    },
    "rules.toml",
)
SHIPPED = Releases()
EARLY = Releases(
    (
        ReleaseRule(id="early", severity=("Moderate",), auto_after="10 min", all_clear="auto", valid_min=60),
        ReleaseRule(id="by-hand", severity=("Severe", "Extreme"), release="manual"),
    )
)
FAST = Releases(
    (
        ReleaseRule(id="fast", severity=("Severe", "Extreme"), auto_after="15 min"),
        ReleaseRule(id="low", severity=("Moderate",), release="manual", all_clear="auto"),
    )
)
STAFF = ("anna-push", "anna-sms", "bernd-sms", "chat")
PUBLIC = ("site", "library")
CHANNELS = (
    *(Channel(name, "json://x/", exercises=name != "chat") for name in STAFF),
    Channel("site", "json://x/", audience=("public",)),
    Channel("library", "json://x/", audience=("public",), min_level=3, language="en"),
)
ROUTES = parse_routes(
    tomllib.loads("""
[[person]]
name = "Anna Meier"
channels = ["anna-push", "anna-sms"]
[[person]]
name = "Bernd Kurz"
channels = ["bernd-sms"]
[[rota]]
name = "duty"
people = ["Anna Meier", "Bernd Kurz"]
first = 2026-01-05T08:00:00+01:00
every = "12 h"
[[route]]
kinds = ["fault"]
to = ["channel:chat"]
[[route]]
to = ["rota:duty"]
escalate = [{after_min = 10, louder = true}, {after_min = 20, to = ["person:Bernd Kurz"]}]
"""),
    "routes.toml",
    BERLIN,
)
TEXTS = Texts(str.title, "Europe/Berlin", "Teststadt", scale=shipped_scale())
