"""A codec of a device repository: a script and the examples its maker gives of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.decoded import Frame
from devices.errors import Fault, RepositoryError
from devices.javascript.sandbox import Source
from devices.repository.comparison import plain
from devices.repository.folder import Folder
from devices.repository.rows import DecoderRow, ExampleRow, OutputRow, read_row

# An example without a time gets this one, so that codecs that read the clock say the same every day.
RECEIVED_US = 1_717_200_000_000_000  # 2024-06-01T00:00:00Z


@dataclass(frozen=True, slots=True)
class Output:
    """What a codec is expected to give: `data` as plain JSON, None for none."""

    data: Any
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A payload and what the codec should make of it; `normalized`: what normalizeUplink should."""

    description: str
    frame: Frame
    expected: Output
    normalized: Output | None = None


@dataclass(frozen=True, slots=True)
class UnusableExample:
    """An example that says nothing that could be checked."""

    description: str
    problem: str


@dataclass(frozen=True, slots=True)
class RepositoryCodec:
    """One codec's file. `source` None: the script cannot be read, `fault` says why."""

    vendor: str
    id: str
    file_name: str
    source: Source | None
    examples: tuple[Example | UnusableExample, ...] = ()
    fault: Fault | None = None

    @property
    def f_ports(self) -> tuple[int, ...]:
        """The fPorts on which an example expects data; the codec may know more."""
        usable = (each for each in self.examples if isinstance(each, Example))
        return tuple(sorted({each.frame.f_port for each in usable if each.expected.data}))


def read_codec(folder: Folder, file: Path, found: dict[Any, Any]) -> RepositoryCodec:
    """The codec in a file that has an `uplinkDecoder`. Raises RepositoryError with the faults of that."""
    row = read_row(DecoderRow, found.get("uplinkDecoder"), file, "uplinkDecoder")
    source, fault = None, None
    try:
        source = Source.of(folder.script(file.parent, row.file_name))
    except RepositoryError as error:
        fault = error.faults[0]
    return RepositoryCodec(file.parent.name, file.stem, row.file_name, source, _examples(row, file), fault)


def _examples(row: DecoderRow, file: Path) -> tuple[Example | UnusableExample, ...]:
    found: list[Example | UnusableExample] = []
    for i, value in enumerate(row.examples):
        name = f"example {i + 1}"
        try:
            found.append(_example(read_row(ExampleRow, value, file), name))
        except RepositoryError as error:
            problems = (f"{each.key}: {each.problem}" for each in error.faults)
            found.append(UnusableExample(_description(value) or name, "; ".join(problems)))
        except ValueError as error:
            found.append(UnusableExample(_description(value) or name, f"output: {error}"))
    return tuple(found)


def _description(value: Any) -> str:
    text = value.get("description") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def _example(row: ExampleRow, name: str) -> Example:
    received_us = RECEIVED_US if row.input.recv_time is None else row.input.recv_time
    return Example(
        row.description or name,
        Frame(row.input.f_port, bytes(row.input.bytes), received_us),
        _output(row.output),
        None if row.normalized_output is None else _output(row.normalized_output),
    )


def _output(row: OutputRow) -> Output:
    return Output(plain(row.data), row.errors, row.warnings)
