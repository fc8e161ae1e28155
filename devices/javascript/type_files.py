"""Device types that a JavaScript codec reads: in a folder, or of a device repository with a map of ours."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from devices.catalogue import DeviceType, without_channel
from devices.errors import DevicesError, DeviceTypeError, Fault
from devices.field_map import FieldMap, MapFile, compile_map, parse_map
from devices.javascript.codec import JavascriptCodec
from devices.javascript.sandbox import Sandbox, Source
from devices.javascript.shelf import Pair, Shelf, sha256
from devices.properties import Theme, observed_properties
from devices.vectors import read_vectors

REQUIRED_MISSING = 3
"""So many uplinks in a row without a required property, and the operators hear of it."""

_HASH = re.compile(r"[0-9a-f]{64}")
_UNQUOTED = re.compile(r"""(?m)^[ \t]*codec_sha256\b(?![ \t]*=[ \t]*(["'])[^"'\n]*\1[ \t]*(#.*)?$)""")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Found(Protocol):
    """What a repository has of a model: names, the codec's text, the fPorts it is for (none: any)."""

    @property
    def vendor_name(self) -> str: ...  # noqa: D102 - as the class says
    @property
    def name(self) -> str: ...  # noqa: D102 - as the class says
    @property
    def source(self) -> Source: ...  # noqa: D102 - as the class says
    @property
    def f_ports(self) -> tuple[int, ...]: ...  # noqa: D102 - as the class says


class CodecRepository(Protocol):
    """A device repository, asked for one model at a time."""

    def find(self, name: str) -> Found:
        """What it has of `vendor/model[@firmware]`. Raises DevicesError where that is nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What lies in the files now, which may be another pair than that in force."""

    type_id: str
    map_file: Path
    pair: Pair
    pinned: str

    @property
    def agrees(self) -> bool:
        """Whether the map was made for this text."""
        return self.pair.codec_sha256 == self.pinned


class JavascriptTypes:
    """Loads them; `load_catalogue` asks.

    `shelf` has the pairs in force; without one, the map must agree with the text at hand. After loading,
    `held` says for which types another pair than that in the files is in force, and why; `remapped` which
    types have another map than was kept, of the same text; `candidates` has what lies in the files;
    `in_force` by which pair each type was loaded. `keep` puts on the shelf what is in force for the first
    time; `activated` loads what somebody else has put there since.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        shelf: Shelf | None = None,
        repository: CodecRepository | None = None,
        required_missing: int = REQUIRED_MISSING,
    ) -> None:
        self._sandbox = sandbox
        self._shelf = shelf
        self._repository = repository
        self._required_missing = required_missing
        self._new: dict[str, Pair] = {}
        self.held: dict[str, str] = {}
        self.remapped: set[str] = set()
        self.candidates: dict[str, Candidate] = {}
        self.in_force: dict[str, Pair] = {}

    def in_folder(self, folder: Path) -> Iterator[tuple[Path, Callable[[Path], DeviceType]]]:
        """The files of a folder that are types of this kind, each with what loads it."""
        for file in sorted(folder.glob("*.toml")):
            yield file, self._mapped
        for file in sorted(folder.glob("*.js")):
            if not file.with_suffix(".toml").exists():
                yield file, self._unmapped

    def find(self, type_id: str) -> DeviceType | None:
        """What was in force and has lost its files, else the repository's device of this id, without a map.

        Without a map all that its codec gives is kept and shown.
        """
        if kept := self._kept(type_id, "its files are gone"):
            return kept
        if self._repository is None:
            return None
        for at in (match.start() for match in re.finditer("-", type_id)):
            with suppress(DevicesError):
                found = self._repository.find(f"{type_id[:at]}/{type_id[at + 1 :]}")
                return self._plain(type_id, found.vendor_name, found.name, found.source, found.f_ports)
        return None

    def build(self, type_id: str, file: str, pair: Pair, f_ports: tuple[int, ...] = ()) -> DeviceType:
        """The type that a codec and its map make. Raises DeviceTypeError with every fault."""
        map_file = parse_map(file, pair.map)
        codec = JavascriptCodec(type_id, self._sandbox, Source.of(pair.codec), compile_map(file, map_file))
        return _device_type(type_id, map_file, codec, f_ports, self._required_missing)

    def activated(self, type_id: str) -> DeviceType | None:
        """The type by the pair that the shelf has now, whatever lies in the files; None: that is in force.

        Raises DeviceTypeError where the pair cannot be used.
        """
        pair = None if self._shelf is None else self._shelf.activated(type_id)
        if pair is None or pair == self.in_force.get(type_id):
            return None
        name = parse_map(type_id, pair.map).codec
        f_ports: tuple[int, ...] = ()
        if name and self._repository is not None:
            with suppress(DevicesError):  # it may have lost the device; the codec is on the shelf
                f_ports = self._repository.find(name).f_ports
        loaded = self.build(type_id, type_id, pair, f_ports)
        self.in_force[type_id] = pair
        self.held.pop(type_id, None)
        self.remapped.discard(type_id)
        return loaded

    def keep(self) -> None:
        """Put on the shelf what is in force for the first time, or with a changed map. Raises OSError."""
        if self._shelf is not None:
            for type_id, pair in self._new.items():
                self._shelf.activate(type_id, pair)
        self._new.clear()

    def _mapped(self, file: Path) -> DeviceType:
        try:
            return self._from_files(file)
        except DeviceTypeError as error:
            # an update that breaks a file must not end a service that has what it was decoding with
            if kept := self._kept(file.stem, str(error)):
                return kept
            raise

    def _kept(self, type_id: str, why: str) -> DeviceType | None:
        """The type by the pair activated last, held; None where there is none."""
        if self._shelf is None or not _ID.fullmatch(type_id):
            return None
        pair = self._shelf.activated(type_id)
        if pair is None:
            return None
        self.held[type_id] = f"{why}; what was activated last stays in force"
        self.in_force[type_id] = pair
        return self.build(type_id, type_id, pair)

    def _from_files(self, file: Path) -> DeviceType:
        text = _text(file)
        try:
            map_file = parse_map(str(file), text)
        except DeviceTypeError as error:
            raise DeviceTypeError(*(_with_hash(file, text, each) for each in error.faults)) from error
        type_id = map_file.id
        if file.stem != type_id:
            remedy = f"rename the file to {type_id}.toml or correct what it says"
            raise DeviceTypeError(Fault(str(file), "file", f"file name and id {type_id} differ", remedy))
        codec, f_ports = self._codec_of(file, map_file)
        candidate = Candidate(type_id, file, Pair(codec, text), map_file.codec_sha256)
        faults = [*_incomplete(file, map_file)]
        in_force = None if self._shelf is None else self._shelf.activated(type_id)
        if in_force is None and not candidate.agrees:
            faults.insert(0, _unpinned(candidate))
        try:
            self.build(type_id, str(file), candidate.pair)  # also when it is not in force yet
        except DeviceTypeError as error:
            faults += error.faults
        if faults:
            raise DeviceTypeError(*faults)
        self.candidates[type_id] = candidate
        pair = self.in_force[type_id] = self._pair_of(candidate, in_force)
        loaded = self.build(type_id, str(file), pair, f_ports)
        vectors = read_vectors(file.with_name(f"{type_id}.vectors.yaml"))
        return replace(loaded, vectors=vectors)

    def _codec_of(self, file: Path, map_file: MapFile) -> tuple[str, tuple[int, ...]]:
        if not map_file.codec:
            script = file.with_suffix(".js")
            if not script.exists():
                remedy = 'put it there, or write codec = "vendor/model" for one of the repository'
                raise DeviceTypeError(Fault(str(file), "codec", f"no {script.name} beside it", remedy))
            return _text(script), ()
        if self._repository is None:
            remedy = 'write [devices] repository = "DIR" into the configuration'
            raise DeviceTypeError(Fault(str(file), "codec", "there is no device repository", remedy))
        try:
            found = self._repository.find(map_file.codec)
        except DevicesError as error:
            raise DeviceTypeError(*(replace(each, file=str(file)) for each in error.faults)) from error
        return found.source.text, found.f_ports

    def _pair_of(self, candidate: Candidate, in_force: Pair | None) -> Pair:
        """The pair to decode with. Never another codec than the one activated last."""
        type_id, given = candidate.type_id, candidate.pair
        if in_force is None:
            self._new[type_id] = given
            return given
        if given.codec_sha256 == in_force.codec_sha256 and candidate.agrees:
            if given != in_force:  # a corrected map of the same codec
                self._new[type_id] = given
                self.remapped.add(type_id)
            return given
        changed = given.codec_sha256 != in_force.codec_sha256
        files = "the codec's text has changed" if changed else "codec_sha256 in the map is not the codec's"
        self.held[type_id] = (
            f"{files}; {in_force.codec_sha256[:12]} stays in force until "
            f"`stadtfunk codecs activate {type_id}`"
        )
        return in_force

    def _unmapped(self, file: Path) -> DeviceType:
        if not _ID.fullmatch(file.stem):
            remedy = "name it maker-model.js in lower case"
            raise DeviceTypeError(Fault(str(file), "file", f"{file.stem} is no type's id", remedy))
        if kept := self._kept(file.stem, f"there is no {file.stem}.toml any more"):
            return kept
        maker, _, model = file.stem.partition("-")
        return self._plain(file.stem, maker, model or maker, Source.of(_text(file)))

    def _plain(
        self, type_id: str, maker: str, model: str, source: Source, f_ports: tuple[int, ...] = ()
    ) -> DeviceType:
        codec = JavascriptCodec(type_id, self._sandbox, source, FieldMap())
        map_file = MapFile(maker=maker[:80], model=model[:80])
        return _device_type(type_id, map_file, codec, f_ports, self._required_missing)


def _text(file: Path) -> str:
    """As it is, so that its hash is that of the file."""
    try:
        return file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceTypeError(Fault(str(file), "file", str(error), "give a readable UTF-8 file")) from error


def _unpinned(candidate: Candidate) -> Fault:
    """What a map is told whose hash is not that of its codec, with the line to write."""
    hash_, pinned = candidate.pair.codec_sha256, candidate.pinned
    see = "see what the codec gives for real payloads"
    if not pinned:
        problem = "is missing"
    elif not _HASH.fullmatch(pinned):
        problem = f"{pinned[:80]!r} is no SHA-256 in hex"
    else:
        problem = f"the codec's hash is {hash_}, so this map was made for another text"
        see = "see that each field still means the same"
    return Fault(str(candidate.map_file), "codec_sha256", problem, f"{see}, then write {_pin_line(hash_)}")


def _pin_line(hash_: str) -> str:
    return f'codec_sha256 = "{hash_}"'


def _with_hash(file: Path, text: str, fault: Fault) -> Fault:
    """The fault; where it is about a hash that is no text in quotes, with the line to write."""
    unreadable = fault.key == "file" and _UNQUOTED.search(text)
    script = file.with_suffix(".js")
    if not (fault.key == "codec_sha256" or unreadable) or not script.exists():
        return fault
    return replace(fault, key="codec_sha256", remedy=f"write {_pin_line(sha256(_text(script)))}, in quotes")


def _incomplete(file: Path, map_file: MapFile) -> Iterator[Fault]:
    if not map_file.codec and not map_file.interval_s:
        yield Fault(str(file), "interval_s", "is missing", "write the usual seconds between uplinks")
    if not map_file.codec and map_file.names is None:
        yield Fault(str(file), "names", "is missing", 'write names = { de = "...", en = "..." }')


def _device_type(
    type_id: str,
    map_file: MapFile,
    codec: JavascriptCodec,
    f_ports: tuple[int, ...],
    required_missing: int,
) -> DeviceType:
    field_map = codec.field_map
    # sorted: the order of a set differs from start to start, and this hash must not
    meaning = (field_map.readers, sorted(field_map.wraps.items()), sorted(field_map.required))
    vendor, _, of_vendor = map_file.codec.partition("@")[0].partition("/")
    maker, model = map_file.maker or vendor, map_file.model or of_vendor
    return DeviceType(
        id=type_id,
        maker=maker,
        model=model,
        name_de=map_file.names.de if map_file.names else f"{maker} {model}",
        name_en=map_file.names.en if map_file.names else f"{maker} {model}",
        theme=map_file.theme or _theme(field_map.properties),
        interval_s=map_file.interval_s,
        properties=field_map.properties,
        sha256=sha256(f"{codec.source.sha256} {meaning!r}"),
        codec=codec,
        wraps=field_map.wraps,
        required=field_map.required,
        undirected=without_channel((each.property, each.channel) for each in field_map.readers),
        f_ports=map_file.f_ports or f_ports,
        caveats=map_file.caveats,
        source=map_file.source,
        required_missing=map_file.required_missing or required_missing,
        sandboxed=True,
    )


def _theme(properties: tuple[str, ...]) -> Theme:
    known: Mapping[str, Theme] = {name: observed_properties()[name].theme for name in properties}
    return next((each for each in known.values() if each != "device"), "device")
