import pytest
from sta_bodies import SETS, datastream, link, location, observation, thing
from sta_client import Client, served

from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

SCRATCH = """
[city]
name = "Probe"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[sta]
write = true
"""


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """A scratch instance as `stadtfunk serve` starts it."""
    file = tmp_path_factory.mktemp("scratch") / "scratch.toml"
    file.write_text(SCRATCH)
    service = Service(load_settings(file, {}))
    try:
        service.start()
        with served(service.app()) as address:
            client = Client(address)
            yield client
            client.session.close()
    finally:
        service.stop()


def _empty(client):
    for name in SETS:
        for id_ in client.ids(f"{name}?$select=id"):
            client.send("DELETE", f"{name}({id_})")  # may have gone with another
    assert not [name for name in SETS if client.json(name)["value"]]


@pytest.fixture
def empty(scratch):
    _empty(scratch)
    return scratch


@pytest.fixture(scope="module")
def towns(scratch):
    """Two Things that have changed places, four Datastreams, results 1 to 12 on the days of March.

    The second and fourth Datastream share an ObservedProperty and a name.
    """
    _empty(scratch)
    first = scratch.create(
        "Things",
        thing("Pegel", Locations=[location("Wehr")], Datastreams=[datastream("Stand"), datastream("Regen")]),
    )
    shared = scratch.json(f"{first['@iot.selfLink']}/Datastreams?$expand=ObservedProperty")["value"][1]
    second = scratch.create(
        "Things",
        thing(
            "Mast",
            Locations=[location("Dach", 7.2, 51.1)],
            Datastreams=[
                datastream("Wind"),
                datastream("Regen", ObservedProperty=link(shared["ObservedProperty"]["@iot.id"])),
            ],
        ),
    )
    places = [scratch.ids(f"{each['@iot.selfLink']}/Locations") for each in (first, second)]
    for each, place in zip((first, second), reversed(places), strict=True):
        scratch.change("PATCH", each["@iot.selfLink"], {"Locations": [link(place[0])]})
    streams = scratch.ids("Datastreams")
    for number in range(12):
        body = observation(number + 1, number + 1, resultTime=f"2026-03-{number + 1:02}T07:00:00Z")
        scratch.create(f"Datastreams({streams[number // 3]})/Observations", body)
    return scratch
