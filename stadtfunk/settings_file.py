"""Reading a city's configuration: secrets from the environment, every fault with file, key and remedy."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from devices.errors import Fault
from devices.properties import THEMES, observed_properties
from ingest.broker import client_id, read_broker_url
from ingest.neighbours.sources import KINDS
from ingest.sqlite_file import sqlite_path
from stadtfunk.errors import ConfigError
from stadtfunk.settings import Settings

UNSET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""What a variable of the environment is put in place of; still there: it is not set."""
_MOST_PASSES = 10
_OF_RULES = {("rule",), ("maintenance",), ("release",)}
"""Tables that belong in the file of the rules."""


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a city's configuration; raises ConfigError with every fault."""
    settings, faults = read_settings(path, environ)
    if faults or settings is None:
        raise ConfigError(*faults)
    return settings


def read_settings(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Settings | None, list[Fault]]:
    """Every fault of the configuration, and the rest of it, so that what that names can be checked as well.

    No settings at all when nothing can be made of it; raises ConfigError when it is no TOML file. A fault
    shows no text from the file: it may be a secret.
    """
    name = str(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(Fault(name, "-", error.strerror or str(error), "give a readable file")) from error
    except UnicodeDecodeError as error:
        raise ConfigError(Fault(name, "-", str(error), "save the file as UTF-8")) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(Fault(name, "-", f"not TOML: {error}", "correct the line named")) from error
    faults: list[Fault] = []

    def missing(key: str, variable: str) -> None:
        problem = f"environment variable {variable} is not set"
        faults.append(Fault(name, key, problem, f"set {variable} before the start"))

    data = _substitute(data, environ, missing)
    _databases_from(path.resolve().parent, data)
    settings, wrong = _without_faults(name, {**data, "source": path.resolve()})
    unset = {fault.key for fault in faults}
    faults += [fault for fault in wrong if fault.key not in unset]
    if settings is not None:
        faults += [
            fault for fault in _crosswise(name, settings) if fault.key != "devices" or "devices" not in data
        ]
    return settings, faults


def _without_faults(file: str, data: dict[str, Any]) -> tuple[Settings | None, list[Fault]]:
    """The settings without what is at fault, and the faults."""
    faults: list[Fault] = []
    data = deepcopy(data)
    for _ in range(_MOST_PASSES):
        try:
            return Settings.model_validate(data), faults
        except ValidationError as error:
            # later passes only find missing what this one takes away
            faults = faults or list(_faults(file, error))
            places = {
                item["loc"][:-1] if item["type"] == "missing" else item["loc"] for item in error.errors()
            }
            for where in sorted(places, reverse=True):  # from the end, so that the numbers in lists hold
                _leave_out(data, where)
            city = data.get("city")
            data["city"] = (
                {**city, "name": city.get("name", "-")} if isinstance(city, dict) else {"name": "-"}
            )
    return None, faults


def _leave_out(data: Any, where: tuple[int | str, ...]) -> None:
    if not where:  # [city] is missing
        return
    for part in where[:-1]:
        data = data[part]
    del data[where[-1]]


def _substitute(
    value: Any, environ: Mapping[str, str], missing: Callable[[str, str], None], key: str = ""
) -> Any:
    if isinstance(value, dict):
        return {
            k: _substitute(v, environ, missing, f"{key}.{k}" if key else str(k)) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_substitute(v, environ, missing, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1] not in environ:
            missing(key, match[1])
        return environ.get(match[1], match[0])

    return UNSET.sub(variable, value)


def _databases_from(folder: Path, data: dict[str, Any]) -> None:
    """Like every path in the file: a service started in another folder must not begin another journal."""
    for section in (data.get("journal"), data.get("store")):
        url = section.get("url") if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(url, str) and url.startswith("sqlite:"):
            with suppress(ValueError):  # the models name the fault
                section["url"] = f"sqlite://{folder / sqlite_path(url)}"


def _meant(where: tuple[int | str, ...]) -> str:
    if where in _OF_RULES:
        return "it belongs in the file that [alerts] rules names, a copy of alerts/rules.toml: docs/rules.md"
    close = difflib.get_close_matches(str(where[-1]), _known_keys(where[:-1]), n=1)
    return f"did you mean {close[0]}?" if close else "remove it; the keys are in docs/operations.md"


def _faults(file: str, error: ValidationError) -> Iterator[Fault]:
    for item in error.errors(include_url=False):
        where = item["loc"]
        key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
        if item["type"] == "extra_forbidden":
            yield Fault(file, key, "unknown key", _meant(where))
        elif item["type"] == "missing":
            yield Fault(file, key, "missing", "add it")
        elif item["type"] == "value_error":
            yield Fault(file, key, "not usable", item["msg"].removeprefix("Value error, "))
        else:
            yield Fault(file, key, f"{item['msg']}, found {_shown(item['input'])}", "correct the value")


def _shown(value: object) -> str:
    """A number as it is; of anything else only what it is, for it may be or hold a secret."""
    return str(value) if isinstance(value, int | float) else f"a {_NAMES.get(type(value), 'value')}"


_NAMES: Mapping[type, str] = {str: "text", list: "list", dict: "table"}


def _known_keys(where: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in where:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        if field is None:  # a name of the city's own: [property.NAME]
            continue
        arguments = [each for each in getattr(field.annotation, "__args__", ()) if each is not type(None)]
        model = arguments[-2 if arguments and arguments[-1] is ... else -1] if arguments else field.annotation
    return [key for key in getattr(model, "model_fields", {}) if key != "source"]


def _crosswise(file: str, settings: Settings) -> Iterator[Fault]:
    if not (settings.devices.file or settings.device or settings.neighbour or settings.sta.write):
        yield Fault(file, "devices", "no devices", 'add [devices] file = "devices.csv" or [[device]] tables')
    yield from _repeated(file, "network_server", [s.name for s in settings.network_server])
    yield from _one_token(file, settings)
    channels = [c.name for c in settings.alerts.channel]
    yield from _repeated(file, "alerts.channel", channels)
    yield from _repeated(file, "alerts.webhook", [w.name for w in settings.alerts.webhook], channels)
    yield from _repeated(file, "heartbeat", [h.name for h in settings.heartbeat])
    yield from _repeated(file, "api.token", [each.name for each in settings.api.token])
    yield from _same_files(file, settings)
    yield from _neighbours(file, settings)
    yield from _one_session(file, settings)
    yield from _one_status(file, settings)
    yield from _named(file, settings)
    yield from _scratch(file, settings)


def _scratch(file: str, settings: Settings) -> Iterator[Fault]:
    """Who may write is a suite of tests, and a city's data is not for that."""
    if not settings.sta.write:
        return
    for table, entries in (("network_server", settings.network_server), ("neighbour", settings.neighbour)):
        if entries:
            yield Fault(
                file,
                "sta.write",
                f"true beside [[{table}]]: nobody writes to a city's data",
                "set it to false, or write a configuration of its own for a scratch instance",
            )


def _named(file: str, settings: Settings) -> Iterator[Fault]:
    """Properties and themes there are none of: what was to be kept back would be public."""
    for key, name, known, remedy in (
        *(
            ("property", name, tuple(observed_properties()), "`stadtfunk devices` lists them")
            for name in settings.property
        ),
        *(("theme", name, THEMES, f"there are {', '.join(THEMES)}") for name in settings.theme),
    ):
        if name not in known:
            what = "observed property" if key == "property" else key
            close = difflib.get_close_matches(name, known, n=1)
            yield Fault(
                file, f"{key}.{name}", f"no such {what}", f"did you mean {close[0]}?" if close else remedy
            )


def _neighbours(file: str, settings: Settings) -> Iterator[Fault]:
    kinds: set[str] = set()
    stations: set[str] = set()
    for i, each in enumerate(settings.neighbour):
        key = f"neighbour[{i}]"
        if each.kind in kinds:
            yield Fault(
                file, f"{key}.kind", f"{each.kind} stands twice", "name all its stations in one table"
            )
        kinds.add(each.kind)
        for id_ in sorted(stations & each.stations.keys()):
            yield Fault(file, f"{key}.stations.{id_}", "two stations of this id", "give each its own id")
        stations |= each.stations.keys()
        if not KINDS[each.kind].gauges and not (each.warncells or settings.city.ars):
            yield Fault(
                file, f"{key}.warncells", "no warn cell", "set them, or [city] ars, from which they follow"
            )


def _same_files(file: str, settings: Settings) -> Iterator[Fault]:
    journal = sqlite_path(settings.journal.url)
    if settings.store.url.startswith("sqlite:") and sqlite_path(settings.store.url) == journal:
        yield Fault(file, "store.url", "is the journal's file", "name another file")


def _one_session(file: str, settings: Settings) -> Iterator[Fault]:
    """Two clients of one id at one broker throw each other out for ever."""
    seen: dict[tuple[str, int, str], str] = {}
    for key, name, url, id_ in _sessions(settings):
        broker = read_broker_url(url)
        session = (broker.host, broker.port, id_)
        if session in seen and name != seen[session]:
            problem = f"{seen[session]} has the same one at this broker"
            yield Fault(file, f"{key}.client_id", problem, "give each its own, or none")
        seen.setdefault(session, name)


def _one_token(file: str, settings: Settings) -> Iterator[Fault]:
    """A token says who sends, and an operator's may see what no network server needs."""
    seen = {each.hash for each in settings.api.token}
    for i, server in enumerate(settings.network_server):
        if server.push_token and server.push_token in seen:
            yield Fault(
                file,
                f"network_server[{i}].push_token",
                "somebody else has the same token",
                "`stadtfunk token` makes another",
            )
        seen.add(server.push_token)


def _one_status(file: str, settings: Settings) -> Iterator[Fault]:
    """A heartbeat in the place of the displays' status: they would read that nobody measures."""
    if settings.displays is None:
        return
    theirs, status = read_broker_url(settings.displays.url), f"{settings.displays.prefix}/status"
    for i, beat in enumerate(settings.heartbeat):
        if beat.kind == "mqtt" and beat.topic == status:
            own = read_broker_url(beat.url)
            if (own.host, own.port) == (theirs.host, theirs.port):
                problem = "is the status of [displays] at this broker"
                yield Fault(file, f"heartbeat[{i}].topic", problem, "give it another topic, or none")


def _sessions(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """Who is at a broker: key, name, url, client id."""
    for i, server in enumerate(settings.network_server):
        if server.url:
            yield f"network_server[{i}]", server.name, server.url, client_id(server.name, server.client_id)
    if settings.displays is not None:
        yield "displays", "[displays]", settings.displays.url, settings.displays.client_id
    if settings.sta.mqtt:
        yield "sta", "[sta]", settings.sta.mqtt, settings.sta.mqtt_client_id
    for i, beat in enumerate(settings.heartbeat):
        if beat.kind == "mqtt":
            given = beat.client_id or f"stadtfunk-heartbeat-{beat.name}"
            yield f"heartbeat[{i}]", f"heartbeat {beat.name}", beat.url, given


def _repeated(file: str, table: str, names: list[str], taken: Sequence[str] = ()) -> Iterator[Fault]:
    for i, name in enumerate(names):
        if name in names[:i] or name in taken:
            yield Fault(file, f"{table}[{i}].name", f"{name!r} is used twice", "give each a name of its own")
