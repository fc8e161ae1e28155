"""Faults of a configuration that would only show when a warning must go out."""

from pathlib import Path

import pytest
import structlog

import alerts.rules
from stadtfunk.cli import main

SHIPPED = Path(alerts.rules.__file__).with_name("rules.toml")

CITY = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[devices]
file = "devices.csv"
[[alerts.channel]]
name = "a"
url = "json://127.0.0.1/a"
"""
SECRET = 'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="'
ROTA = """
[[person]]
name = "P"
channels = ["a"]
[[route]]
to = ["rota:r"]
[[rota]]
name = "r"
people = ["P"]
first = {}
every = "999 weeks"
"""


@pytest.fixture
def checked(tmp_path, capsys):
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"
    )

    def check(more, routes=""):
        (tmp_path / "city.toml").write_text(CITY + more)
        (tmp_path / "routes.toml").write_text(routes)
        code = main(["check", "--config", str(tmp_path / "city.toml")])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield check
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (f'[[alerts.webhook]]\nname = "a"\nurl = "https://h.example/"\n{SECRET}', "alerts.webhook[0].name"),
        ('[[heartbeat]]\nname = "h"\nkind = "ping"\nurl = "https://h:99999/x"', "port cannot be read"),
        ('[standby]\nof = "x"\nwatch = ["https://x:99999/y"]', "port cannot be read"),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\nurl = "https://x:99999/"', "port cannot be read"),
        (
            (
                '[displays]\nurl = "mqtt://h"\n[[heartbeat]]\nname = "h"\nkind = "mqtt"\nurl = "mqtt://h"\n'
                'client_id = "stadtfunk-displays"'
            ),
            "heartbeat[0].client_id",
        ),
        (
            '[cap]\nsender = "a@b.example"\n[leitstelle]\nurl = "https://x/"\ntoken = "t\\nX: y"',
            "leitstelle.token",
        ),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\ntoken = "t"', "there is no url"),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\nfolder = "devices.csv"', "leitstelle.folder"),
        ('[cap]\nsender = "a@b.example"\n[leitstelle]\nfolder = "devices.csv/a"', "leitstelle.folder"),
        (
            (
                '[displays]\nurl = "mqtt://h"\n[[heartbeat]]\nname = "h"\nkind = "mqtt"\nurl = "mqtt://h:1883"\n'
                'topic = "stadtfunk/status"'
            ),
            "heartbeat[0].topic",
        ),
        (2 * f'[[api.token]]\nname = "x"\nhash = "sha256:{64 * "a"}"\n', "api.token[1].name"),
        ('[cap]\nsender = "a@b.example"\nlanguages = ["de", "DE"]', "one stands twice"),
        ('[sta]\nmqtt = "mqtt://h"', "give [api] url"),
        (
            (
                '[api]\nurl = "https://h.example"\n[sta]\nmqtt = "mqtt://h"\n'
                '[displays]\nurl = "mqtt://h"\nclient_id = "stadtfunk-sensorthings"'
            ),
            "client_id",
        ),
        (
            (
                '[api]\nurl = "https://h.example"\n[sta]\nmqtt = "mqtt://h"\n'
                '[standby]\nof = "x"\nwatch = ["https://x/y"]'
            ),
            "both instances would publish",
        ),
    ],
)
def test_check_finds_what_would_fail_in_the_storm(checked, more, said):
    code, text = checked(more)
    assert code == 1, text
    assert said in text


@pytest.mark.parametrize("first", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_rota_of_no_time_of_ours_is_a_fault(checked, first):
    code, text = checked('[alerts]\nroutes = "routes.toml"\n', ROTA.format(first))
    assert code == 1, text
    assert "none of ours" in text


ROUTES = """
[[person]]
name = "P"
channels = ["a"]
[[route]]
areas = []
kinds = ["notice", "city"]
{}
to = ["person:P"]
[[route]]
least = "Severe"
kinds = ["city"]
to = ["person:P"]
[[route]]
to = ["person:P"]
"""


@pytest.mark.parametrize(
    ("first", "reached"), [("", False), ("continue = true", True), ('least = "Extreme"', True)]
)
def test_a_route_that_is_never_reached(checked, first, reached):
    code, text = checked('[alerts]\nroutes = "routes.toml"\n', ROUTES.format(first))
    assert code == 0, text
    assert ("route 2 is never reached: route 1" in text) is not reached
    assert "route 3 is never" not in text


def test_two_channels_of_one_url(checked):
    _, text = checked('[[alerts.channel]]\nname = "b"\nurl = "json://127.0.0.1/a"\n')
    assert "advice: b: has the url of a" in text


def test_what_a_city_should_know_of_its_releases(checked, tmp_path):
    (tmp_path / "rules.toml").write_text(
        SHIPPED.read_text() + '[[release]]\nid = "none"\nseverity = ["Severe"]\nrelease = "none"\n'
        '[[release]]\nid = "auto"\nseverity = ["Extreme"]\nauto_after = "10 min"\n'
    )
    code, text = checked('[alerts]\nrules = "rules.toml"\n')
    assert code == 0, text
    assert "advice: release none: no warning of the city is ever proposed at Severe" in text
    assert "advice: release auto: 10 min without a decision" in text
