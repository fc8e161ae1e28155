"""From an uplink to readings: find the device, decode its payload, derive what its place makes of it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import structlog

from devices.catalogue import DeviceType
from devices.measurement import Measurement, Quality, Rejected
from devices.registry import InstalledDevice, RegistryFile
from ingest.event_time import payload_time_fits
from ingest.reading import Measured, Series
from ingest.uplink import Uplink

_log = structlog.get_logger(__name__)
_NAN = math.nan


class Decoding:
    """Decodes uplinks by the registry and the catalogue as they are now; counts what went wrong.

    `errors` counts decoders that raised, by device type; `not_finite` values that were NaN or infinite;
    `times_corrected` times of the payload that could not be believed.
    """

    def __init__(self, registry: RegistryFile, catalogue: Mapping[str, DeviceType]) -> None:
        self._registry = registry
        self._catalogue = catalogue
        # the same few series come again and again
        self._series = cache(Series)
        self.errors: Counter[str] = Counter()
        self.not_finite = 0
        self.times_corrected = 0

    def readings(self, uplink: Uplink) -> tuple[Measured, ...] | Rejected:
        """The readings of one uplink, or why there are none. Never raises, whatever a decoder does."""
        device = self._registry.current.devices.get(uplink.dev_eui)
        if device is None:
            return Rejected("unknown_device", f"{uplink.dev_eui} is not in the list of devices")
        device_type = self._catalogue.get(device.type)
        if device_type is None:
            return Rejected("unknown_type", f"no device type {device.type!r} in the catalogue")
        try:
            decoded = device_type.decode(uplink.f_port, uplink.payload)
            if isinstance(decoded, Rejected):
                return decoded
            return tuple(self._measured(uplink, device, device.derive(decoded)))
        except Exception as error:  # noqa: BLE001 - a decoder's fault is a value, whatever it is
            if not self.errors[device.type]:
                _log.exception("decoder_error", type=device.type, dev_eui=uplink.dev_eui)
            self.errors[device.type] += 1
            return Rejected("decoder_error", f"{device.type}: {type(error).__name__}: {error}"[:500])

    def _measured(
        self, uplink: Uplink, device: InstalledDevice, measurements: Iterable[Measurement]
    ) -> Iterable[Measured]:
        for each in measurements:
            value, quality = each.value, each.quality
            if value is None:
                value, quality = _NAN, Quality.MISSING
            elif not math.isfinite(value):
                self.not_finite += 1
                value, quality = _NAN, Quality.MISSING
            time_us = uplink.time_us
            if each.time_us is not None:
                if payload_time_fits(each.time_us, uplink.received_us):
                    time_us = each.time_us
                else:
                    self.times_corrected += 1
            series = self._series(device.station, each.property, each.channel, device.dev_eui)
            yield Measured(series, time_us, value, int(quality))
