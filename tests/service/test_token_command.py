"""`stadtfunk token`: what it prints goes into city.toml as it is, for an operator or a network server."""

import hashlib
import tomllib

import pytest
import structlog

from stadtfunk.cli import main
from stadtfunk.settings_file import read_settings

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


@pytest.fixture
def printed(capsys):
    def run(name):
        assert main(["token", name]) == 0
        out = capsys.readouterr().out
        first, _, rest = out.partition("\n\n")
        table, _, push = rest.partition("\n\n")
        token = first.removeprefix("token (keep it, it is not stored): ")
        return token, table, push

    yield run
    structlog.reset_defaults()


@pytest.mark.parametrize("name", ["LORIOT", "Müller", 'a "b"'])
def test_each_of_both_forms_lets_the_token_in(printed, tmp_path, name):
    token, table, push = printed(name)
    digest = f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"
    assert tomllib.loads(table) == {"api": {"token": [{"name": name, "hash": digest}]}}
    assert push.splitlines()[1:] == [f'push_token = "{digest}"']
    (tmp_path / "devices.csv").write_text("dev_eui,type,station,lat,lon\n")
    file = tmp_path / "city.toml"
    file.write_text(f"{CITY}\n{table}")
    settings, faults = read_settings(file)
    assert faults == []
    assert [each.name for each in settings.api.token] == [name]
    file.write_text(f'{CITY}\n[[network_server]]\nname = "n"\nkind = "loriot"\n{push}')
    settings, faults = read_settings(file)
    assert faults == []
    [server] = settings.network_server
    assert server.push_token
    assert digest.endswith(server.push_token.removeprefix("sha256:"))
