"""Direction and vehicle class out of a channel."""

import pytest

from alerts.mobility.channels import lane_of


@pytest.mark.parametrize(
    ("channel", "lane"),
    [
        ("", (None, None, None)),
        ("in", ("in", None, None)),
        ("ltr/class1", ("ltr", "class1", None)),
        ("rtl/truck", ("rtl", "truck", None)),
        ("out/line3", ("out", None, "line3")),
        ("Richtung Köln", ("Richtung Köln", None, None)),
        ("class12", (None, "class12", None)),
        ("bicycle/lane2", (None, "bicycle", "lane2")),
        ("a/class", ("a", None, "class")),
    ],
)
def test_the_direction_first_then_the_class_or_the_line(channel, lane):
    assert lane_of(channel) == lane
