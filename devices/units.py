"""Exact conversion between the UCUM units that device types and observed properties use.

A table of the few dozen units of the field, in fractions: 9596 hundredths of a kPa must become 959.6 hPa and
not 959.5999999999999, and a general unit library costs a third of a second at every start.
"""

from fractions import Fraction
from typing import NamedTuple


class _Unit(NamedTuple):
    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)


def _scaled(dimension: str, **factors: str) -> dict[str, _Unit]:
    return {unit: _Unit(dimension, Fraction(factor)) for unit, factor in factors.items()}


_UNITS: dict[str, _Unit] = {
    **_scaled("ratio", **{"1": "1", "%": "1/100", "[ppm]": "1/1000000", "[ppb]": "1/1000000000"}),
    **_scaled("length", mm="1/1000", cm="1/100", dm="1/10", m="1", km="1000"),
    **_scaled("length", **{"[in_i]": "127/5000", "[ft_i]": "381/1250"}),
    **_scaled("time", ms="1/1000", s="1", min="60", h="3600", d="86400"),
    **_scaled("speed", **{"m/s": "1", "km/h": "5/18", "[kn_i]": "463/900"}),
    **_scaled("pressure", Pa="1", hPa="100", mbar="100", kPa="1000", bar="100000", MPa="1000000"),
    "Cel": _Unit("temperature", Fraction(1), Fraction(27315, 100)),
    "K": _Unit("temperature", Fraction(1)),
    "[degF]": _Unit("temperature", Fraction(5, 9), Fraction(45967, 180)),
    **_scaled("voltage", mV="1/1000", V="1"),
    **_scaled("current", uA="1/1000000", mA="1/1000", A="1"),
    **_scaled("power", mW="1/1000", W="1", kW="1000"),
    **_scaled("energy", **{"W.h": "1", "kW.h": "1000"}),
    **_scaled("irradiance", **{"W/m2": "1"}),
    **_scaled("illuminance", lx="1", klx="1000"),
    **_scaled("angle", deg="1"),
    **_scaled("intensity", **{"mm/min": "60", "mm/h": "1"}),
    **_scaled("volume", L="1/1000", m3="1"),
    **_scaled("flow", **{"L/s": "1/1000", "m3/h": "1/3600", "m3/s": "1"}),
    **_scaled("conductivity", **{"uS/cm": "1/10000", "mS/cm": "1/10", "dS/m": "1/10", "S/m": "1"}),
    **_scaled("concentration", **{"ng/m3": "1/1000000000", "ug/m3": "1/1000000", "mg/m3": "1/1000"}),
    **_scaled("level", dB="1"),
    **_scaled("power level", **{"dB[mW]": "1"}),
}

_SPELLINGS = {
    "°C": "Cel", "℃": "Cel", "C": "Cel", "°F": "[degF]", "°": "deg", "%RH": "%", "% RH": "%",
    "W⋅m⁻²": "W/m2", "W/m²": "W/m2", "m⋅s⁻¹": "m/s", "µS⋅cm⁻¹": "uS/cm", "µS/cm": "uS/cm", "mS⋅cm⁻¹": "mS/cm",
    "μS/cm": "uS/cm", "µg/m³": "ug/m3", "μg/m³": "ug/m3", "µg⋅m⁻³": "ug/m3", "ug/m³": "ug/m3",
    "ppm": "[ppm]", "ppb": "[ppb]", "lux": "lx", "lm⋅m⁻²": "lx", "l": "L", "m³": "m3", "m³/h": "m3/h",
    "sec": "s", "Wh": "W.h", "kWh": "kW.h", "dBm": "dB[mW]", "": "1",
}  # fmt: skip
"""How Payload Schema files and makers write these units."""


def ucum(unit: str) -> str:
    """The UCUM code of a unit that may be written as makers write it; unknown ones come back as they are."""
    return _SPELLINGS.get(unit, unit)


def is_known(unit: str) -> bool:
    """Whether this UCUM code is one we convert."""
    return unit in _UNITS


def conversion(unit: str, into: str) -> tuple[Fraction, Fraction] | None:
    """(a, b) with value_into = a * value + b; None where they measure different things or are unknown."""
    if unit == into:
        return Fraction(1), Fraction(0)
    source, target = _UNITS.get(unit), _UNITS.get(into)
    if source is None or target is None or source.dimension != target.dimension:
        return None
    return source.factor / target.factor, (source.offset - target.offset) / target.factor
