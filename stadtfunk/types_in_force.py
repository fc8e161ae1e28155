"""The device types of a running service. What puts others in force: an activation, or somebody who asks."""

import threading
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import structlog

from devices.catalogue import Catalogue, DeviceType
from devices.errors import DevicesError, DeviceTypeError
from devices.javascript.codec import JavascriptCodec
from devices.javascript.sandbox import Sandbox
from devices.registry import load_registry
from ingest.health import Health
from ingest.neighbours.uplinks import neighbour_types
from stadtfunk.errors import ConfigError
from stadtfunk.javascript_types import city_catalogue, javascript_types_of, keep, shelf_of
from stadtfunk.neighbours import neighbour_faults

if TYPE_CHECKING:
    from stadtfunk.settings import Settings

LOOK_S = 1.0
_STOP_S = 1.9

_log = structlog.get_logger(__name__)


class Ask(Enum):
    """What somebody wants of the types in force."""

    RELOAD = "read types and devices again"
    STOP = "end"


Asks = SimpleQueue[Ask]
"""What a signal handler may put something into: it is re-entrant."""


class TypesInForce:
    """The city's types: `own` those of our devices, `all` also those of neighbours.

    Both are the same objects for as long as the service runs; what they give changes, a whole type at a time,
    and then `renewed` makes a new snapshot of the registry, by which everybody arranges their work anew. A
    codec that `stadtfunk codecs activate` puts in force is seen within seconds and read from the shelf alone;
    files are read when the service starts and when it is asked to. What cannot be used leaves in force what
    was. Building it reads the files; raises DevicesError with every fault.
    """

    def __init__(
        self, settings: "Settings", sandbox: Sandbox, renewed: Callable[[], object], asks: Asks | None = None
    ) -> None:
        self._settings, self._sandbox, self._renewed = settings, sandbox, renewed
        self._asks: Asks = SimpleQueue() if asks is None else asks
        self._shelf = shelf_of(settings)
        # before the files: what is activated meanwhile is not missed
        self._marks = self._marks_now()
        self._scripts = javascript_types_of(settings, sandbox)
        self.own = city_catalogue(settings, self._scripts)
        self.all = self.own.joined(neighbour_types())
        self._not_kept = keep(self._scripts)
        self._fault = self._broken = ""
        self._refused: dict[str, str] = {}
        self._leaving: set[str] = set()
        self.health = self._how_it_is()
        self._thread = threading.Thread(target=self._run, name="types", daemon=True)

    def start(self) -> None:
        """Begin to look for activations."""
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._asks.put(Ask.STOP)
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while Ask.STOP not in (asked := self._asked()):
            try:
                if asked:
                    self._reload()
                self._look()
                self._broken = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, what is in force stays; again later
                broken = f"{type(error).__name__}: {error}"
                if broken != self._broken:
                    _log.exception("types_not_looked_at")
                self._broken = broken
            self.health = self._how_it_is()

    def _asked(self) -> set[Ask]:
        """What somebody wants; waits a moment for it. Ten who ask at once are one."""
        found: set[Ask] = set()
        try:
            found.add(self._asks.get(timeout=LOOK_S))
            while True:
                found.add(self._asks.get_nowait())
        except Empty:
            return found

    def _marks_now(self) -> Mapping[str, tuple[int, int, int]]:
        try:
            return self._shelf.marks()
        except OSError:  # `keep` and the types that need the shelf say so
            return {}

    def _look(self) -> None:
        """Put in force what has been activated since."""
        # a batch that was under way at the change may have warmed them again: so not before the next look
        while self._leaving:
            self._sandbox.forget(self._leaving.pop())
        marks = self._marks_now()
        for type_id in [each for each, mark in marks.items() if self._marks.get(each) != mark]:
            known = self.own.get(type_id)
            if known is not None and not isinstance(known.codec, JavascriptCodec):
                continue  # our own catalogue wins
            try:
                activated = self._scripts.activated(type_id)
            except DeviceTypeError as error:
                # tried again at the next look
                marks = {key: mark for key, mark in marks.items() if key != type_id}
                if self._refused.get(type_id) != str(error):
                    self._refused[type_id] = str(error)
                    _log.warning("codec_not_activated", type=type_id, why=str(error)[:1000])
                continue
            self._refused.pop(type_id, None)
            if activated is not None:
                self._put(self.own.joined({type_id: activated}))
        self._marks = marks

    def _reload(self) -> None:
        """Read the files of all types and the list of devices as at a start; all of it counts, or nothing."""
        marks = self._marks_now()
        try:
            scripts = javascript_types_of(self._settings, self._sandbox)
            newer = city_catalogue(self._settings, scripts)
            self._examine(newer)
        except (DevicesError, ConfigError) as error:
            self._fault = f"types and devices of before are in force: {error}"
            _log.warning("types_not_reloaded", why=str(error)[:1000])
            return
        self._scripts, self._marks, self._fault = scripts, marks, ""
        self._refused.clear()
        self._not_kept = keep(scripts)
        self._put(newer)
        _log.info("types_reloaded", types=len(self.own))

    def _examine(self, newer: Catalogue) -> None:
        """Raises RegistryError, ConfigError where the devices could not be used with these types."""
        settings = self._settings
        registry = load_registry(
            settings.devices.file and settings.path(settings.devices.file),
            settings.device,
            catalogue=newer,
            tables_file=str(settings.source),
        )
        if faults := list(neighbour_faults(settings, registry)):
            raise ConfigError(*faults)

    def _put(self, newer: Catalogue) -> None:
        before = dict(self.own)
        self.own.renew(newer)
        self.all.renew(self.own.joined(neighbour_types()))
        self._renewed()
        for type_id, is_, was in _changed(before, self.own):
            _log.info("type_in_force", type=type_id, version=_named(is_), before=was and _named(was))
        in_use = {_script(each) for each in self.own.values()}
        self._leaving |= {_script(each) for each in before.values()} - in_use

    def _how_it_is(self) -> Health:
        held = self._scripts.held.items()
        said = [
            *filter(None, (self._not_kept, self._fault, self._broken)),
            *(f"{type_id}: not in force: {why}" for type_id, why in sorted(self._refused.items())),
            *(f"{type_id}: {why}" for type_id, why in sorted(held)),
        ]
        return Health(ok=not said, detail="; ".join(said)[:1000])


def _changed(
    before: Mapping[str, DeviceType], now: Mapping[str, DeviceType]
) -> Iterator[tuple[str, DeviceType, DeviceType | None]]:
    """Types that are read in another way than before, or were not there."""
    for type_id, is_ in now.items():
        was = before.get(type_id)
        if was is None or was.sha256 != is_.sha256:
            yield type_id, is_, was


def _named(device_type: DeviceType) -> str:
    """Which version: of a script the beginning of its hash as `compare` shows it, else of its file's."""
    return (_script(device_type) or device_type.sha256)[:12]


def _script(device_type: DeviceType) -> str:
    return device_type.codec.source.sha256 if isinstance(device_type.codec, JavascriptCodec) else ""
