"""Roads as a test says they are, some of which are not for everybody."""

from dataclasses import dataclass, field

from small_town import MINUTE, T0

from alerts.mobility.counted import Site
from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion, FlowState, Segment

HOUR = 60 * MINUTE
LINE = ((7.13, 50.99), (7.14, 50.98))


def flow_state(station, channel="in", property_="vehicle_count", **changes):
    known = {
        "state": "jam",
        "basis": "count",
        "since_us": T0 - 30 * MINUTE,
        "time_us": T0,
        "count": 31,
        "speed_kmh": None,
        "typical": (80.6, 100.4, 121.2),
    } | changes
    return FlowState(site=Site(station, property_, channel), **known)


def segment(id_, **changes):
    known = {"state": "slow", "since_us": T0 - HOUR, "time_us": T0, "speed_kmh": 17.26} | changes
    return Segment(id=id_, name=id_.title(), line=LINE, **known)


def street(id_, *stations, **changes):
    return Street(id_, id_.title(), LINE, stations, **changes)


@dataclass
class Roads:
    """Roads as a test says they are."""

    streets: tuple = (
        street("main", "z-haupt", free_flow_kmh=50.0),
        street("secret", "z-haupt", "geheim-pegel"),
    )
    states: tuple = (
        flow_state("z-haupt", "out", state="free", since_us=None, typical=None, count=None),
        flow_state("z-haupt"),
        flow_state("geheim-pegel"),
    )
    now: tuple = (segment("secret"), segment("main"))
    told: tuple = (
        Congestion("main.1", "main", T0 - 3 * HOUR, T0 - 2 * HOUR, "slow"),
        Congestion("secret.1", "secret", T0 - 2 * HOUR, None, "jam"),
        Congestion("main.2", "main", T0 - HOUR, None, "jam"),
    )
    asked: list = field(default_factory=list)
    listeners: list = field(default_factory=list)

    def flow(self):
        return self.states

    def segments(self):
        return self.now

    def congestions(self, from_us, to_us, limit, after=None):
        self.asked.append(limit)
        found = [
            each
            for each in sorted(self.told, key=lambda each: (each.begin_us, each.id))
            if (each.end_us is None or each.end_us > from_us) and each.begin_us < to_us
        ]
        return [each for each in found if after is None or (each.begin_us, each.id) > after][:limit]

    def listen(self, callback):
        self.listeners.append(callback)
        return lambda: self.listeners.remove(callback)
