"""What signs say of free spaces: a line for each car park, and one for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from alerts.displays.content import one_line, stamp
from alerts.mobility.states import CarPark

UNKNOWN = "---"
FREE, FULL = "frei", "besetzt"
_CUT = "."
_BETWEEN = " | "
_LEAST_NAME = 5
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Sign:
    """One car park on signs, by its station's id. `name`: what stands there, "" for `P` and the station's."""

    station: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class SignRules:
    """How signs speak.

    `width`: characters of a line that fit; `guidance_width`: of the line of all, 0 for none. `unsure`: what
    is said while the number cannot be trusted, which is below a confidence of `sure`: dashes, or only whether
    there is something free. Up to `full_at` free spaces are none. Of a car park of which nothing was heard
    for `silent_min` nothing is claimed.
    """

    signs: Sequence[Sign] = ()
    width: int = 40
    guidance_width: int = 160
    unsure: Literal["dashes", "words"] = "dashes"
    sure: float = 0.6
    full_at: int = 0
    silent_min: float = 90.0


@dataclass(frozen=True, slots=True)
class Spaces:
    """Where signs get what they say.

    `name`: of a station; `shown`: whether the public may hear of it; `advances`: whether the numbers follow
    what is measured, else nothing is claimed.
    """

    rules: SignRules
    parking: Callable[[], Sequence[CarPark]]
    name: Callable[[str], str]
    shown: Callable[[CarPark], bool]
    advances: Callable[[], bool]
    zone: ZoneInfo

    def messages(self, prefix: str, now_us: int) -> dict[str, str | Mapping[str, Any]]:
        """What is to stand in each topic now: lines and objects."""
        parks = {park.station: park for park in self.parking() if self.shown(park)}
        known = parks if self.advances() else {}
        signs = self.rules.signs or [Sign(id_) for id_ in sorted(parks)]
        found: dict[str, str | Mapping[str, Any]] = {}
        parts = []
        for sign in signs:
            park = known.get(sign.station)
            name = sign.name or f"P {self.name(sign.station)}"
            said = words(park, self.rules, now_us)
            topic = f"{prefix}/parking/{sign.station}"
            found[f"{topic}/text"] = line(name, said, self.rules.width)
            found[topic] = self._body(sign.station, name, said, park, now_us)
            parts.append((name.removeprefix("P ") or name, said))
        if self.rules.guidance_width:
            found[f"{prefix}/guidance/text"] = guidance(parts, self.rules.guidance_width)
        return found

    def _body(
        self, station: str, name: str, said: str, park: CarPark | None, now_us: int
    ) -> Mapping[str, Any]:
        sure = (
            park is not None and not silent(park, self.rules, now_us) and park.confidence >= self.rules.sure
        )
        return {
            "station": station,
            "name": name,
            "says": said,
            "free": park.free if park is not None and sure else None,
            "capacity": park.capacity if park is not None else None,
            "sure": sure,
            "time": stamp(park.newest_us, self.zone) if park is not None and park.newest_us else None,
        }


def silent(park: CarPark, rules: SignRules, now_us: int) -> bool:
    """Whether nothing was heard of a car park for too long."""
    return park.newest_us is None or now_us - park.newest_us > rules.silent_min * _MINUTE_US


def words(park: CarPark | None, rules: SignRules, now_us: int) -> str:
    """`87 frei`, `besetzt`, `frei` or `---`."""
    if park is None or silent(park, rules, now_us):
        return UNKNOWN
    full = park.free <= rules.full_at
    if park.confidence < rules.sure:
        return UNKNOWN if rules.unsure == "dashes" else (FULL if full else FREE)
    return FULL if full else f"{park.free} {FREE}"


def line(name: str, said: str, width: int) -> str:
    """Name and words in at most `width` characters of ISO 8859-1; of both only the name is ever cut."""
    name = one_line(name)
    room = width - len(said) - 1
    if len(name) > room:
        name = name[: room - len(_CUT)].rstrip(" -.") + _CUT if room > len(_CUT) else ""
    return f"{name} {said}" if name else said[:width]


def guidance(parts: Sequence[tuple[str, str]], width: int) -> str:
    """All car parks in one line of at most `width` characters; names are cut alike, what is said is not.

    Those that do not fit any more are left out from the end.
    """
    for count in range(len(parts), 0, -1):
        here = parts[:count]
        room = (width - len(_BETWEEN) * (count - 1)) // count
        if count == 1 or room >= max(len(said) for _, said in here) + _LEAST_NAME:
            whole = _BETWEEN.join(f"{one_line(name)} {said}" for name, said in here)
            return whole if len(whole) <= width else _BETWEEN.join(line(*each, room) for each in here)
    return ""
