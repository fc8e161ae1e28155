"""What each device measures and when it transmits."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from devices.registry import InstalledDevice
from devices.simulator.creek import Reach
from devices.simulator.parked import Garage, Space
from devices.simulator.passing import Lane, Passings, by_class
from devices.simulator.storm import Rain
from devices.simulator.weather import Weather

Values = Mapping[str | tuple[str, str], float | None]
SECOND_US = 1_000_000
SPIKE_MM = 40.0
"""A branch in front of the sensor: nearer than an ultrasonic sensor can measure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a device sends at one moment (µs since the epoch, UTC); None is what it has no value of.

    `f_port` None: the usual one.
    """

    time_us: int
    values: Values
    f_port: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A device and what the weather makes of its place. `reach`: only at a creek.

    `capacity`: spaces of the car park where it stands, if it does; `seed`: of what passes and parks there.
    `spike_min`: minutes after the onset at which its next sample is absurd; `silent_min`: from and to.
    """

    device: InstalledDevice
    weather: Weather
    rain: Rain
    interval_us: int
    reach: Reach | None = None
    capacity: int | None = None
    seed: int = 1
    spike_min: float | None = None
    silent_min: tuple[float, float] | None = None


Behaviour = Callable[[Place, Random, int], Iterator[Sample]]


