"""Faults of a configuration that would only show when a warning must go out."""

import pytest
import structlog

from stadtfunk.cli import main

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
        ('[cap]\nsender = "a@b.example"\nlanguages = ["de", "DE"]', "one stands twice"),
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
