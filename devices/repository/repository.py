"""Vendors, devices, codecs and profiles of a device repository, found by name.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, README.md. A broken file costs what it describes
and nothing else.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devices.errors import Fault, RepositoryError
from devices.javascript.sandbox import Source
from devices.repository.codec import Example, RepositoryCodec, read_codec
from devices.repository.folder import Folder
from devices.repository.rows import DeviceRow, FirmwareRow, ProfileRow, RegionRow, VendorRow, read_row

REGION = "EU863-870"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a device speaks LoRaWAN in one region. None: the repository does not say."""

    id: str
    region: str
    mac_version: str
    regional_parameters: str | None
    join: bool | None
    class_b: bool | None
    class_c: bool | None
    max_eirp_dbm: float | None
    certified: bool | None


@dataclass(frozen=True, slots=True)
class RepositoryDevice:
    """A device that has a codec.

    `codec`: id of its codec's file; `f_ports`: those on which an example expects data, the codec may know
    more; `firmwares`: codec by firmware version in this region; `faults`: what else of it cannot be read.
    """

    vendor: str
    model: str
    vendor_name: str
    name: str
    description: str
    firmware: str
    firmwares: Mapping[str, str]
    codec: str
    source: Source
    f_ports: tuple[int, ...]
    examples: tuple[Example, ...]
    profile: Profile | None
    faults: tuple[Fault, ...] = ()

    @property
    def id(self) -> str:
        """`vendor/model`, by which it is found."""
        return f"{self.vendor}/{self.model}"


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """One device of the list; `codecs`: of all its firmware versions and regions, none: it has no codec."""

    id: str
    vendor_name: str
    name: str
    codecs: tuple[str, ...]


