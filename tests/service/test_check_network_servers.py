"""`stadtfunk check` over network servers and the files that they name."""

import pytest

from stadtfunk.cli import main

MAPPING = """
name = "Ours"
[uplink]
dev_eui = "eui"
f_port = "port"
payload = "data"
payload_encoding = "hex"
"""


@pytest.fixture
def check(tmp_path, capsys):
    def run(servers):
        config = tmp_path / "city.toml"
        config.write_text(
            f"""
[city]
name = "Teststadt"
{servers}
[journal]
url = "sqlite:///{tmp_path}/journal.db"
[store]
url = "sqlite:///{tmp_path}/readings.db"
[[device]]
dev_eui = "70b3d57ed0000001"
type = "decentlab-dl-tbrg"
station = "rain"
lat = 51.0
lon = 7.0
"""
        )
        status = main(["check", "--config", str(config)])
        return status, capsys.readouterr()

    return run


def server(kind, more=""):
    return f'[[network_server]]\nname = "{kind}"\nkind = "{kind}"\nurl = "mqtt://broker"\n{more}\n'


def test_every_kind_can_be_named(check, tmp_path):
    (tmp_path / "own.toml").write_text(MAPPING)
    servers = [server(kind) for kind in ("chirpstack-v3", "chirpstack-v4", "tts-v3", "actility", "helium")]
    servers += [server(kind, 'topics = ["up"]') for kind in ("loriot", "everynet", "element-iot")]
    servers.append(server("json", 'mapping = "own.toml"\ntopics = ["up"]'))
    status, printed = check("\n".join(servers))
    assert (status, printed.err) == (0, "")
    assert "json: when it publishes at QoS 0" in printed.out


def test_every_fault_of_every_mapping_in_one_run(check, tmp_path):
    (tmp_path / "one.toml").write_text(MAPPING.replace("f_port", "fport"))
    (tmp_path / "other.toml").write_text(MAPPING.replace('"hex"', '"octal"') + "\n[gateways]\n")
    named = 'topics = ["up"]\nmapping = '
    status, printed = check(
        server("json", f'{named}"one.toml"')
        + server("json", f'{named}"other.toml"').replace('name = "json"', 'name = "other"')
        + server("json", f'{named}"none.toml"').replace('name = "json"', 'name = "third"')
        + server("everynet")
    )
    assert status == 1
    for expected in (
        f"{tmp_path}/one.toml: uplink.fport: unknown key (did you mean f_port?)",
        f"{tmp_path}/one.toml: uplink.f_port: is missing (add it)",
        f"{tmp_path}/other.toml: uplink.payload_encoding: ",
        f"{tmp_path}/other.toml: gateways: name at least one of id, rssi, snr",
        f"{tmp_path}/none.toml: -: No such file or directory (give a readable file)",
        "network_server[3].topics: Everynet has no usual topics (name those it publishes to)",
    ):
        assert expected in printed.err


@pytest.mark.parametrize(
    ("kind", "more"), [("json", ""), ("chirpstack-v4", 'mapping = "one.toml"'), ("nonsense", "")]
)
def test_a_kind_and_its_mapping_belong_together(check, kind, more):
    status, printed = check(server(kind, more))
    assert status == 1
    assert "json" in printed.err


@pytest.mark.parametrize(
    ("kind", "url", "more", "says"),
    [
        ("tts-v3", "mqtts://city%40ttn:key@eu1.example", "storage = true", None),
        ("tts-v3", "mqtts://city:key@eu1.example", 'storage = true\nstorage_url = "https://a.example"', None),
        ("tts-v3", "mqtts://eu1.example", "storage = true", "the application as user and its API key"),
        ("chirpstack-v4", "mqtts://a:b@host", "storage = true", "kind tts-v3"),
        ("tts-v3", "mqtts://a:b@host", 'storage_url = "https://a.example"', "without storage = true"),
        ("tts-v3", "mqtts://a:b@host", 'storage = true\nstorage_url = "http://a.example"', "https://"),
    ],
)
def test_storage(check, kind, url, more, says):
    status, printed = check(server(kind, more).replace("mqtt://broker", url))
    assert (status, printed.err) == (0, "") if says is None else says in printed.err
    if says is None:
        assert "QoS 0" not in printed.out
