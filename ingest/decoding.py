"""From uplinks to readings: find the device, decode its payload, derive what its place makes of it."""

import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import structlog

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.measurement import Measurement, Quality, Rejected
from devices.registry import InstalledDevice, RegistryFile
from ingest.event_time import payload_time_fits
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

_log = structlog.get_logger(__name__)
_NAN = math.nan

SANDBOX_S = 0.5
"""Time for the sandboxed codecs of one batch: one limit of a sandbox's call."""
WAITING = "codec_waiting"
"""Reason of an uplink that no time was left for; it is decoded as soon as there is."""
_WAITING = Rejected(WAITING, "decoded as soon as the sandbox has time")
_AT_ONCE = 8
"""Most uplinks in one call of a sandbox. Its speed is in batches, but each that it must kill costs a limit,
and each that is merely slow nearly so: a codec begins with one a call, gets twice as many after each call
that was quick, and begins anew after one that was not."""
_KILLED = frozenset({"codec_timeout", "codec_memory", "codec_crash"})
_MOST_NOTES = 16 << 10
_MOST_WARNINGS, _MOST_WARNING = 20, 200

Read = tuple[Uplink, tuple[Measured, ...]]


class Decoding:
    """Decodes uplinks by the registry and the catalogue as they are now; counts what went wrong.

    `errors` counts decoders that raised, by device type; `not_finite` values that were NaN or infinite;
    `times_corrected` times of the payload that could not be believed.
    """

    def __init__(
        self, registry: RegistryFile, catalogue: Mapping[str, DeviceType], *, sandbox_s: float = SANDBOX_S
    ) -> None:
        self._registry = registry
        self._catalogue = catalogue
        self.sandbox_s = sandbox_s
        # the same few series come again and again
        self._series = cache(Series)
        self._at_once: defaultdict[str, int] = defaultdict(lambda: 1)
        self.errors: Counter[str] = Counter()
        self.not_finite = 0
        self.times_corrected = 0

    def readings(self, uplink: Uplink) -> tuple[Measured, ...] | Rejected:
        """The readings of one uplink, or why there are none. Never raises, whatever a decoder does."""
        [found] = self.readings_of([uplink])
        return found if isinstance(found, Rejected) else found[1]

    def is_sandboxed(self, uplink: Uplink) -> bool:
        """Whether it is read by a codec that can take as long as a sandbox allows."""
        device = self._registry.current.devices.get(uplink.dev_eui)
        device_type = self._catalogue.get(device.type) if device else None
        return device_type is not None and device_type.sandboxed

    def readings_of(self, uplinks: Sequence[Uplink]) -> list[Read | Rejected]:
        """Of each uplink its readings and itself, with what its codec had to say beside them; in their order.

        Never raises, whatever a decoder does. Sandboxed codecs get all their uplinks at once and together at
        most `sandbox_s`, then the one call that is running; what is left is `Rejected("codec_waiting")`, to
        be tried again.
        """
        devices, catalogue = self._registry.current.devices, self._catalogue
        found: list[Read | Rejected] = []
        boxed: dict[str, list[int]] = {}
        for uplink in uplinks:
            device = devices.get(uplink.dev_eui)
            device_type = catalogue.get(device.type) if device else None
            if device is None:
                unknown = f"{uplink.dev_eui} is not in the list of devices"
                found.append(Rejected("unknown_device", unknown))
            elif device_type is None:
                found.append(Rejected("unknown_type", f"no device type {device.type!r} in the catalogue"))
            elif device_type.sandboxed:
                boxed.setdefault(device.type, []).append(len(found))
                found.append(_WAITING)
            else:
                found.append(self._read(uplink, device, device_type))
        self._read_boxed(uplinks, boxed, found)
        return found

    def _read(self, uplink: Uplink, device: InstalledDevice, device_type: DeviceType) -> Read | Rejected:
        try:
            decoded = device_type.decode(uplink.f_port, uplink.payload)
            if isinstance(decoded, Rejected):
                return decoded
            measured = tuple(self._measured(uplink, device, device.derive(decoded)))
        except Exception as error:  # noqa: BLE001 - a decoder's fault is a value, whatever it is
            return self._fault(device.type, uplink, error)
        if device_type.dates and _has_own_time(uplink, measured):
            return replace(uplink, codec_notes=_notes(Decoded(()), own_time=True)), measured
        return uplink, measured

    def _read_boxed(
        self, uplinks: Sequence[Uplink], boxed: Mapping[str, list[int]], found: list[Read | Rejected]
    ) -> None:
        """By turns, so that no codec waits for another; first those that have earned trust."""
        end = time.monotonic() + self.sandbox_s
        turns = deque(sorted(boxed.items(), key=lambda turn: -self._at_once[turn[0]]))
        while turns and time.monotonic() < end:
            type_id, places = turns.popleft()
            at_once = self._at_once[type_id]
            now, later = places[:at_once], places[at_once:]
            begun = time.monotonic()
            read = self._run(self._catalogue[type_id], [uplinks[i] for i in now])
            for place, each in zip(now, read, strict=True):
                found[place] = each
            killed = any(isinstance(each, Rejected) and each.reason in _KILLED for each in read)
            slow = time.monotonic() - begun > self.sandbox_s / 4
            self._at_once[type_id] = 1 if killed or slow else min(2 * at_once, _AT_ONCE)
            if later:
                turns.append((type_id, later))

    def _run(self, device_type: DeviceType, uplinks: Sequence[Uplink]) -> list[Read | Rejected]:
        try:
            frames = [Frame(each.f_port, each.payload, each.received_us) for each in uplinks]
            decoded = device_type.decode_many(frames)
        except Exception as error:  # noqa: BLE001 - a decoder's fault is a value, whatever it is
            return [self._fault(device_type.id, uplink, error) for uplink in uplinks]
        return [
            self._placed(uplink, device_type, each) for uplink, each in zip(uplinks, decoded, strict=True)
        ]

    def _placed(
        self, uplink: Uplink, device_type: DeviceType, decoded: Decoded | Rejected
    ) -> Read | Rejected:
        if isinstance(decoded, Rejected):
            return decoded
        try:
            device = self._registry.current.devices[uplink.dev_eui]
            measured = tuple(self._measured(uplink, device, device.derive(decoded.measurements)))
            notes = _notes(decoded, own_time=_has_own_time(uplink, measured))
        except Exception as error:  # noqa: BLE001 - one uplink's fault is not its neighbours'
            return self._fault(device_type.id, uplink, error)
        return replace(uplink, codec_notes=notes) if notes else uplink, measured

    def _fault(self, type_id: str, uplink: Uplink, error: Exception) -> Rejected:
        if not self.errors[type_id]:
            _log.error("decoder_error", type=type_id, dev_eui=uplink.dev_eui, exc_info=error)
        self.errors[type_id] += 1
        return Rejected("decoder_error", f"{type_id}: {type(error).__name__}: {error}"[:500])

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


