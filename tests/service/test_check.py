"""`stadtfunk check`: every fault in one run, and no secret in any of them."""

import pytest
import structlog

from stadtfunk.cli import main
from stadtfunk.errors import StartError
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CITY = """
[city]
name = 5
[[network_server]]
name = "one"
kind = "chirpstack-v9"
url = "mqtts://user:${{MQTT_PASSWORD}}@broker:99999"
[[network_server]]
name = "two"
kind = "tts-v3"
url = ["mqtts://user:hunter2@broker"]
[[network_server]]
name = "three"
kind = "tts-v3"
url = "mqtt://user:hunter2/x@broker:1883"
topics = ["v3/#/up"]
[[network_server]]
name = "four"
kind = "tts-v3"
url = "mqtt://user:${{NOT_SET}}@broker"
ca_file = "none.pem"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "influxdb1://me:hunter2/x@influx/city"
[devices]
file = "devices.csv"
types = ["types"]
[alerts]
rules = "rules.toml"
[[alerts.channel]]
name = "sms"
url = "nonsense://hunter2"
min_level = 9
[api]
port = 99999
[[api.token]]
name = "t"
hash = "hunter2"
"""
GOOD = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
{more}
"""
DEVICES = "dev_eui,type,station,lat,lon\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7\n"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Runs the check over a configuration; its exit code and everything it says."""
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")

    def run(text, devices=DEVICES, *, options=(), **fields):
        (tmp_path / "devices.csv").write_text(devices)
        (tmp_path / "city.toml").write_text(text.format(folder=tmp_path, **fields))
        code = main(["check", "--config", str(tmp_path / "city.toml"), *options])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield run
    structlog.reset_defaults()


def test_no_fault_hides_another_and_no_secret_is_shown(check, tmp_path):
    (tmp_path / "rules.toml").write_text("x = [")
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "own.yaml").write_text("broken: [")
    code, said = check(CITY, "dev_eui,type,station,lat,lon\nzz,decentlab-dl-tbrg,a,51,7\n")
    assert code == 1
    assert "hunter2" not in said
    for key in (
        "city.name",
        "network_server[0].kind",
        "network_server[0].url",
        "network_server[1].url",
        "network_server[2].url",
        "network_server[2].topics[0]",
        "NOT_SET is not set",
        "none.pem",
        "store.url",
        "own.yaml",
        "devices.csv: line 2, dev_eui",
        "rules.toml",
        "alerts.channel[0].min_level",
        "nonsense://",
        "api.port",
        "api.token[0].hash",
    ):
        assert key in said, key
    assert "unknown type" not in said, "the own types cannot be read, so nobody knows"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('[[network_server]]\nname="a"\nkind="tts-v3"\nurl="mqtt://h"\ntopics=["a/b+"]', "topics[0]"),
        ('[[network_server]]\nname="a"\nkind="tts-v3"\nurl="mqtt://h"\ntopics=[""]', "topics[0]"),
        ('[[network_server]]\nname="a"\nkind="tts-v3"\nurl="mqtts://h"\nca_file="devices.csv"', "ca_file"),
        (
            (
                '[[network_server]]\nname="a"\nkind="tts-v3"\nurl="mqtt://h"\nclient_id="x"\n'
                '[[network_server]]\nname="b"\nkind="tts-v3"\nurl="mqtt://h:1883"\nclient_id="x"'
            ),
            "network_server[1].client_id",
        ),
        ("[api]\nport = 99999", "api.port"),
        ('[alerts]\nrules = "none.toml"', "none.toml"),
        ('[[alerts.webhook]]\nname="x"\nurl="https://h/"\nsecret="hunter2"', "x.secret"),
        ('[alerts]\nscale = "devices.csv"', "devices.csv: file: is not TOML"),
    ],
)
def test_one_fault(check, more, key):
    code, said = check(GOOD, more=more)
    assert code == 1
    assert key in said
    assert "1 fault(s)" in said


@pytest.mark.parametrize("topic", ["#", "+", "v3/+/devices/+/up", "a/#", "ü b/x"])
def test_nothing_wrong(check, topic):
    more = f'[[network_server]]\nname="a"\nkind="tts-v3"\nurl="mqtt://u:p%2F@h"\ntopics=["{topic}"]'
    code, said = check(GOOD, more=more)
    assert (code, "no fault found" in said) == (0, True)
    # one line of the rules, so that advice and verdict are on the first screen
    lines = said.splitlines()
    [first] = [line for line in lines if "heavy-rain" in line]
    assert lines[0] == first
    assert first.startswith("rules: ")
    assert first.endswith(" (what each does: --rules)")
    assert all(line.startswith("advice: ") for line in lines[1:-1])
    assert lines[-1] == "no fault found"


def test_what_each_rule_does_is_told_where_it_is_asked(check):
    code, said = check(GOOD, more="", options=["--rules"])
    assert code == 0
    assert said.startswith("What each rule does:\nrule heavy-rain\n  de: a: Von Starkregen")
    assert said.index("rule heavy-rain") < said.index("\nadvice: ") < said.index("no fault found")
    assert "  en: a: Of Starkregen" in said
    code, said = check(GOOD, more="[api]\nport = 99999", options=["--rules"])
    assert code == 1
    assert "What each rule does" not in said


