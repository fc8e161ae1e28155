"""`stadtfunk routes` and what `stadtfunk check` says about routes."""

import pytest

from stadtfunk.cli import main

CITY = """
[city]
name = "Stadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
[alerts]
routes = "routes.toml"
areas = "areas.geojson"
[[alerts.channel]]
name = "anna-mail"
url = "mailto://127.0.0.1:25?from=a@stadt.example&to=anna@stadt.example"
quiet = "22:00-06:00"
[[alerts.channel]]
name = "anna-sms"
url = "seven://key/491701234567"
min_level = {least}
[[alerts.channel]]
name = "spare"
url = "json://127.0.0.1/"
"""
AREAS = """{"type": "FeatureCollection", "features": [{"type": "Feature",
 "properties": {"id": "gierath", "name": "Gierath", "stations": ["s1"]},
 "geometry": {"type": "Polygon",
 "coordinates": [[[7.1, 50.9], [7.2, 50.9], [7.2, 51.0], [7.1, 51.0], [7.1, 50.9]]]}}]}"""
ROUTES = """
[[person]]
name = "Anna Meier"
channels = ["anna-mail", "anna-sms"]
[[person]]
name = "Bernd Kurz"
channels = ["anna-mail"]
[[rota]]
name = "duty"
people = ["Anna Meier"]
first = 2099-01-07T08:00:00+01:00
every = "1 week"
[[route]]
areas = ["gierath"]
to = ["rota:duty"]
escalate = [{after_min = 10, louder = true}]
[[route]]
least = "Extreme"
to = ["channel:anna-sms"]
"""


@pytest.fixture
def city(tmp_path):
    def write(routes=ROUTES, least=1):
        file = tmp_path / "city.toml"
        file.write_text(CITY.format(folder=tmp_path, least=least))
        (tmp_path / "areas.geojson").write_text(AREAS)
        (tmp_path / "routes.toml").write_text(routes)
        (tmp_path / "devices.csv").write_text(
            "dev_eui,type,station,name,lat,lon,public\n"
            "0000000000000001,decentlab-dl-tbrg,s1,Eins,50.95,7.15,true\n"
        )
        return str(file)

    return write


def test_it_says_who_hears_when_and_whom_after_how_long(city, capsys):
    arguments = ["routes", "--config", city(), "--area", "gierath", "--at", "2026-07-14T23:00"]
    assert main([*arguments, "--severity", "Extreme"]) == 0
    said = capsys.readouterr().out
    assert "notice Extreme at 2026-07-14 23:00 CEST" in said
    assert "at once: Anna Meier (rota:duty) by anna-mail\n" in said
    assert "after 10 min unless acknowledged: Anna Meier (rota:duty) by anna-sms\n" in said
    assert main([*arguments, "--severity", "Moderate"]) == 0
    assert "quiet hours: at 06:00" in capsys.readouterr().out
    assert main(["routes", "--config", city(), "--severity", "Minor", "--catchment", "city"]) == 0
    assert "nobody at once: all staff channels hear" in capsys.readouterr().out


def test_it_names_what_it_does_not_know(city, capsys):
    wrong = ["--severity", "Extreme", "--area", "gierat", "--at", "noon"]
    assert main(["routes", "--config", city(), *wrong]) == 1
    said = capsys.readouterr().err
    assert "known: gierath" in said
    assert "'noon' is no time" in said


def test_check_says_who_is_left_out(city, capsys):
    assert main(["check", "--config", city()]) == 0
    said = capsys.readouterr().out
    for part in (
        "Bernd Kurz has no channel that rings a phone",
        "rota duty has a gap",
        "channel spare is in no route",
    ):
        assert part in said, part
    assert "Anna Meier has no channel" not in said


def test_check_says_where_severe_reaches_nobody(city, capsys):
    assert main(["check", "--config", city(ROUTES.replace('areas = ["gierath"]', 'least = "Extreme"'))]) == 0
    assert "nobody hears of notice Severe" in capsys.readouterr().out
    deaf = ROUTES.replace('to = ["rota:duty"]', 'to = ["channel:anna-sms"]')
    assert main(["check", "--config", city(deaf, least=4)]) == 0
    assert "nobody hears of notice Severe" in capsys.readouterr().out


ALONE = """
[[person]]
name = "Anna Meier"
channels = ["anna-mail", "anna-sms"]
[[person]]
name = "Bernd Kurz"
channels = ["spare"]
[[rota]]
name = "duty"
people = ["Anna Meier", "Bernd Kurz"]
first = 2026-01-05T08:00:00+01:00
every = "1 week"
[[route]]
to = ["rota:duty"]
escalate = [{after_min = 10, louder = true}, {after_min = 20, to = ["person:Bernd Kurz"]}]
"""


def test_check_says_who_is_alone_in_which_shift(city, capsys):
    assert main(["check", "--config", city(ALONE)]) == 0
    said = capsys.readouterr().out
    assert said.count("is called (") == 1
    assert "of notice Severe only Bernd Kurz is called" in said
    assert main(["check", "--config", city(ALONE.replace("person:Bernd Kurz", "rota:duty"))]) == 0
    said = capsys.readouterr().out
    assert "only Anna Meier is called" in said
    assert "only Bernd Kurz is called" in said
    # an address of nobody's, such as the fire brigade's, is somebody else
    own = ALONE.replace('["spare"]', '["anna-mail"]').replace("person:Bernd Kurz", "channel:spare")
    assert main(["check", "--config", city(own)]) == 0
    assert "is called (" not in capsys.readouterr().out


def test_routes_say_who_is_alone(city, capsys):
    routes = ["routes", "--config", city(ALONE), "--severity"]
    assert main([*routes, "Severe", "--at", "2026-01-06T12:00"]) == 0
    assert "nobody else" not in capsys.readouterr().out
    assert main([*routes, "Severe", "--at", "2026-01-13T12:00"]) == 0
    assert "only Bernd Kurz is called: nobody else when there is no answer" in capsys.readouterr().out
    assert main([*routes, "Moderate", "--at", "2026-01-13T12:00"]) == 0
    assert "nobody else" not in capsys.readouterr().out


def test_check_finds_every_fault_in_one_run(city, capsys):
    assert (
        main(["check", "--config", city(ROUTES.replace("anna-sms", "ana-sms").replace('"gierath"', '"x"'))])
        == 1
    )
    said = capsys.readouterr().err
    assert said.count("did you mean 'anna-sms'?") == 2
    assert "unknown area 'x'" in said
