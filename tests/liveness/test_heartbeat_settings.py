"""What `check` says of [[heartbeat]]."""

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
"""
PING = '[[heartbeat]]\nname = "a"\nkind = "ping"\nurl = "https://hc.example/uuid"\n'


@pytest.fixture
def checked(tmp_path, capsys):
    (tmp_path / "devices.csv").write_text(
        "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"
    )

    def check(more):
        (tmp_path / "city.toml").write_text(CITY + more)
        code = main(["check", "--config", str(tmp_path / "city.toml")])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield check
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[heartbeat]]\nname = "a"\nkind = "smoke"\nurl = "https://a"', "heartbeat[0].kind"),
        ('[[heartbeat]]\nname = "a"\nkind = "ping"\nurl = "mqtt://a"', "a ping goes to https://host/path"),
        ('[[heartbeat]]\nname = "a"\nkind = "mqtt"\nurl = "https://a"', "no MQTT broker"),
        ('[[heartbeat]]\nname = "a"\nkind = "mqtt"\nurl = "mqtt://a"\ntopic = "a/#"', "no MQTT topic"),
        (f"{PING}every_s = 1", "heartbeat[0].every_s"),
        (f'{PING}topic = "a"', "are of kind mqtt"),
        (PING + PING, "'a' is used twice"),
        (
            '[[heartbeat]]\nname = "a"\nkind = "mqtt"\nurl = "mqtts://a"\nca_file = "none.pem"',
            "heartbeat[0].ca_file",
        ),
    ],
)
def test_check_names_what_is_wrong_with_heartbeats(checked, more, said):
    code, text = checked(more)
    assert code == 1
    assert said in text


def test_check_says_that_nobody_notices(checked):
    assert "no [[heartbeat]]" in checked("")[1]
    code, text = checked(PING)
    assert code == 0
    assert "no [[heartbeat]]" not in text
