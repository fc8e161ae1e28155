"""`stadtfunk texts`: preview what people would read, check every text, sign a file, copy the shipped ones."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from alerts.areas import load_areas
from alerts.cap.cell_broadcast import broadcast_text, gsm
from alerts.cap.document import Basis, Document, Issuer, city_document, heard
from alerts.city import texts as warning_texts
from alerts.city.city_warning import fold
from alerts.city.short_texts import MEDIA, Medium, sentences, sms_segments, told
from alerts.city.situation import Situation
from alerts.city.warning_file import FORMS, TEXT_KINDS, Form, TextKind
from alerts.errors import AlertsConfigError
from alerts.event import CityAction, CityStep, Event, Severity
from alerts.incidents.incident import Incident, Member, begun
from alerts.scale import READ_IN, SEVERITIES, load_scale
from alerts.text_files import sign
from alerts.texts.texts import FILES as NOTICE_FILES
from alerts.texts.texts import SHIPPED as SHIPPED_NOTICES
from devices.errors import DevicesError, Fault
from devices.registry import Station, load_registry
from stadtfunk.javascript_types import named_types
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings
from stadtfunk.texts import city_texts, examine_texts, text_files

CHANNELS = (*MEDIA, "cell")
SITUATIONS = "rain, level, expected, basin, several: at the city's stations; hand, blind: without"

_NOW_US = 1_784_053_800_000_000  # 14 July 2026, 18:30 UTC
_HOUR_US = 3_600_000_000
_MEASURED: Mapping[TextKind, Sequence[tuple[str, int | None, float]]] = {
    "rain": (("dwd_starkregen", 60, 44.1),),
    "level": (("water_level", None, 118.0),),
    "expected": (("water_level_expected", None, 74.0),),
    "basin": (("basin", None, 221.0),),
    "several": (("dwd_starkregen", 60, 44.1), ("water_level", None, 118.0)),
}
_LEVEL = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`texts preview|check --config city.toml`, `texts sign FILE --by NAME`, `texts copy FOLDER`."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    summary = "print what people would read, for the city's own areas and stations, with its lengths"
    sub = commands.add_parser("preview", help=summary, description=summary)
    sub.add_argument("--config", type=Path, required=True, metavar="city.toml")
    sub.add_argument("--kind", choices=TEXT_KINDS, default="level", help="kind of event [level]")
    sub.add_argument("--severity", choices=SEVERITIES, default="Severe", help="[Severe]")
    sub.add_argument("--action", choices=FORMS, default="warn", help="step of the warning [warn]")
    sub.add_argument("--language", choices=READ_IN, action="append", help="[all]")
    sub.add_argument("--channel", choices=CHANNELS, action="append", help="[all]")
    sub.set_defaults(run=preview)

    summary = "every text in every language and length: who signed which version, and what does not fit"
    sub = commands.add_parser("check", help=summary, description=summary)
    sub.add_argument("--config", type=Path, required=True, metavar="city.toml")
    sub.set_defaults(run=check)

    summary = "write into a file of texts that somebody has read and approved it as it is"
    sub = commands.add_parser("sign", help=summary, description=summary)
    sub.add_argument("file", type=Path, nargs="+", metavar="FILE")
    sub.add_argument("--by", required=True, metavar="NAME", help="who has read and approved it")
    sub.set_defaults(run=signed)

    summary = "copy the shipped files of texts into a folder to edit; what is there already stays"
    sub = commands.add_parser("copy", help=summary, description=summary)
    sub.add_argument("folder", type=Path, metavar="FOLDER")
    sub.set_defaults(run=copy)


def signed(args: argparse.Namespace) -> int:
    """Sign each file; 1 for one that cannot be."""
    code = 0
    for file in args.file:
        try:
            signature = sign(file, " ".join(args.by.split()), date.today())  # noqa: DTZ011 - the day on the wall
        except AlertsConfigError as error:
            _print_faults(error.faults)
            code = 1
        except OSError as error:
            print(f"fault: {file}: {error}", file=sys.stderr)
            code = 1
        else:
            print(f"{file}: version {signature.version}, signed by {signature.by} on {signature.on}")
    return code


def copy(args: argparse.Namespace) -> int:
    """Copy the shipped files."""
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        for folder, names in (
            (SHIPPED_NOTICES, NOTICE_FILES.values()),
            (warning_texts.SHIPPED, warning_texts.FILES.values()),
        ):
            for name in names:
                if (args.folder / name).exists():
                    print(f"{args.folder / name}: is there already, left as it is")
                    continue
                shutil.copyfile(folder / name, args.folder / name)
                print(f"{args.folder / name}: copied; what you do not change you may delete")
    except OSError as error:
        print(f"fault: {error}", file=sys.stderr)
        return 1
    return 0


def preview(args: argparse.Namespace) -> int:
    """Print the texts of one event."""
    city = _open(args.config)
    if city is None:
        return 1
    written = city.texts.write(city.situation(args.kind, args.severity), _action(args.action))
    print(f"{args.kind}, {args.severity}, {args.action} (texts of {written.template})")
    for channel in args.channel or CHANNELS:
        if channel not in MEDIA:
            said = city.broadcast(args.kind, args.severity, args.action)
            print(f"\n[cell broadcast, German and as far as it fits English: {len(said)} characters]\n{said}")
            continue
        for language in args.language or READ_IN:
            said = told(written.texts[language], channel, sender=city.sender(language))
            print(f"\n[{channel}, {language}: {_size(said, channel)}]\n{said}")
    return 0


def check(args: argparse.Namespace) -> int:
    """Every file's state, every kind, severity and step in every language and medium; 1 for what is wrong."""
    city = _open(args.config)
    if city is None:
        return 1
    for file in text_files(city.settings):
        by = f", {file.signature.by}, {file.signature.on}" if file.signature else ""
        print(f"{file.path}: {file.label}{by}")
    for line in examine_texts(city.settings)[1]:
        print(f"advice: {line}")
    problems = list(_problems(city))
    for line in problems:
        print(f"fault: {line}", file=sys.stderr)
    if problems:
        return 1
    print("every text fits, in every language and medium")
    return 0


