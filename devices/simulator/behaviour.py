"""What each device measures and when it transmits."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from devices.registry import InstalledDevice
from devices.simulator.creek import Reach
from devices.simulator.storm import MINUTE_US, Rain
from devices.simulator.weather import Weather

Values = Mapping[str | tuple[str, str], float]
SECOND_US = 1_000_000
PARKING_STEP_US = 5 * MINUTE_US
SPIKE_MM = 40.0
"""A branch in front of the sensor: nearer than an ultrasonic sensor can measure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a device sends at one moment (µs since the epoch, UTC). `f_port` None: the usual one."""

    time_us: int
    values: Values
    f_port: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A device and what the weather makes of its place. `reach`: only at a creek.

    `spike_min`: minutes after the onset at which its next sample is absurd; `silent_min`: from and to.
    """

    device: InstalledDevice
    weather: Weather
    rain: Rain
    interval_us: int
    reach: Reach | None = None
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
    """A sensor in one space: an uplink at every change, and a heartbeat after an interval without."""
    occupied = -1
    heard_us = from_us - place.interval_us
    # Sensors of one car park do not look at the same second.
    time_us = from_us + rng.randrange(PARKING_STEP_US)
    while True:
        share = 0.2 + 0.7 * math.exp(-(((place.weather.hour(time_us) - 13) / 4.5) ** 2))
        now = occupied
        if occupied < 0 or rng.random() < _TURNOVER:
            now = int(rng.random() < share)
        if now != occupied:
            occupied, heard_us = now, time_us
            yield Sample(time_us, {"parking_occupied": occupied})
        elif time_us - heard_us >= place.interval_us:
            heard_us = time_us
            air = place.weather.air(time_us, place.rain.delay_min)
            temperature = round(air.temperature)
            yield Sample(
                time_us,
                {"parking_occupied": occupied, "device_temperature": temperature},
                _HEARTBEAT_PORT,
            )
        time_us += PARKING_STEP_US + rng.randrange(-20, 20) * SECOND_US


def car_counter(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """Cars on a street: a counter that runs up."""
    total = rng.randrange(500, 9_000)
    for time_us in _moments(place, from_us, rng.randrange(place.interval_us)):
        storm = place.weather.disturbance(time_us, place.rain.delay_min)
        rate = 1.2 + 10.0 * _busy(place.weather.hour(time_us), (8.0, 1.6), (17.0, 2.4))
        total += _poisson(rng, rate * (1 - 0.35 * storm) * place.interval_us / MINUTE_US)
        yield Sample(time_us, {"vehicle_count": total % _SIXTEEN_BITS})


def people_counter(place: Place, rng: Random, from_us: int) -> Iterator[Sample]:
    """People passing a radar in two directions: the interval's counts and the sums."""
    sums = {"ltr": rng.randrange(200, 4_000), "rtl": rng.randrange(200, 4_000)}
    battery = _battery(rng)
    for time_us in _moments(place, from_us, rng.randrange(place.interval_us)):
        storm = place.weather.disturbance(time_us, place.rain.delay_min)
        rate = 0.4 + 4.0 * _busy(place.weather.hour(time_us), (12.5, 3.0), (17.5, 2.0))
        values: dict[str | tuple[str, str], float] = {}
        for direction, before in sums.items():
            count = _poisson(rng, rate * (1 - 0.85 * storm) * place.interval_us / MINUTE_US)
            sums[direction] = (before + count) % _SIXTEEN_BITS
            values["people_count_interval", direction] = count
            values["people_count", direction] = sums[direction]
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
_TURNOVER = 0.09
"""Chance that a parking space may change hands within five minutes."""

BEHAVIOURS: Mapping[str, tuple[int, Behaviour]] = {
    "decentlab-dl-tbrg": (1, rain_gauge),
    "decentlab-dl-mbx": (1, level_gauge),
    "milesight-em310-udl": (85, level_gauge),
    "bosch-tps110": (1, parking_space),
    "nwave-ncc405": (1, car_counter),
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


def _busy(hour: float, *peaks: tuple[float, float]) -> float:
    return max(math.exp(-(((hour - at) / width) ** 2)) for at, width in peaks)


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
