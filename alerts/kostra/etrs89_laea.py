"""ETRS89 / LAEA Europe (EPSG:3035), the projection of KOSTRA-DWD-2020's grid: degrees to metres.

Formulas: IOGP Publication 373-7-2, "Coordinate Conversions and Transformations including Formulas", method
EPSG 9820 (Lambert Azimuthal Equal Area, ellipsoidal); the test uses its example. One forward projection of
thirty lines needs no geodesy library. WGS 84 degrees may be given: they differ from ETRS89 by less than a
metre.
"""

import math

_A = 6_378_137.0
_F = 1 / 298.257222101
_E2 = _F * (2 - _F)
_E = math.sqrt(_E2)
_LAT0, _LON0 = math.radians(52), math.radians(10)
_X0, _Y0 = 4_321_000.0, 3_210_000.0


def project(lat: float, lon: float) -> tuple[float, float]:
    """Easting and northing (m) of a place in degrees."""
    phi, dlon = math.radians(lat), math.radians(lon) - _LON0
    beta, beta0 = _authalic(phi), _authalic(_LAT0)
    r = _A * math.sqrt(_Q_POLE / 2)
    d = _A * math.cos(_LAT0) / math.sqrt(1 - _E2 * math.sin(_LAT0) ** 2) / (r * math.cos(beta0))
    b = r * math.sqrt(
        2 / (1 + math.sin(beta0) * math.sin(beta) + math.cos(beta0) * math.cos(beta) * math.cos(dlon))
    )
    x = _X0 + b * d * math.cos(beta) * math.sin(dlon)
    y = _Y0 + b / d * (math.cos(beta0) * math.sin(beta) - math.sin(beta0) * math.cos(beta) * math.cos(dlon))
    return x, y


def _q(phi: float) -> float:
    s = math.sin(phi)
    return (1 - _E2) * (s / (1 - _E2 * s * s) - math.log((1 - _E * s) / (1 + _E * s)) / (2 * _E))


def _authalic(phi: float) -> float:
    return math.asin(_q(phi) / _Q_POLE)


_Q_POLE = _q(math.pi / 2)