def _problems(city: "_City") -> Iterator[str]:
    """Where a text leaves no room for what to do, or does not name the emergency number."""
    for kind in TEXT_KINDS:
        for severity in SEVERITIES:
            for form in FORMS:
                written = city.texts.write(city.situation(kind, severity), _action(form))
                for language, text in written.texts.items():
                    where = f"{kind}, {severity}, {form}, {language}"
                    todo = sentences(text.instruction)
                    if not any("112" in each for each in todo):
                        yield f"{where}: what to do does not name 112: name it"
                    elif form in {"warn", "update"} and not _called(
                        todo, told(text, "sms", sender=city.sender(language))
                    ):
                        yield f"{where}: no room for 112 in an SMS: shorten what stands before it"
                    if todo[0].split("? ")[0] not in told(text, "push", sender=city.sender(language)):
                        yield f"{where}: no room for the first thing to do in a push message: shorten it"


def _called(todo: Sequence[str], said: str) -> bool:
    """Whether a message holds what to do that names the emergency number."""
    return any("112" in each and gsm(each) in said for each in todo)


class _City:
    """A configuration's city, and events as they could be in it."""

    def __init__(self, settings: Settings) -> None:
        alerts, self.settings = settings.alerts, settings
        self._scale = load_scale(alerts.scale and settings.path(alerts.scale))
        self._areas = load_areas(alerts.areas and settings.path(alerts.areas))
        types = named_types(settings)
        devices = settings.devices.file and settings.path(settings.devices.file)
        self._stations = load_registry(devices, settings.device, catalogue=types).stations
        self.texts = city_texts(settings, self._name, self._areas, self._scale)

    def sender(self, language: str) -> str:
        """What stands before a headline."""
        name = self.settings.city.name.removeprefix("Stadt ")
        return f"Warning by the city of {name}" if language == "en" else f"Warnung der Stadt {name}"

    def situation(self, kind: TextKind, severity: Severity) -> Situation:
        """An event of a kind, at the stations with the longest names, for all areas."""
        incident: Incident | None = None
        for measure, window, value in _MEASURED.get(kind, ()):
            station = self._station(rain=window is not None)
            incident = incident or begun("preview.20260714T173000Z", _NOW_US - _HOUR_US)
            incident.members[measure] = Member(
                episode=measure,
                station=station,
                measure=measure,
                level=_LEVEL,
                severity=severity,
                window_min=window,
                value=value,
                since_us=_NOW_US - _HOUR_US,
                changed_us=_NOW_US,
                told_us=_NOW_US,
                rule="preview",
            )
        return Situation(
            time_us=_NOW_US,
            severity=severity,
            areas=tuple(area.id for area in self._areas.areas),
            valid_until_us=_NOW_US + 3 * _HOUR_US,
            incident=incident,
            by="NAME",
            kind=kind,
        )

    def broadcast(self, kind: TextKind, severity: Severity, form: Form) -> str:
        """The text for cell broadcast, through the CAP document that it is made from."""
        situation = self.situation(kind, severity)
        warning, documents = None, list[Document]()
        for number, action in enumerate(dict.fromkeys(("release", _action(form)))):
            step = CityStep(
                action=_action(action),
                severity=severity,
                areas=situation.areas,
                texts=self.texts.write(situation, _action(action)).texts,
                valid_until_us=situation.valid_until_us,
                by=situation.by,
                reason="",
            )
            event = Event(
                f"preview.{number}",
                "preview",
                _NOW_US + number,
                "",
                "city",
                "",
                0,
                None,
                None,
                "",
                "",
                city=step,
            )
            warning = fold(warning, event)
        cap, city = self.settings.cap, self.settings.city
        names = {id_: station.name for id_, station in self._stations.items()}
        issuer = Issuer(
            cap.sender or "preview", cap.sender_name or city.name, city.name, city.ars or "", web=cap.web
        )
        basis = Basis(issuer, self._areas, self._scale, names)
        for number, _ in heard(warning) if warning else ():
            document = city_document(warning, number, documents, basis) if warning else None
            documents += [document] if document else []
        return broadcast_text(documents[-1].xml)

    def _station(self, *, rain: bool) -> str:
        """The id of the station with the longest name among the gauges, as far as they can be told apart."""
        gauges = [each for each in self._stations.values() if bool(each.stages_cm or each.water) != rain]
        found = gauges or [*self._stations.values()]
        return max(found, key=lambda each: len(each.name)).id if found else "station"

    def _name(self, id_: str) -> str:
        station: Station | None = self._stations.get(id_)
        return station.name if station else id_


def _open(config: Path) -> _City | None:
    """The city; None with every fault printed."""
    settings = load_settings(config)
    faults = examine_texts(settings)[0]
    try:
        if not faults:
            return _City(settings)
    except (AlertsConfigError, DevicesError) as error:
        faults = list(error.faults)
    _print_faults(faults)
    return None


def _action(form: str) -> CityAction:
    actions: Mapping[str, CityAction] = {
        "update": "update",
        "all_clear": "all_clear",
        "cancel": "cancel",
        "expire": "expire",
    }
    return actions.get(form, "release")


def _size(said: str, medium: Medium) -> str:
    if medium != "sms":
        return f"{len(said)} characters"
    sms = sms_segments(said)
    return f"{sms.units} units of {sms.encoding}, {sms.segments} SMS"


def _print_faults(faults: Sequence[Fault]) -> None:
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
