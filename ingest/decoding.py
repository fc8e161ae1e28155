"""From uplinks to readings: find the device, decode its payload, derive what its place makes of it."""

import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import structlog

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.javascript.codec import WAITING
from devices.measurement import Measurement, Quality, Rejected, Waiting
from devices.registry import InstalledDevice, RegistryFile
from ingest.event_time import payload_time_fits
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

_log = structlog.get_logger(__name__)
_NAN = math.nan

SANDBOX_S = 0.5
"""Time for the sandboxed codecs of one batch: one limit of a sandbox's call."""
_NO_TIME = Waiting(WAITING, "no time was left: decoded as soon as there is")
_WARM_S = 0.001
KILLED = frozenset({"codec_timeout", "codec_memory", "codec_crash"})
"""Reasons of an uplink whose codec had to be stopped, or ended the worker, with it."""
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
        self._until = math.inf
        # the same few series come again and again
        self._series = cache(Series)
        # by type: seconds that an uplink took last, and whether the codec had to be stopped then
        self._pace: dict[str, float] = {}
        self._stopped: set[str] = set()
        self.errors: Counter[str] = Counter()
        # why a type's codec cannot be asked at the moment
        self._held: dict[str, str] = {}
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

    def version(self, type_id: str) -> str:
        """What is another one when payloads of this type are read in another way; "" of an unknown type."""
        device_type = self._catalogue.get(type_id)
        return device_type.sha256 if device_type else ""

    def pace(self, dev_eui: str) -> float:
        """Seconds an uplink of such a device took last, more where one had to be stopped; 0: no sandbox."""
        device = self._registry.current.devices.get(dev_eui)
        return self._pace.get(device.type, 0.0) if device else 0.0

    def stop(self) -> None:
        """Begin with no sandboxed codec once half a second has passed: what is left waits. Thread-safe."""
        self._until = time.monotonic() + min(self.sandbox_s, SANDBOX_S)

    def readings_of(self, uplinks: Sequence[Uplink], *, hurry: bool = False) -> list[Read | Rejected]:
        """Of each uplink its readings and itself, with what its codec had to say beside them; in their order.

        Never raises, whatever a decoder does. Sandboxed codecs together get `sandbox_s` by turns, the
        quickest first; one that begins before the end has its limit for its first uplink. What is left is
        `Waiting`, to be tried again. `hurry`: so is all that belongs to a codec which had to be stopped last
        time, or was as slow.
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
                found.append(_NO_TIME)
            else:
                found.append(self._read(uplink, device, device_type))
        self._read_boxed(uplinks, boxed, found, hurry)
        return found

    def _read(self, uplink: Uplink, device: InstalledDevice, device_type: DeviceType) -> Read | Rejected:
        try:
            decoded = device_type.decode(uplink.f_port, uplink.payload)
            if isinstance(decoded, Rejected):
                return decoded
            measured = tuple(self._measured(uplink, device, device.derive(decoded)))
        except Exception as error:  # noqa: BLE001 - a decoder's fault is a value, whatever it is
            return self._fault(device.type, uplink, error)
        own_time = device_type.dates and _has_own_time(uplink, measured)
        return _noted(uplink, _notes(Decoded(()), own_time=True) if own_time else b""), measured

    def _read_boxed(
        self,
        uplinks: Sequence[Uplink],
        boxed: Mapping[str, list[int]],
        found: list[Read | Rejected],
        hurry: bool,
    ) -> None:
        end = min(time.monotonic() + self.sandbox_s, self._until)
        quickest = sorted(boxed, key=lambda type_id: self._pace.get(type_id, self.sandbox_s))
        turns = deque(
            (type_id, boxed[type_id])
            for type_id in quickest
            if not hurry
            or (type_id not in self._stopped and self._pace.get(type_id, 0.0) <= self.sandbox_s / 2)
        )
        while turns and (begun := time.monotonic()) < end:
            type_id, places = turns.popleft()
            share_s = (end - begun) / (len(turns) + 1)
            read = self._run(self._catalogue[type_id], [uplinks[i] for i in places], share_s)
            self._note(type_id, read, time.monotonic() - begun)
            for place, each in zip(places, read, strict=True):
                found[place] = each
            left = [i for i in places if no_time(found[i])]
            if 0 < len(left) < len(places):
                turns.append((type_id, left))

    def _note(self, type_id: str, read: Sequence[Read | Rejected], took_s: float) -> None:
        """How quick a codec is, and whether it can be asked at all."""
        answered = [each for each in read if not isinstance(each, Waiting)]
        held = next((each for each in read if isinstance(each, Waiting) and each.after_s > 0), None)
        if answered:
            killed = any(isinstance(each, Rejected) and each.reason in KILLED for each in answered)
            # a quick one is not called slow for the one time that a worker had to be started for it
            pace_s = min(took_s / len(answered), 2 * self._pace.get(type_id, math.inf) + _WARM_S)
            if killed:
                self._note_stopped(type_id)
            else:
                self._pace[type_id] = pace_s
                self._stopped.discard(type_id)
            self._held.pop(type_id, None)
            return
        if took_s > self.sandbox_s / 2:
            self._note_stopped(type_id)
        if held is not None and self._held.get(type_id) != held.detail:
            _log.warning("codec_held_back", type=type_id, why=held.detail)
            self._held[type_id] = held.detail

    def _note_stopped(self, type_id: str) -> None:
        """It comes later the more often that happens: once can be the machine's doing."""
        self._stopped.add(type_id)
        self._pace[type_id] = 2 * self._pace.get(type_id, 0.0) + self.sandbox_s / 16

    def _run(
        self, device_type: DeviceType, uplinks: Sequence[Uplink], within_s: float
    ) -> list[Read | Rejected]:
        try:
            frames = [Frame(each.f_port, each.payload, each.received_us) for each in uplinks]
            decoded = device_type.decode_many(frames, within_s=within_s)
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
        return _noted(uplink, notes), measured

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


def no_time(read: Read | Rejected) -> bool:
    """Whether nothing but time was missing, so that it may be tried again at once."""
    return isinstance(read, Waiting) and read.after_s <= 0


def _noted(uplink: Uplink, notes: bytes) -> Uplink:
    """The uplink with these notes, in the place of those that another codec made."""
    return uplink if uplink.codec_notes == notes else replace(uplink, codec_notes=notes)


def refusal_notes(rejected: Rejected) -> bytes:
    """Uplink.codec_notes of an uplink that is stored and decodes no longer: why, among the warnings."""
    why = f"{rejected.reason}: {rejected.detail}"[:_MOST_WARNING]
    return msgspec.json.encode({"unmapped": {}, "warnings": [why]})


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
