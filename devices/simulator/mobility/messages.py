"""The reports as MQTT messages of a network server, with payloads as the real devices send them."""

import math
from collections.abc import Iterator, Mapping
from random import Random

import numpy as np
import numpy.typing as npt

from devices.catalogue import Catalogue
from devices.registry import InstalledDevice
from devices.simulator.mobility.month import Month, uplinks
from devices.simulator.network import Frame, Session, chirpstack_v4, join, message_id, radio
from devices.simulator.simulator import Delivery, Kind

Values = Mapping[str | tuple[str, str], float | None]

_BESIDES: Mapping[str, Values] = {
    "parametric-tcr": {"battery_level": 88, "solar_power": 240, "device_temperature": 14.5},
    "pmx-systems-tcr": {"battery_voltage": 3.4},
    "parametric-pcr2": {"battery_voltage": 3.9, "solar_power": 180, "device_temperature": 12.5},
    "terabee-people-counting-l": {"device_health": 0},
}
"""What such a payload always carries and is no part of the month."""


def messages(month: Month, catalogue: Catalogue, seed: int = 1) -> Iterator[Delivery]:
    """Every uplink of a device of the catalogue, as ChirpStack v4 publishes it, in the order of arrival.

    A late one was received in time by its gateway and reached the broker late; a copy is the same message, or
    the same frame processed anew. Devices of no type (a barrier
    system, counters of bicycles) send nothing here.
    """
    rng = Random(f"{seed} messages")  # noqa: S311 - a reproducible simulation, no secret
    sessions: dict[str, Session] = {}
    ids: dict[tuple[int, int], str] = {}
    for rows in uplinks(month.reports):
        sent = month.sent[int(rows["sent"][0])]
        device = sent.device
        if device.type not in catalogue:
            continue
        number = int(rows["uplink"][0])
        repeated = bool(rows["repeated"][0])
        identity = ids.setdefault((int(rows["sent"][0]), number), message_id(rng))
        if repeated and rng.random() < 1 / 2:
            identity = message_id(rng)
        frame = Frame(
            device=device,
            session=sessions.setdefault(device.dev_eui, join(rng)),
            f_port=sent.f_port,
            # both categories of a device share its counter
            f_cnt=2 * number + sent.f_port % 2,
            payload=catalogue[device.type].encode(sent.f_port, _values(month, device, rows)),
            received_us=int(rows["time_us"][0]),
            radio=radio(rng, device.lat or 0.0, device.lon or 0.0),
            decoded=None,
        )
        kind = Kind.DUPLICATE if repeated else Kind.UPLINK
        yield Delivery(int(rows["arrival_us"][0]), *chirpstack_v4(frame, identity), kind)


def _values(month: Month, device: InstalledDevice, rows: npt.NDArray[np.void]) -> Values:
    found: dict[str | tuple[str, str], float | None] = {}
    for number, value in zip(rows["stream"].tolist(), rows["value"].tolist(), strict=True):
        stream = month.streams[number]
        channel = "" if stream.channel == device.direction else stream.channel
        found[(stream.property, channel) if channel else stream.property] = (
            None if math.isnan(value) else value
        )
    found.update(_BESIDES.get(device.type, {}))
    return found