def test_a_variable_that_is_not_set_is_one_fault(check, tmp_path, monkeypatch):
    more = (
        '[[alerts.channel]]\nname="mail"\nurl="mailto://u:${{NOT_SET}}@h"\n'
        '[subscriptions]\nkey="${{NO_KEY}}"\nsmtp="smtp://h"\nsender="a@b.example"\nurl="https://b.example"'
    )
    monkeypatch.chdir(tmp_path)
    code, said = check(GOOD.replace("{more}", more))
    assert code == 1
    assert "2 fault(s)" in said
    assert said.count("NOT_SET is not set") == said.count("NO_KEY is not set") == 1


def test_a_webhook_in_the_clear_is_advised_against(check):
    more = '[[alerts.webhook]]\nname="x"\nurl="http://h/"\nsecret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'
    code, said = check(GOOD, more=more)
    assert code == 0
    assert "advice: webhook x: http:// sends in the clear" in said


def test_influxdb_over_tls(check):
    text = GOOD.replace("sqlite:///{folder}/readings.db", "influxdbs://influx/city?org=stadt&token=t")
    assert check(text, more="")[0] == 0


def test_journal_and_store_in_one_file(check):
    assert "store.url" in check(GOOD.replace("readings.db", "journal.db"), more="")[1]


def test_a_database_is_looked_for_beside_the_configuration(check, tmp_path):
    check(GOOD.replace("sqlite:///{folder}/", "sqlite:data/"), more="")
    settings = load_settings(tmp_path / "city.toml")
    assert settings.journal.url == f"sqlite://{tmp_path}/data/journal.db"
    assert settings.store.url == f"sqlite://{tmp_path}/data/readings.db"


def test_a_folder_that_cannot_be_written_in_is_named(check, tmp_path):
    code, said = check(GOOD.replace("journal.db", "devices.csv/data/journal.db"), more="")
    assert code == 0
    assert f"journal.url: this user may not write in {tmp_path}/devices.csv" in said
    assert "store.url" not in said


def test_a_second_service_on_the_same_files_says_so(check, tmp_path):
    check(GOOD, more="")
    settings = load_settings(tmp_path / "city.toml")
    first = Service(settings)
    try:
        with pytest.raises(StartError, match="another process"):
            Service(settings)
    finally:
        first.stop()


def test_areas_are_checked_with_their_stations(check, tmp_path):
    (tmp_path / "areas.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"id": "x",'
        '"name": "X", "stations": ["b"]}, "geometry": {"type": "Polygon", "coordinates": '
        "[[[7.0, 50.9], [7.1, 50.9],"
        "[7.1, 51.0], [7.0, 50.9]]]}}]}"
    )
    code, said = check(GOOD, more='[alerts]\nareas = "areas.geojson"')
    assert code == 1
    assert "areas.geojson: features[0] (x).properties.stations: unknown station 'b'" in said
    code, said = check(GOOD, more='[alerts]\nareas = "none.geojson"')
    assert code == 1
    assert "cannot be read" in said


PUBLIC = "dev_eui,type,station,lat,lon,public\n70b3d57ba0000001,decentlab-dl-tbrg,a,51,7,true\n"
DCAT = """
[dcat]
contributor_id = "http://dcat-ap.de/def/contributors/openNRW"
contact_mail = "opendata@stadt.example"
[api]
url = "https://sensoren.stadt.example"
"""
ARS = GOOD.replace('"Teststadt"', '"Teststadt"\nars = "053780004004"')


def test_what_the_catalogue_lacks_for_govdata_is_told_in_one_line(check):
    code, said = check(GOOD, PUBLIC, more="")
    assert code == 0
    [line] = [each for each in said.splitlines() if "GovData" in each]
    for key in ("[city] ars", "[api] url", "[dcat] contributor_id", "[dcat] contact_mail"):
        assert key in line
    assert "GovData" not in check(GOOD, DEVICES, more="")[1]
    assert "GovData" not in check(ARS, PUBLIC, more=DCAT)[1]


@pytest.mark.parametrize(
    ("terms", "lacks"),
    [
        ('license = "fragen Sie uns"', "[open_data] license"),
        ('license = "http://dcat-ap.de/def/licenses/dl-by-de/2.0"', "[open_data] attribution"),
    ],
)
def test_a_licence_that_govdata_does_not_know_is_told(check, terms, lacks):
    said = check(ARS, PUBLIC, more=f"{DCAT}[open_data]\n{terms}\n")[1]
    assert f"catalogue lacks {lacks}" in said


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ('contributor_id = "openNRW"', "dcat.contributor_id"),
        ('contact_mail = "opendata"', "dcat.contact_mail"),
        ('base = "sensoren.stadt.example"', "dcat.base"),
        ('homepage = "stadt"', "dcat.homepage"),
        ('mail = "opendata@stadt.example"', "dcat.mail"),
    ],
)
def test_a_publisher_that_cannot_be_one_is_a_fault(check, wrong, key):
    code, said = check(GOOD, more=f"[dcat]\n{wrong}\n")
    assert code == 1
    assert key in said


def test_a_rule_among_the_settings_is_told_its_file(check):
    code, said = check(GOOD, more='[[rule]]\nid = "p"\nkind = "parking"')
    assert code == 1
    assert "rule: unknown key (it belongs in the file that [alerts] rules names" in said
    _, said = check(GOOD, more='[rules]\nfile = "rules.toml"')
    assert "the keys are in docs/operations.md" in said
