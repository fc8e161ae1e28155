import tomllib
from pathlib import Path

import pytest

import devices.properties
from devices.properties import THEMES, ObservedProperty, observed_properties
from devices.units import is_known


def test_about_a_hundred_in_snake_case_with_units_that_convert():
    properties = observed_properties()
    assert 55 <= len(properties) <= 120
    for name, each in properties.items():
        assert name == each.name
        assert is_known(each.unit), each.unit


def test_every_theme_is_used():
    assert {each.theme for each in observed_properties().values()} == set(THEMES)


def test_names_are_distinct_in_both_languages():
    for language in ("name_de", "name_en"):
        names = [getattr(each, language) for each in observed_properties().values()]
        assert len(names) == len(set(names))


def test_what_the_other_parts_rely_on():
    properties = observed_properties()
    agreed = {
        "precipitation": ("mm", "count"),
        "precipitation_total": ("mm", "counter"),
        "water_level": ("cm", "gauge"),
        "water_distance": ("mm", "gauge"),
        "water_depth": ("cm", "gauge"),
        "parking_occupied": ("1", "state"),
        "vehicle_count": ("1", "counter"),
        "people_count": ("1", "counter"),
        "bicycle_count": ("1", "counter"),
        "vehicle_count_interval": ("1", "count"),
        "people_count_interval": ("1", "count"),
        "bicycle_count_interval": ("1", "count"),
        "air_temperature": ("Cel", "gauge"),
        "relative_humidity": ("%", "gauge"),
        "air_pressure": ("hPa", "gauge"),
        "wind_speed": ("m/s", "gauge"),
        "wind_direction": ("deg", "gauge"),
        "wind_gust": ("m/s", "gauge"),
        "solar_irradiance": ("W/m2", "gauge"),
        "battery_voltage": ("V", "gauge"),
        "battery_level": ("%", "gauge"),
        "device_temperature": ("Cel", "gauge"),
        "pm2_5": ("ug/m3", "gauge"),
    }
    for name, (unit, kind) in agreed.items():
        assert (properties[name].unit, properties[name].kind) == (unit, kind), name


def test_what_says_something_about_the_device_is_internal():
    assert all(each.internal for each in observed_properties().values() if each.theme == "device")


def test_file_is_read_once_and_cannot_be_changed():
    assert observed_properties() is observed_properties()
    with pytest.raises(TypeError):
        observed_properties()["x"] = None
    raw = tomllib.loads(Path(devices.properties.__file__).with_name("properties.toml").read_text("utf-8"))
    assert list(raw) == list(observed_properties())


def test_a_property_without_a_unit_is_refused():
    with pytest.raises(ValueError, match="unit"):
        ObservedProperty(name="x", unit="", kind="gauge", theme="rain", name_de="x", name_en="x", decimals=0)