def _has_own_time(uplink: Uplink, measured: Iterable[Measured]) -> bool:
    return any(each.time_us != uplink.time_us for each in measured)


def _notes(decoded: Decoded, *, own_time: bool) -> bytes:
    """What the codec said beside its measurements, as Uplink.codec_notes; b"" for nothing.

    `own_time`: the payload dated its values; the uplink keeps the time that undated ones fall back to.
    At most 16 KiB: the raw payload is kept anyway, and a codec can make a book of it.
    """
    if not decoded.unmapped and not decoded.warnings and not own_time:
        return b""
    timed = {"time_source": TimeSource.PAYLOAD.value} if own_time else {}
    notes: dict[str, Any] = {"unmapped": dict(decoded.unmapped), "warnings": decoded.warnings, **timed}
    packed = msgspec.json.encode(notes)
    if len(packed) <= _MOST_NOTES:
        return packed
    kept: dict[str, Any] = {}
    size = 0
    for path, value in decoded.unmapped.items():
        size += len(msgspec.json.encode({path: value}))
        if size > _MOST_NOTES // 2:
            break
        kept[path] = value
    warnings = [each[:_MOST_WARNING] for each in decoded.warnings[:_MOST_WARNINGS]]
    warnings.append(f"not kept: {len(decoded.unmapped) - len(kept)} more fields, and what else was too long")
    return msgspec.json.encode({"unmapped": kept, "warnings": warnings, **timed})
