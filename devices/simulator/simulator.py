"""Draws the MQTT messages of a simulated city, one after another."""

import heapq
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from devices.catalogue import Catalogue, DeviceType
from devices.registry import InstalledDevice, Registry
from devices.simulator.behaviour import BEHAVIOURS, SECOND_US, Place, Sample, Values, rain_gauge
from devices.simulator.creek import STORAGE_MIN, WAVE_M_PER_MIN, Reach, discharge
from devices.simulator.faults import FAULTS
from devices.simulator.network import Frame, chirpstack_v4, join, message_id, radio, tts_v3
from devices.simulator.storm import MINUTE_US, Storm, design_depths, euler_type_2, metres_between
from devices.simulator.truth import PhysicalCrossing, crossings
from devices.simulator.weather import Weather

_DELIVERY_US = 300_000
_FAULT_FCNT = 1_000_000


class Kind(StrEnum):
    """What a message is: the first copy of an uplink, another copy of it, or one nobody should send."""

    UPLINK = "uplink"
    DUPLICATE = "duplicate"
    BAD = "bad"


class Delivery(NamedTuple):
    """One MQTT message and when the broker gets it (µs since the epoch, UTC)."""

    due_us: int
    topic: str
    payload: bytes
    kind: Kind


class Past(NamedTuple):
    """What a device measured before the messages begin, and when that was received, µs since the epoch."""

    device: InstalledDevice
    time_us: int
    values: Values


@dataclass(frozen=True, slots=True)
class Script:
    """What happens, in minutes from the start unless said otherwise.

    The design rain of `return_period_a` years and `rain_min` minutes begins at the city's centre at
    `onset_min`; everything is over at `length_min`, and after `calm_min` more it begins anew. The
    `history_min` minutes before the start are delivered at once. `duplicates`, `late`: shares of the uplinks.
    The spike and the silence of two level gauges are in minutes after the onset.
    """

    return_period_a: int = 100
    rain_min: int = 60
    onset_min: int = 10
    length_min: int = 300
    calm_min: int = 30
    history_min: int = 180
    duplicates: float = 0.10
    late: float = 0.05
    latest_min: float = 8.0
    first_fault_min: int = 3
    fault_every_min: int = 7
    spike_min: float = 120.0
    silent_min: tuple[float, float] = (45.0, 140.0)
    timezone: str = "Europe/Berlin"


