"""The weather of the simulated city: time since the storm's onset, air, sun, wind."""

import math
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from devices.simulator.storm import MINUTE_US, Rain

_LEAD_MIN = 30
_GUST_FRONT_MIN = 12.0
_DECAY_MIN = 110.0
_HOUR_US = 60 * MINUTE_US
_SOLAR_PEAK = 780.0


@dataclass(frozen=True, slots=True)
class Air:
    """Temperature (Cel), humidity (%), pressure (hPa), wind and gust (m/s), direction (deg), sun (W/m2)."""

    temperature: float
    humidity: float
    pressure: float
    wind: float
    gust: float
    direction: float
    sun: float


@dataclass(frozen=True, slots=True)
class Weather:
    """A storm with its onset at `onset_us` that returns every `period_min` minutes."""

    onset_us: int
    period_min: int
    timezone: ZoneInfo

    def since_onset(self, time_us: int) -> tuple[int, float]:
        """How many storms are over, and minutes since the onset of the one at hand (negative: before it)."""
        minutes = (time_us - self.onset_us) / MINUTE_US
        over = max(0, math.floor((minutes + _LEAD_MIN) / self.period_min))
        return over, minutes - over * self.period_min

    def rain(self, rain: Rain, time_us: int) -> int:
        """All rain at a place since the beginning, in tenths of a millimetre."""
        over, minutes = self.since_onset(time_us)
        return over * rain.totals[-1] + rain.total(minutes)

    def disturbance(self, time_us: int, delay_min: float) -> float:
        """How much the storm rules the air at a place: 0 calm, 1 gust front."""
        _, minutes = self.since_onset(time_us)
        minutes -= delay_min - _GUST_FRONT_MIN / 2
        if minutes < 0:
            return 0.0
        return min(1.0, minutes / _GUST_FRONT_MIN) * math.exp(
            -max(0.0, minutes - _GUST_FRONT_MIN) / _DECAY_MIN
        )

    def hour(self, time_us: int) -> float:
        """Local time of day in hours."""
        local = datetime.fromtimestamp(time_us / 1_000_000, self.timezone)
        return local.hour + local.minute / 60 + local.second / 3600

    def air(self, time_us: int, delay_min: float) -> Air:
        """The air at a place that the storm reaches `delay_min` minutes after its onset."""
        hour = self.hour(time_us)
        storm = self.disturbance(time_us, delay_min)
        day = math.cos((hour - 15) / 24 * 2 * math.pi)
        height = math.cos((hour - 13.5) / 24 * 2 * math.pi)
        return Air(
            temperature=21.0 + 5.5 * day - 7.0 * storm,
            humidity=min(99.0, 62.0 - 16.0 * day + 34.0 * storm),
            pressure=1004.0 + 2.5 * storm + 0.6 * math.sin(time_us / (6 * _HOUR_US)),
            wind=2.2 + 0.8 * day + 5.5 * storm,
            gust=3.8 + 1.2 * day + 14.0 * storm,
            direction=(215.0 + 55.0 * storm) % 360,
            sun=max(0.0, _SOLAR_PEAK * height) * (1 - 0.92 * storm),
        )
