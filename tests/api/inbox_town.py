"""The small town with a device list to add to, an intake that decodes, and devices nobody registered."""

from contextlib import contextmanager

from small_town import T0, TOKEN
from starlette.testclient import TestClient

from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.registration import Registration
from devices.registry import RegistryFile
from ingest.inbox import Inbox
from ingest.journal import Refused
from ingest.uplink import Gateway, Message, TimeSource, Uplink

INBOX, DEVICES = "/api/v1/admin/inbox", "/api/v1/admin/devices"
GAUGE, RAIN, NOISE = "70b3d57ed00000f1", "70b3d57ed00000f2", "70b3d57ed00000f3"
EVIL = '<img src=x onerror="document.title=1">"\'</script><script>document.title=1</script>'
LIST = """# the town's devices
dev_eui,type,station,name,lat,lon
70b3d57ed0000001,decentlab-dl-tbrg,regen-gierath,Regen Gierath,50.98,7.1
"""
ROW = {"dev_eui": GAUGE, "type": "decentlab-dl-mbx", "station": "kippemuehle", "lat": 50.99, "lon": 7.15}
# shared/domain/lorawan.md: 1234 mm; 0.4 mm in ten minutes
MBX, TBRG = "02012f000304d200010bb1", "0202f8000300040258409a00000c54"


class Unknown:
    """Uplinks that nobody could place."""

    def __init__(self, town):
        self._town = town
        self._sent = 0

    def sends(self, dev_eui, payload, *, f_port=1, name="", profile="", minute=0, rssi=-101.0):  # noqa: PLR0913 - what an uplink has
        self._sent += 1
        at = T0 + minute * 60_000_000
        uplink = Uplink(
            server="stadtwerke",
            dev_eui=dev_eui,
            f_port=f_port,
            f_cnt=self._sent,
            session="00",
            payload=bytes.fromhex(payload),
            received_us=at,
            arrived_us=at,
            time_us=at,
            time_source=TimeSource.SERVER,
            device_name=name,
            codec_hint=profile,
            gateways=(Gateway("gw-kirchturm", rssi, 5.5), Gateway("gw-rathaus", rssi - 9, -3.0)),
        )
        message = Message("stadtwerke", "application/1/up", b"{}", 1, False, at)
        why = Rejected("unknown_device", f"{dev_eui} is not in the list of devices")
        self._town.journal.append([], [Refused(message, why, (10_000 + self._sent,), uplink)])


@contextmanager
def with_inbox(town, folder):
    """Three unknown devices: a level gauge, a rain gauge by a markup name, and noise."""
    town.list = folder / "devices.csv"
    town.list.write_text(LIST, encoding="utf-8")
    catalogue = load_catalogue()
    registry = RegistryFile(town.list, catalogue=catalogue)

    def refreshed():
        registry.refresh()
        town.registry = registry.current

    town.registry = registry.current
    town.changes |= {
        "inbox": Inbox(town.journal, lambda: town.registry, catalogue, budget_s=60.0),
        "registration": Registration(town.list, catalogue=catalogue, added=refreshed),
    }
    town.unknown = Unknown(town)
    for minute in range(3):
        town.unknown.sends(
            GAUGE, MBX[:-1] + str(minute), name="Strunde 3", minute=minute, rssi=-110.0 + minute
        )
    town.unknown.sends(RAIN, TBRG, name=EVIL, profile="DL-TBRG", minute=10)
    town.unknown.sends(NOISE, "ff", f_port=200, minute=-5)
    yield town


def operator_of(town):
    return TestClient(town.app(), headers={"Authorization": f"Bearer {TOKEN}"})
