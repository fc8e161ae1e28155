"""What people read: titles and bodies of notices, from data files per language."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.city.city_warning import CityWarning
from alerts.delivery.city_messages import StandIn
from alerts.delivery.grouping import News
from alerts.errors import AlertsConfigError, TextError
from alerts.one_line import printable
from alerts.scale import READ_IN, Language, ReadIn, Scale, shipped_scale
from alerts.text_files import TextFile, read_texts
from alerts.texts.notice_file import valid
from alerts.texts.one_language import Naming, OneLanguage
from alerts.texts.text import Text
from alerts.texts.trials import tried
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from devices.errors import Fault

SHIPPED = Path(__file__).parent
FILES: Mapping[ReadIn, str] = {each: f"{each}.toml" for each in READ_IN}


class Texts:
    """Renders warnings. `station_name` turns a station's id into its name, `timezone` is the city's.

    `areas` gives the names of the warning areas that a station warns; `scale` has the words for levels and
    severities, the shipped one's when None; `console`: where staff decide; `stand_in`: on a stand-by. `own`:
    the city's folder, whose files stand over those of `folder`. Everything a file says is tried out here:
    raises AlertsConfigError with every fault.
    """

    def __init__(  # noqa: PLR0913 - what a text is made from
        self,
        station_name: Callable[[str], str],
        timezone: str,
        city: str = "",
        areas: Callable[[str, Language], Sequence[str]] = lambda _station, _language: (),
        *,
        folder: Path = SHIPPED,
        own: Path | None = None,
        scale: Scale | None = None,
        catchment_name: Callable[[str], str] = str,
        area_name: Callable[[str, Language], str] = lambda id_, _language: id_,
        console: str = "",
        stand_in: StandIn | None = None,
    ) -> None:
        about = Naming(
            station_name,
            ZoneInfo(timezone),
            printable(city),
            areas,
            scale or shipped_scale(),
            catchment_name,
            area_name,
            console,
            stand_in,
        )
        faults: list[Fault] = []
        self.files: dict[ReadIn, TextFile] = {}
        self._languages: dict[ReadIn, OneLanguage] = {}
        for code in READ_IN:
            base = [folder / FILES["de"]] if code == "einfach" else []
            try:
                file = read_texts(FILES[code], folder, own, base)
                language = OneLanguage(code, valid(file), about)
            except AlertsConfigError as error:
                faults += error.faults
                continue
            except TextError as error:
                faults.append(Fault(str(file.path), "-", str(error), "correct the template"))
                continue
            self.files[code], self._languages[code] = file, language
            faults += tried(str(file.path), language)
        if faults:
            raise AlertsConfigError(*faults)

    def render(self, warning: Warning, language: ReadIn, *, repeat: bool = False) -> Text:
        """Text of a warning's latest step; `repeat` says that it may have been delivered before.

        Raises TextError.
        """
        return self._languages[language].render(warning, repeat=repeat)

    def render_incident(self, news: News, language: ReadIn, *, repeat: bool = False) -> Text:
        """Text of a message about an incident, for staff; otherwise as render()."""
        return self._languages[language].render_incident(news, repeat=repeat)

    def render_city(
        self, warning: CityWarning, language: ReadIn, *, staff: bool, repeat: bool = False
    ) -> Text:
        """Text of the latest step of a warning of the city; otherwise as render()."""
        return self._languages[language].render_city(warning, staff=staff, repeat=repeat)
