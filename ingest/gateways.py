"""By which way devices reach us: which gateways hear them, and when each gateway was last heard.

A gateway that dies takes with it what it alone hears. So that this is one cause and not twenty, the watchdog
asks this book whom a silent gateway alone served.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.uplink import Uplink

GatewayKey = tuple[str, str]
"""Network server, gateway id."""

ALONE = 3
"""So many uplinks of a device in a row, and none that another gateway heard: it is this gateway's alone."""
MOST_GATEWAYS = 20_000
MOST_DEVICES = 200_000


class Way(NamedTuple):
    """How a device reaches us: the network server of its newest uplink; the gateway that alone hears it, ""
    for none or several; the one of its newest uplink likewise, and how many uplinks in a row it was that."""  # noqa: D205, D209 - one thought

    server: str
    alone: str
    newest: str
    times: int


@dataclass(frozen=True, slots=True)
class Reception:
    """The book at one moment: when each gateway was last heard, µs since the epoch; each DevEUI's way."""

    gateways: Mapping[GatewayKey, int] = field(default_factory=dict)
    devices: Mapping[str, Way] = field(default_factory=dict)


class GatewayBook:
    """Takes uplinks from one thread, gives the reception to others. Of too many gateways it forgets those
    silent longest, of too many devices those known longest."""  # noqa: D205, D209 - one thought

    def __init__(self, gateways: int = MOST_GATEWAYS, devices: int = MOST_DEVICES) -> None:
        self._gateways = gateways
        self._devices = devices
        self._lock = threading.Lock()
        self._heard: dict[GatewayKey, int] = {}
        self._ways: dict[str, Way] = {}
        # ways before an uplink that names no gateway: if its other half does, it goes on from there
        self._before: dict[str, Way | None] = {}

    def hear(self, uplinks: Iterable[Uplink]) -> None:
        """Take uplinks in the order they came; also of devices that nobody has registered.

        An uplink that names no gateway, and then again with its gateways, counts once.
        """
        with self._lock:
            heard, ways, before = self._heard, self._ways, self._before
            for uplink in uplinks:
                server, time = uplink.server, uplink.received_us
                if time > uplink.arrived_us:  # noqa: PLR1730 - min() takes as long as all the rest
                    time = uplink.arrived_us
                only = None
                for gateway in uplink.gateways:
                    name = gateway.id
                    key = (server, name)
                    if heard.get(key, 0) < time:
                        heard[key] = time
                    # one gateway with several antennas appears several times
                    only = name if only is None or only == name else ""
                way = ways.get(uplink.dev_eui)
                if only is None or before:
                    way = self._resumed(uplink.dev_eui, way, told=only is not None)
                if way is None:
                    ways[uplink.dev_eui] = Way(server, only or "", only or "", ALONE)
                elif way.server != server or way.newest != (only or ""):
                    ways[uplink.dev_eui] = Way(server, "", only or "", 1)
                elif way.times < ALONE:
                    alone = way.newest if way.times + 1 == ALONE else ""
                    ways[uplink.dev_eui] = Way(server, alone, way.newest, way.times + 1)
            self._forget()

    def _resumed(self, dev_eui: str, way: Way | None, *, told: bool) -> Way | None:
        """From where a device's way goes on with an uplink that names gateways, or that does not."""
        if told:
            before = self._before.pop(dev_eui, way)
            if before is not None:
                self._ways[dev_eui] = before
            return before
        if dev_eui in self._before:
            # the second in a row: nobody will name the gateways of the first
            del self._before[dev_eui]
        else:
            self._before[dev_eui] = way
        return way

    def _forget(self) -> None:
        if len(self._heard) > self._gateways:
            self._heard = dict(sorted(self._heard.items(), key=_time)[-(self._gateways * 9 // 10) :])
        for each in (self._ways, self._before):
            while len(each) > self._devices:
                each.pop(next(iter(each)))

    def reception(self) -> Reception:
        """What is known now."""
        with self._lock:
            return Reception(self._heard.copy(), self._ways.copy())


def _time(entry: tuple[GatewayKey, int]) -> int:
    return entry[1]
