"""What a warning of the city says, written from data files per language: what, where, since, what to do."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from alerts.city import plain_words
from alerts.city.situation import Situation, Written
from alerts.city.subject import Places, kind_of
from alerts.city.warning_file import form_of
from alerts.city.wording import FAULTS, Wording
from alerts.errors import AlertsConfigError
from alerts.event import CityAction, CityText
from alerts.scale import READ_IN, ReadIn, tongue
from alerts.text_files import TextFile, read_texts
from devices.errors import Fault

SHIPPED = Path(__file__).parent / "texts"
FILES: Mapping[ReadIn, str] = {each: f"warning_{each}.toml" for each in READ_IN}
_log = structlog.get_logger(__name__)


class CityTexts:
    """Writes the texts of the city's warnings in every language. `own`: the city's folder of texts.

    Everything that the files say is tried out here: raises AlertsConfigError with every fault.
    """

    def __init__(self, places: Places, own: Path | None = None, *, shipped: Path = SHIPPED) -> None:
        faults = list[Fault]()
        self.files: dict[ReadIn, TextFile] = {}
        self._languages: dict[ReadIn, Wording] = {}
        for code in READ_IN:
            base = [shipped / FILES["de"]] if code == "einfach" else []
            try:
                file = read_texts(FILES[code], shipped, own, base)
                language = Wording(code, file, places)
            except AlertsConfigError as error:
                faults += error.faults
                continue
            self.files[code], self._languages[code] = file, language
            faults += language.tried()
        if faults:
            raise AlertsConfigError(*faults)

    def write(self, situation: Situation, action: CityAction) -> Written:
        """The texts of one step. Never raises: where a template fails there is a plain text in its place."""
        kind, form = kind_of(situation), form_of(action)
        texts: dict[str, CityText] = {}
        for code, language in self._languages.items():
            try:
                texts[code] = language.write(situation, form, kind)
            except FAULTS:
                _log.exception("city_text_failed", language=code, kind=kind, form=form)
                texts[code] = _plain(situation, action, code)
        return Written(texts, f"{kind}: {self._versions()}")

    def _versions(self) -> str:
        labels = {code: file.label for code, file in self.files.items()}
        if len(set(labels.values())) == 1:
            return next(iter(labels.values()))
        return ", ".join(f"{code} {label}" for code, label in labels.items())


def _plain(situation: Situation, action: CityAction, code: ReadIn) -> CityText:
    """Without templates, in the nearest language that there is."""
    return plain_words.write(situation, action).texts[tongue(code)]
