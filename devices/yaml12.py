"""Reads YAML by the 1.2 core schema: `on`, `no` and dates stay text, 010 is ten, keys may be sequences."""

import re
from pathlib import Path
from typing import Any

import yaml

from devices.errors import DeviceTypeError, Fault

_MOST_NESTED = 100
_MOST_DIGITS = 1_000

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # the base depends on whether libyaml is there
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name and shape


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    # int stands before float in the list and is tried first
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), list(_first))


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if len(text) > _MOST_DIGITS:  # Python refuses to write such a number out, wherever that may be tried
        raise ValueError(f"a number of more than {_MOST_DIGITS} digits")
    base = {"0x": 16, "0o": 8}.get(text[:2])
    return int(text) if base is None else int(text[2:], base)


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list):
            key = tuple(key)
        if not isinstance(key, str | int | float | tuple | None) or not _hashable(key):
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} is no scalar", key_node.start_mark
            )
        if key in result:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} stands twice", key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


def _hashable(key: Any) -> bool:
    return not isinstance(key, tuple) or all(isinstance(part, str | int | float | None) for part in key)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(file: Path) -> Any:
    """The document in the file. Raises DeviceTypeError when it cannot be read or is not YAML."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceTypeError(Fault(str(file), "file", str(error), "give a readable UTF-8 file")) from error
    return parse_yaml(text, str(file))


def parse_yaml(text: str, file: str) -> Any:
    """The document in the text of that file. Raises DeviceTypeError when it is not YAML."""
    try:
        _refuse_depth(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "file"
        problem = getattr(error, "problem", None) or str(error)
        raise DeviceTypeError(Fault(file, place, f"not YAML: {problem}", "correct that line")) from error
    except (RecursionError, ValueError) as error:
        raise DeviceTypeError(Fault(file, "file", f"not YAML: {error}", "correct the file")) from error


def _refuse_depth(text: str) -> None:
    """Nested nodes are composed by recursion in C: a hundred thousand brackets would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MOST_NESTED:
                mark: Any = event.start_mark
                raise yaml.composer.ComposerError(None, None, "nested too deep", mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