def rain_gauge(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """A tipping bucket: what fell in the interval, and its cumulative counter."""
    start = rng.randrange(2_000, 20_000)
    battery = _battery(rng)
    for time_us in _moments(place, from_us, phase_us=0):
        total = place.weather.rain(place.rain, time_us)
        fallen = total - place.weather.rain(place.rain, time_us - place.interval_us)
        yield Sample(
            time_us,
            {
                "precipitation": fallen / 10,
                "precipitation_interval": place.interval_us // SECOND_US,
                "precipitation_total": (start + total) / 10,
                "battery_voltage": next(battery),
            },
        )


def level_gauge(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """An ultrasonic sensor over the water: the distance, with a little noise."""
    if place.reach is None or place.device.sensor_height_cm is None:
        return
    battery = _battery(rng)
    spiked = -1
    for time_us in _moments(place, from_us, rng.randrange(place.interval_us)):
        over, minutes = place.weather.since_onset(time_us)
        noise = rng.gauss(0, 0.25)
        if place.silent_min and place.silent_min[0] <= minutes < place.silent_min[1]:
            continue
        distance = 10 * (place.device.sensor_height_cm - place.reach.level(minutes) - noise)
        if place.spike_min is not None and minutes >= place.spike_min and spiked < over:
            spiked = over
            distance = SPIKE_MM
        yield Sample(
            time_us,
            {
                "water_distance": round(distance),
                "sample_count": 11,
                "battery_voltage": next(battery),
                "battery_level": 92,
            },
        )


def parking_space(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """A sensor in one space: an uplink at every change, and a heartbeat after each interval."""
    space = Space(place.seed, place.device.dev_eui, place.weather)
    beats = _moments(place, from_us, rng.randrange(place.interval_us))
    beat_us = next(beats)
    for changed_us, occupied in space.changes(from_us):
        while beat_us < changed_us:
            air = place.weather.air(beat_us, place.rain.delay_min)
            values: Values = {
                "parking_occupied": space.occupied(beat_us),
                "device_temperature": round(air.temperature),
            }
            yield Sample(beat_us, values, _HEARTBEAT_PORT)
            beat_us = next(beats)
        yield Sample(changed_us, {"parking_occupied": occupied})


def car_counter(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """Cars on a street, or through a gate of a car park: a counter that runs up."""
    start = rng.randrange(500, 9_000)
    total = _gate(place) if place.capacity else _street(place, rng)
    for time_us in _moments(place, from_us, _on_time(rng)):
        yield Sample(time_us, {"vehicle_count": (start + total(time_us)) % _SIXTEEN_BITS})


def traffic_radar(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """Both directions of a street, by interval and class of speed. Into town it jams in the storm."""
    into = Lane("ltr", rng.uniform(6_500, 8_000), "inbound", _FEWER_CARS, jams=True)
    out_of = Lane("rtl", rng.uniform(6_300, 7_800), "outbound", _FEWER_CARS)
    lanes = [(lane.name, _passings(place, lane)) for lane in (into, out_of)]
    battery = _battery(rng)
    for time_us in _moments(place, from_us, _on_time(rng)):
        values: dict[str | tuple[str, str], float | None] = {}
        for name, passings in lanes:
            for number, (count, kmh) in enumerate(
                by_class(passings.speeds(time_us - place.interval_us, time_us))
            ):
                values["vehicle_count_interval", f"{name}/class{number}"] = count
                values["vehicle_speed", f"{name}/class{number}"] = kmh
        air = place.weather.air(time_us, place.rain.delay_min)
        values["battery_voltage"] = next(battery)
        values["solar_power"] = round(2 * air.sun)
        values["device_temperature"] = round(air.temperature + 4, 1)
        yield Sample(time_us, values)


def people_counter(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """People passing a radar in two directions: the interval's counts and the sums."""
    starts = {"ltr": rng.randrange(200, 4_000), "rtl": rng.randrange(200, 4_000)}
    daily = rng.uniform(900, 2_800)
    lanes = {name: _passings(place, Lane(name, daily, "shops", _FEWER_PEOPLE)) for name in starts}
    battery = _battery(rng)
    for time_us in _moments(place, from_us, _on_time(rng)):
        values: dict[str | tuple[str, str], float] = {}
        for direction, passings in lanes.items():
            total = passings.total(time_us)
            values["people_count_interval", direction] = total - passings.total(time_us - place.interval_us)
            values["people_count", direction] = (starts[direction] + total) % _SIXTEEN_BITS
        air = place.weather.air(time_us, place.rain.delay_min)
        values["battery_voltage"] = next(battery)
        values["solar_power"] = round(2 * air.sun)
        values["device_temperature"] = round(air.temperature + 4, 1)
        yield Sample(time_us, values)


def weather_station(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """Wind, sun, air and rain of a compact station."""
    battery = _battery(rng)
    for time_us in _moments(place, from_us, phase_us=0):
        air = place.weather.air(time_us, place.rain.delay_min)
        fallen = place.weather.rain(place.rain, time_us)
        fallen -= place.weather.rain(place.rain, time_us - place.interval_us)
        direction = math.radians(air.direction + rng.gauss(0, 9))
        wind = max(0.0, air.wind + rng.gauss(0, 0.4))
        temperature = air.temperature + rng.gauss(0, 0.15)
        vapour = _saturation_hpa(temperature) * air.humidity / 100
        yield Sample(
            time_us,
            {
                "solar_irradiance": round(air.sun),
                "precipitation": fallen / 10,
                "lightning_count": _poisson(rng, 9.0 if fallen > 0 else 0.0),
                "lightning_distance": 4,
                "wind_speed": round(wind, 2),
                "wind_direction": round(math.degrees(direction) % 360, 1),
                "wind_gust": round(max(wind, air.gust + rng.gauss(0, 0.6)), 2),
                "air_temperature": round(temperature, 1),
                "vapour_pressure": round(vapour, 1),
                "air_pressure": round(air.pressure + rng.gauss(0, 0.05), 1),
                "relative_humidity": round(air.humidity, 1),
                "device_temperature": round(temperature + 0.6, 1),
                ("device_tilt", "x"): 0.4,
                ("device_tilt", "y"): -0.2,
                "device_heading": 180,
                "wind_speed_north": round(wind * math.cos(direction), 2),
                "wind_speed_east": round(wind * math.sin(direction), 2),
                "battery_voltage": next(battery),
            },
        )


def climate_sensor(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """Air temperature and humidity in the shade."""
    offset = rng.gauss(0, 0.8)
    for time_us in _moments(place, from_us, rng.randrange(place.interval_us)):
        air = place.weather.air(time_us, place.rain.delay_min)
        humidity = min(99.0, air.humidity - 2 * offset + rng.gauss(0, 0.6))
        yield Sample(
            time_us,
            {
                "battery_level": 97,
                "air_temperature": round(air.temperature + offset + rng.gauss(0, 0.1), 1),
                "relative_humidity": round(humidity * 2) / 2,
            },
        )


_HEARTBEAT_PORT = 2
_SIXTEEN_BITS = 1 << 16
_FEWER_CARS, _FEWER_PEOPLE = 0.35, 0.85
"""What the storm takes away."""

BEHAVIOURS: Mapping[str, tuple[int, Behaviour]] = {
    "decentlab-dl-tbrg": (1, rain_gauge),
    "decentlab-dl-mbx": (1, level_gauge),
    "milesight-em310-udl": (85, level_gauge),
    "bosch-tps110": (1, parking_space),
    "nwave-ncc405": (1, car_counter),
    "parametric-tcr": (15, traffic_radar),
    "parametric-pcr2": (14, people_counter),
    "decentlab-dl-atm41": (1, weather_station),
    "milesight-em320-th": (85, climate_sensor),
}
"""fPort and behaviour by device type. A value that a type does not carry is left out."""


def _moments(place: Place, from_us: int, phase_us: int) -> Iterator[int]:
    step = place.interval_us
    time_us = (from_us - phase_us) // step * step + phase_us
    while True:
        time_us += step
        yield time_us


def _battery(rng: Random) -> Iterator[float]:
    volts = rng.uniform(2.95, 3.55)
    while True:
        yield round(volts + rng.uniform(-0.004, 0.004), 3)


def _on_time(rng: Random) -> int:
    """Counters report when the quarter of an hour is over, each at seconds of its own."""
    return rng.randrange(20 * SECOND_US)


def _passings(place: Place, lane: Lane) -> Passings:
    return Passings(place.seed, place.device.station, lane, place.weather, place.rain.delay_min)


def _street(place: Place, rng: Random) -> Callable[[int], int]:
    shape = "outbound" if place.device.direction == "out" else "inbound"
    return _passings(place, Lane(shape, rng.uniform(4_000, 6_500), shape, _FEWER_CARS)).total


def _gate(place: Place) -> Callable[[int], int]:
    garage = Garage(place.seed, place.device.station, place.capacity or 0, place.weather)
    return partial(garage.counted, place.device.direction)


def _poisson(rng: Random, mean: float) -> int:
    """A Poisson number by inversion of its product (Knuth), mean below about 500."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _saturation_hpa(temperature: float) -> float:
    """Saturation vapour pressure over water, Magnus formula (WMO-No. 8)."""
    return 6.112 * math.exp(17.62 * temperature / (243.12 + temperature))
