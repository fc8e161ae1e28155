"""The catalogue of device types: ours, and those of further folders."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from devices.decoded import Decoded, Frame
from devices.errors import DeviceTypeError, Fault
from devices.format import Text, TypeFile, read_type_file
from devices.measurement import Measurement, Rejected
from devices.table_codec import TableCodec, summarise
from devices.table_encoder import Values
from devices.vectors import Vector, read_vectors

OWN_TYPES = Path(__file__).with_name("types")
_VECTORS = ".vectors.yaml"


class Codec(Protocol):
    """What reads a payload: a field table, or a maker's JavaScript in a sandbox."""

    def decode(self, f_port: int, payload: bytes) -> tuple[Measurement, ...] | Rejected:
        """The measurements of one uplink; never raises on any bytes."""

    def decode_many(self, frames: Sequence[Frame], *, within_s: float = math.inf) -> list[Decoded | Rejected]:
        """What the codec makes of each frame, in their order; never raises on any bytes.

        A sandbox gives `Waiting` where these seconds were not enough; the first frame has its limit anyway.
        """

    def encode(self, f_port: int, values: Values) -> bytes:
        """The payload that decodes to these values; raises DeviceTypeError where there is none."""


@dataclass(frozen=True, slots=True)
class DeviceType:
    """What a model sends and how to read it.

    `id` maker-model in lower case; `interval_s` the usual seconds between uplinks; `wraps` the count at which
    a counter starts again at 0, by property, in its unit; `required` properties whose absence operators must
    hear of after `required_missing` uplinks in a row; `undirected` those it always gives without a channel;
    `f_ports` those that carry readings, empty: any;
    `sha256` of the type file, or of codec and map; `dates`: it says of some values when they were measured;
    `sandboxed`: one uplink can take as long as a sandbox
    allows.
    """

    id: str
    maker: str
    model: str
    name_de: str
    name_en: str
    theme: str
    interval_s: float
    properties: tuple[str, ...]
    sha256: str
    codec: Codec
    wraps: Mapping[str, float] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    undirected: frozenset[str] = frozenset()
    f_ports: tuple[int, ...] = ()
    caveats: tuple[Text, ...] = ()
    source: str = ""
    vectors: tuple[Vector, ...] = ()
    required_missing: int = 3
    sandboxed: bool = False
    dates: bool = False

    def decode(self, f_port: int, payload: bytes) -> tuple[Measurement, ...] | Rejected:
        """The measurements of one uplink, in the units of their properties; never raises on any bytes."""
        return self.codec.decode(f_port, payload)

    def decode_many(self, frames: Sequence[Frame], *, within_s: float = math.inf) -> list[Decoded | Rejected]:
        """All that the codec makes of each frame, in their order; never raises on any bytes."""
        return self.codec.decode_many(frames, within_s=within_s)

    def encode(self, f_port: int, values: Values) -> bytes:
        """The payload that decodes to these values.

        Key: property or (property, channel); value None: the device has none. Raises DeviceTypeError.
        """
        return self.codec.encode(f_port, values)


class ScriptTypes(Protocol):
    """What knows the device types that JavaScript reads."""

    def in_folder(self, folder: Path) -> Iterable[tuple[Path, Callable[[Path], DeviceType]]]:
        """The files of a folder that are such types, each with what loads it or raises DeviceTypeError."""

    def find(self, type_id: str) -> DeviceType | None:
        """A type that no folder has, None where there is none either."""


class Catalogue(Mapping[str, DeviceType]):
    """Device types by id. `find` is asked for one that is not among them; what it gives is not listed."""

    def __init__(
        self,
        types: Mapping[str, DeviceType],
        find: Callable[[str], DeviceType | None] = lambda _: None,
    ) -> None:
        self._types = dict(sorted(types.items()))
        self._find = find
        self._found: dict[str, DeviceType] = {}

    def joined(self, more: Mapping[str, DeviceType]) -> "Catalogue":
        """These and more; the others win."""
        both = Catalogue({**self._types, **more}, self._find)
        both._found = self._found  # what one of them finds is the same for the other
        return both

    def renew(self, newer: "Catalogue") -> None:
        """Have the types of another one from now on; of each type whoever asks gets the old or the new.

        What the other one lacks stays: whoever is going through the list finds what it names.
        """
        self._find, self._found = newer._find, newer._found  # noqa: SLF001 - one of its own kind
        types = {**self._types, **newer._types}  # noqa: SLF001 - one of its own kind
        self._types = dict(sorted(types.items()))

    def __getitem__(self, id_: str) -> DeviceType:
        known = self._types.get(id_) or self._found.get(id_)
        if known is None:
            known = self._find(id_)
            if known is None:
                raise KeyError(id_)
            self._found[id_] = known
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)


def load_catalogue(*folders: Path, scripts: ScriptTypes | None = None) -> Catalogue:
    """Our own device types and those in the folders; ours win. With `scripts` also what JavaScript reads.

    Raises DeviceTypeError with the faults of all files.
    """
    types: dict[str, DeviceType] = {}
    origin: dict[str, Path] = {}
    faults: list[Fault] = []
    for folder in (OWN_TYPES, *folders):
        if not folder.is_dir():
            faults.append(Fault(str(folder), "folder", "is no folder", "name a folder of device-type files"))
            continue
        for file, load in _type_files(folder, scripts):
            try:
                loaded = load(file)
            except DeviceTypeError as error:
                faults += error.faults
                continue
            if loaded.id not in types:
                types[loaded.id], origin[loaded.id] = loaded, folder
            elif origin[loaded.id] not in (OWN_TYPES, folder):
                problem = f"{loaded.id} stands already in {origin[loaded.id]}"
                faults.append(Fault(str(file), "model", problem, "remove one of them"))
    if faults:
        raise DeviceTypeError(*faults)
    return Catalogue(types) if scripts is None else Catalogue(types, scripts.find)


def _type_files(
    folder: Path, scripts: ScriptTypes | None
) -> Iterator[tuple[Path, Callable[[Path], DeviceType]]]:
    for file in sorted(folder.glob("*.yaml")):
        if not file.name.endswith(_VECTORS):
            yield file, load_type
    if scripts is not None:
        yield from scripts.in_folder(folder)


def without_channel(keys: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Properties of some (property, channel) that come without a channel alone."""
    known = frozenset(keys)
    return frozenset(name for name, _ in known) - {name for name, channel in known if channel}


def load_type(file: Path) -> DeviceType:
    """One device type and the vectors beside it. Raises DeviceTypeError with every fault found."""
    type_file = read_type_file(file)
    codec = TableCodec(file, type_file)
    vectors = read_vectors(file.with_name(file.stem + _VECTORS))
    return _device_type(type_file, codec, vectors, hashlib.sha256(file.read_bytes()).hexdigest())


def _device_type(
    type_file: TypeFile, codec: TableCodec, vectors: tuple[Vector, ...], sha256: str
) -> DeviceType:
    properties, wraps, required = summarise(codec)
    return DeviceType(
        id=type_file.id,
        maker=type_file.maker,
        model=type_file.model,
        name_de=type_file.names.de,
        name_en=type_file.names.en,
        theme=type_file.theme,
        interval_s=type_file.interval_s,
        properties=properties,
        sha256=sha256,
        codec=codec,
        wraps=MappingProxyType(dict(wraps)),
        required=required,
        undirected=without_channel(each.key for each in codec.readouts()),
        f_ports=tuple(port for port, frame in codec.frames.items() if port is not None and frame.steps),
        caveats=type_file.caveats,
        source=type_file.source,
        vectors=vectors,
        dates=any(each.clock is not None for each in codec.readouts()),
    )