class Repository:
    """A folder laid out like lorawan-devices. Devices' files are read when asked for: an update is seen."""

    def __init__(self, path: Path) -> None:
        """Raises RepositoryError where there is no folder `vendor` in it."""
        self.path = path
        self._folder = Folder(path)
        self._folder.vendors()
        self._vendor_names, self._index_faults = self._read_index()

    def devices(self) -> tuple[tuple[ListedDevice, ...], tuple[Fault, ...]]:
        """Every device that can be read, and the faults of the files that cannot."""
        faults = [*self._index_faults]
        devices = []
        for file, found in self._yaml_files(faults):
            if "firmwareVersions" not in found:
                continue
            try:
                row = read_row(DeviceRow, found, file)
            except RepositoryError as error:
                faults += error.faults
                continue
            vendor = file.parent.name
            regions = (region for each in row.firmware_versions for region in each.profiles.values())
            codecs = tuple(dict.fromkeys(each.codec for each in regions if each.codec))
            id_ = f"{vendor}/{file.stem}"
            devices.append(
                ListedDevice(id_, self._vendor_names.get(vendor, vendor), row.name or file.stem, codecs)
            )
        return tuple(devices), tuple(faults)

    def codecs(self) -> tuple[tuple[RepositoryCodec, ...], tuple[Fault, ...]]:
        """Every codec with an uplink decoder, named by a device or not, and the faults of all files."""
        faults: list[Fault] = []
        codecs = []
        for file, found in self._yaml_files(faults):
            if not found.get("uplinkDecoder"):
                continue
            try:
                codecs.append(read_codec(self._folder, file, found))
            except RepositoryError as error:
                faults += error.faults
        return tuple(codecs), tuple(faults)

    def find(self, name: str, *, region: str = REGION) -> RepositoryDevice:
        """The device `vendor/model`, or `vendor/model@firmware`, in any case.

        Without a firmware version: the newest that has a codec. Where the region is not served the first one
        that is. Raises RepositoryError when there is no such device, or none of its codecs can be read.
        """
        name, _, version = name.partition("@")
        file = self._device_file(name)
        row = read_row(DeviceRow, self._folder.mapping(file), file)
        firmware, region, place = _choose(row, version or None, region, file)
        codec = self._codec(self._folder.named(file.parent, place.codec or ""))
        if codec.source is None:
            raise RepositoryError(*([codec.fault] if codec.fault else []))
        faults = [*self._index_faults]
        profile = None
        try:
            profile = self._profile(file.parent, place, region)
        except RepositoryError as error:
            faults += error.faults
        return RepositoryDevice(
            vendor=file.parent.name,
            model=file.stem,
            vendor_name=self._vendor_names.get(file.parent.name, file.parent.name),
            name=row.name or file.stem,
            description=row.description or "",
            firmware=firmware,
            firmwares=MappingProxyType(dict(_firmwares(row, region))),
            codec=codec.id,
            source=codec.source,
            f_ports=codec.f_ports,
            examples=tuple(each for each in codec.examples if isinstance(each, Example)),
            profile=profile,
            faults=tuple(faults),
        )

    def _read_index(self) -> tuple[dict[str, str], list[Fault]]:
        file = self.path / "vendor" / "index.yaml"
        try:
            listed = self._folder.mapping(file).get("vendors")
        except RepositoryError as error:
            return {}, list(error.faults)
        names: dict[str, str] = {}
        faults: list[Fault] = []
        for i, each in enumerate(listed if isinstance(listed, list) else []):
            try:
                row = read_row(VendorRow, each, file, f"vendors.{i}")
            except RepositoryError as error:
                faults += error.faults
                continue
            names[row.id] = row.name or row.id
        return names, faults

    def _yaml_files(self, faults: list[Fault]) -> Iterator[tuple[Path, dict[Any, Any]]]:
        for vendor in self._folder.vendors().values():
            try:
                files = self._folder.yaml_files(vendor)
            except RepositoryError as error:
                faults += error.faults
                continue
            for file in files:
                try:
                    yield file, self._folder.mapping(file)
                except RepositoryError as error:
                    faults += error.faults

    def _device_file(self, name: str) -> Path:
        vendor_name, _, model = name.lower().partition("/")
        vendors = {each.lower(): path for each, path in self._folder.vendors().items()}
        if vendor_name not in vendors:
            raise self._unknown(name, f"no vendor {vendor_name!r}", vendor_name, vendors)
        files = {each.stem.lower(): each for each in self._folder.yaml_files(vendors[vendor_name])}
        if model not in files:
            raise self._unknown(name, f"{vendor_name} has no device {model!r}", model, files)
        return files[model]

    def _unknown(self, name: str, problem: str, word: str, known: Mapping[str, Path]) -> RepositoryError:
        close = difflib.get_close_matches(word, known, n=1)
        remedy = f"did you mean {close[0]}?" if close else "write vendor/model as the folder and the file"
        return RepositoryError(Fault(str(self.path), name, problem, remedy))

    def _codec(self, file: Path) -> RepositoryCodec:
        return read_codec(self._folder, file, self._folder.mapping(file))

    def _profile(self, vendor: Path, place: RegionRow, region: str) -> Profile | None:
        if not place.id:
            return None
        owner = vendor
        if place.vendor_id:
            vendors = self._folder.vendors()
            if place.vendor_id not in vendors:
                fault = Fault(str(vendor), place.id, f"no vendor {place.vendor_id!r}", "correct vendorID")
                raise RepositoryError(fault)
            owner = vendors[place.vendor_id]
        file = self._folder.named(owner, place.id)
        row = read_row(ProfileRow, self._folder.mapping(file), file)
        return Profile(
            id=place.id,
            region=region,
            mac_version=row.mac_version,
            regional_parameters=row.regional_parameters_version,
            join=row.supports_join,
            class_b=row.supports_class_b,
            class_c=row.supports_class_c,
            max_eirp_dbm=row.max_eirp,
            certified=place.lorawan_certified,
        )


def _served(firmware: FirmwareRow, region: str) -> tuple[str, RegionRow] | None:
    """Name and row of the region, else of the first that has a codec."""
    if region in firmware.profiles and firmware.profiles[region].codec:
        return region, firmware.profiles[region]
    return next(((name, row) for name, row in firmware.profiles.items() if row.codec), None)


def _firmwares(row: DeviceRow, region: str) -> Iterator[tuple[str, str]]:
    for each in row.firmware_versions:
        served = _served(each, region)
        if served is not None and served[1].codec:
            yield each.version, served[1].codec


def _choose(row: DeviceRow, version: str | None, region: str, file: Path) -> tuple[str, str, RegionRow]:
    """Firmware version, region and its row: the named version, else the newest that has a codec."""
    chosen: tuple[int, str, str, RegionRow] | None = None
    for order, each in enumerate(row.firmware_versions):
        served = _served(each, region)
        if served is None or (version is not None and each.version.lower() != version.lower()):
            continue
        age = order if each.numeric is None else each.numeric
        if chosen is None or age >= chosen[0]:
            chosen = age, each.version, *served
    if chosen is None:
        key = "firmwareVersions" if version is None else f"firmware {version}"
        known = ", ".join(sorted({name for name, _ in _firmwares(row, region)}))
        remedy = f"with a codec there are: {known}" if known else "give its codec's script as a file instead"
        raise RepositoryError(Fault(str(file), key, "has no codec", remedy))
    return chosen[1:]
