"""Opening hours of car parks."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from api.mobility.opening_hours import read_opening_hours

BERLIN = ZoneInfo("Europe/Berlin")


def opens(text, *local):
    moment = datetime(*local, tzinfo=BERLIN)
    return read_opening_hours(text).open_at(round(moment.timestamp() * 1e6), BERLIN)


@pytest.mark.parametrize(
    ("text", "local", "expected"),
    [
        ("24/7", (2026, 7, 12, 3, 0), True),
        ("Mo-Fr 06:00-22:00; Sa,Su 08:00-20:00", (2026, 7, 13, 6, 0), True),
        ("Mo-Fr 06:00-22:00; Sa,Su 08:00-20:00", (2026, 7, 13, 5, 59), False),
        ("Mo-Fr 06:00-22:00; Sa,Su 08:00-20:00", (2026, 7, 13, 22, 0), False),
        ("Mo-Fr 06:00-22:00; Sa,Su 08:00-20:00", (2026, 7, 12, 7, 0), False),
        ("06:00-22:00; Su off", (2026, 7, 12, 12, 0), False),
        ("06:00-22:00; Su off", (2026, 7, 13, 12, 0), True),
        ("Sa 18:00-02:00", (2026, 7, 12, 1, 59), True),
        ("Sa 18:00-02:00", (2026, 7, 11, 1, 59), False),
        ("Su 18:00-02:00", (2026, 7, 13, 1, 0), True),
        ("Fr-Mo 08:00-12:00,13:00-18:00", (2026, 7, 13, 12, 30), False),
        ("Fr-Mo 08:00-12:00,13:00-18:00", (2026, 7, 13, 13, 30), True),
        ("Fr-Mo 08:00-12:00,13:00-18:00", (2026, 7, 14, 13, 30), False),
        ("Mo-Su 06:00-24:00", (2026, 7, 14, 23, 59), True),
        # by the clocks, also on the day they are put forward
        ("Su 03:00-04:00", (2026, 3, 29, 3, 30), True),
    ],
)
def test_a_car_park_is_open_by_the_clocks_of_the_city(text, local, expected):
    assert opens(text, *local) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "always",
        "Mo-Fr",
        "Mo-Xx 06:00-22:00",
        "25:00-26:00",
        "06:70-22:00",
        "PH off",
        "Mo-Tu-We 06:00-22:00",
    ],
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|no such hour"):
        read_opening_hours(text)