class Simulator:
    """A city whose devices all live in one registry. Draws the same messages for the same seed and start.

    Every third device reports through The Things Stack, the others through ChirpStack. On the longest creek
    the second gauge from the source falls silent in the storm; a gauge of another water (else the last one)
    spikes. Devices of types without a behaviour (`behaviour.BEHAVIOURS`) stay silent.
    """

    def __init__(
        self, catalogue: Catalogue, registry: Registry, seed: int = 1, script: Script | None = None
    ) -> None:
        self._catalogue = catalogue
        self._seed = seed
        self.script = script or Script()
        self._stations = registry.stations
        self._devices = [each for each in registry.devices.values() if each.type in BEHAVIOURS]
        self._levels = _downstream(self._devices)
        centre = _centre(registry)
        blocks = euler_type_2(design_depths(self.script.return_period_a), self.script.rain_min)
        self.storm = Storm(blocks, *centre)

    def messages(self, start_us: int, storms: int | None = 1) -> Iterator[Delivery]:
        """Deliveries in the order they are due, to the end of so many storms (None: without end).

        Events carry times up to two seconds before they are due, late ones up to `latest_min` minutes. The
        history before the start is due at the start.
        """
        rng = self._rng("deliveries")
        end_us = None if storms is None else start_us + self._end_min(storms) * MINUTE_US
        waiting: list[tuple[int, int, Delivery]] = []
        numbers = itertools.count()
        fault_us = start_us + self.script.first_fault_min * MINUTE_US
        faults = itertools.cycle(FAULTS)

        def send(due_us: int, message: tuple[str, bytes], kind: Kind) -> None:
            due_us = max(due_us, start_us)
            heapq.heappush(waiting, (due_us, next(numbers), Delivery(due_us, *message, kind)))

        for frame, envelope in self._frames(start_us):
            if end_us is not None and frame.received_us >= end_us:
                break
            while waiting and waiting[0][0] <= frame.received_us:
                yield heapq.heappop(waiting)[2]
            if frame.received_us >= fault_us and envelope is chirpstack_v4:
                model = replace(frame, f_cnt=frame.f_cnt + _FAULT_FCNT)
                send(frame.received_us, next(faults)(model, rng), Kind.BAD)
                fault_us += self.script.fault_every_min * MINUTE_US
            due_us = frame.received_us + _DELIVERY_US
            if rng.random() < self.script.late:
                due_us += round(rng.uniform(0.5, self.script.latest_min) * MINUTE_US)
            message = message_id(rng)
            send(due_us, envelope(frame, message), Kind.UPLINK)
            if rng.random() < self.script.duplicates:
                again = rng.choice((message, message_id(rng)))
                due_us += round(rng.uniform(0.2, 60) * SECOND_US)
                send(due_us, envelope(frame, again), Kind.DUPLICATE)
        while waiting:
            yield heapq.heappop(waiting)[2]

    def past(self, start_us: int, since: Callable[[InstalledDevice], int | None]) -> Iterator[Past]:
        """What devices have sent since a time of each (None: nothing), up to where the messages begin.

        In its order; nothing is lost, late or twice. The messages go on from here where what a device
        measures follows from the time alone: counters and parking spaces.
        """
        until_us = start_us - self.script.history_min * MINUTE_US
        streams = [
            self._past(place, since_us, until_us)
            for place in self.places(start_us)
            if (since_us := since(place.device)) is not None
        ]
        return heapq.merge(*streams, key=lambda each: each.time_us)

    def _past(self, place: Place, since_us: int, until_us: int) -> Iterator[Past]:
        device = place.device
        type_ = self._catalogue[device.type]
        _, behaviour = BEHAVIOURS[device.type]
        samples = behaviour(place, self._rng(f"{device.dev_eui} values"), since_us)
        for sample in itertools.takewhile(lambda each: each.time_us <= until_us, samples):
            yield Past(device, sample.time_us + SECOND_US, _carried(type_, sample))

    def crossings(self, start_us: int, storms: int = 1) -> tuple[PhysicalCrossing, ...]:
        """When the true level of every gauge reaches its marks in so many storms, sensor or not."""
        end_us = start_us + self._end_min(storms) * MINUTE_US
        return tuple(crossings(self.places(start_us), start_us, end_us))

    def places(self, start_us: int) -> Sequence[Place]:
        """Every device with what the weather will do to it."""
        weather = Weather(
            onset_us=-(-start_us // (5 * MINUTE_US)) * 5 * MINUTE_US + self.script.onset_min * MINUTE_US,
            period_min=self.script.length_min + self.script.calm_min,
            timezone=ZoneInfo(self.script.timezone),
        )
        silent, spiking = self._troubled()
        return [
            Place(
                device=device,
                weather=weather,
                rain=self.storm.at(*_position(device)),
                interval_us=round((device.interval_s or self._catalogue[device.type].interval_s) * SECOND_US),
                reach=self._reach(device),
                capacity=self._capacity(device),
                seed=self._seed,
                spike_min=self.script.spike_min if device.dev_eui == spiking else None,
                silent_min=self.script.silent_min if device.dev_eui == silent else None,
            )
            for device in self._devices
        ]

    def _capacity(self, device: InstalledDevice) -> int | None:
        station = self._stations.get(device.station)
        return station.capacity if station else device.capacity

    def _end_min(self, storms: int) -> int:
        return storms * (self.script.length_min + self.script.calm_min) - self.script.calm_min

    def _frames(self, start_us: int) -> Iterator[tuple[Frame, Any]]:
        from_us = start_us - self.script.history_min * MINUTE_US
        streams = [
            self._stream(place, from_us, tts_v3 if i % 3 == 2 else chirpstack_v4)  # noqa: PLR2004 - every third
            for i, place in enumerate(self.places(start_us))
        ]
        return heapq.merge(*streams, key=lambda pair: pair[0].received_us)

    def _stream(self, place: Place, from_us: int, envelope: Any) -> Iterator[tuple[Frame, Any]]:
        device = place.device
        rng = self._rng(device.dev_eui)
        type_ = self._catalogue[device.type]
        f_port, behaviour = BEHAVIOURS[device.type]
        session = join(rng)
        counter = itertools.count(rng.randrange(0, 4_000))
        # A server decodes some types itself, so its own object travels along with the raw bytes.
        shows_object = envelope is tts_v3 or type_.maker.lower() == "milesight"
        delay_us = 600_000 + rng.randrange(900_000)
        for sample in behaviour(place, self._rng(f"{device.dev_eui} values"), from_us):
            values = _carried(type_, sample)
            port = f_port if sample.f_port is None else sample.f_port
            frame = Frame(
                device=device,
                session=session,
                f_port=port,
                f_cnt=next(counter),
                payload=type_.encode(port, values),
                received_us=sample.time_us + delay_us + rng.randrange(400_000),
                radio=radio(rng, *_position(device)),
                decoded=_shown(values) if shows_object else None,
            )
            yield frame, envelope

    def _reach(self, device: InstalledDevice) -> Reach | None:
        creek = self._levels.get(device.water, ())
        if device not in creek or not device.stages_cm:
            return None
        source = creek[0]
        metres = metres_between(*_position(source), *_position(device))
        rain = self.storm.at(*_position(source))
        base_cm = 0.3 * device.stages_cm[0]
        crest_cm = 1.08 * device.stages_cm[-1] * rain.factor**0.6
        travel_min = metres / WAVE_M_PER_MIN
        flow = discharge(self.storm.blocks, STORAGE_MIN + travel_min / 10)
        return Reach(base_cm, max(base_cm, crest_cm), rain.delay_min + travel_min, flow)

    def _troubled(self) -> tuple[str, str]:
        """DevEUIs of the gauge that falls silent and of the one that spikes; "" where there is none."""
        creeks = sorted(self._levels.values(), key=len, reverse=True)
        if not creeks:
            return "", ""
        longest = creeks[0]
        other = creeks[1][0] if len(creeks) > 1 else longest[-1]
        return longest[min(1, len(longest) - 1)].dev_eui, other.dev_eui

    def _rng(self, name: str) -> Random:
        return Random(f"{self._seed} {name}")  # noqa: S311 - a reproducible simulation, no secret


def _carried(type_: DeviceType, sample: Sample) -> Values:
    """What of a sample a device of this type sends."""
    return {
        key: value
        for key, value in sample.values.items()
        if (key if isinstance(key, str) else key[0]) in type_.properties
    }


def _downstream(devices: Sequence[InstalledDevice]) -> Mapping[str, Sequence[InstalledDevice]]:
    """Level gauges by water, from the source (the highest gauge zero) down."""
    creeks: dict[str, list[InstalledDevice]] = {}
    for device in devices:
        if device.sensor_height_cm is not None:
            creeks.setdefault(device.water, []).append(device)
    for creek in creeks.values():
        creek.sort(key=lambda device: -(device.gauge_zero_m or 0.0))
    return creeks


def _centre(registry: Registry) -> tuple[float, float]:
    """The first rain gauge's place, else the first device's: there the rain is the design rain itself."""
    devices = list(registry.devices.values())
    gauges = [device for device in devices if BEHAVIOURS.get(device.type, (0, None))[1] is rain_gauge]
    return _position((gauges or devices)[0]) if devices else (0.0, 0.0)


def _position(device: InstalledDevice) -> tuple[float, float]:
    return device.lat or 0.0, device.lon or 0.0


def _shown(values: Values) -> dict[str, float]:
    return {_flat(key): value for key, value in values.items() if value is not None}


def _flat(key: str | tuple[str, str]) -> str:
    return key if isinstance(key, str) else "_".join(key)
