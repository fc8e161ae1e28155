"""Field maps: what a codec's fields mean, and what becomes of those that mean nothing here."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import DeviceTypeError
from devices.field_map import compile_map, parse_map
from devices.flat import TooManyFieldsError, flat
from devices.measurement import Measurement, Quality, Rejected

HEAD = 'maker = "Acme"\nmodel = "X1"\n'


def made(fields):
    return compile_map("acme-x1.toml", parse_map("acme-x1.toml", HEAD + fields))


def one(more, path="t", property_="air_temperature", unit="Cel"):
    return made(f'[[field]]\npath = "{path}"\nproperty = "{property_}"\nunit = "{unit}"\n{more}')


def values(decoded):
    return [(each.value, each.quality.name) for each in decoded.measurements]


def faults(fields):
    with pytest.raises(DeviceTypeError) as caught:
        made(fields)
    return [str(each) for each in caught.value.faults]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (21.5, [(21.5, "GOOD")]),
        ("21.5", [(21.5, "GOOD")]),
        (" -3e1 ", [(-30, "GOOD")]),
        ("21.5 °C", [(21.5, "GOOD")]),
        ({"value": "21.5", "unit": "°C"}, [(21.5, "GOOD")]),
        ({"value": 21.5}, [(21.5, "GOOD")]),
        (None, [(None, "MISSING")]),
        ("No Sensor", [(None, "MISSING")]),
        (327.67, [(None, "MISSING")]),
        ("327.67", [(None, "MISSING")]),
        (80, [(80, "FAIL")]),
        (-40, [(-40, "GOOD")]),
        ("n/a", []),
        (True, []),
        ("1e999", [(None, "MISSING")]),
        ("٣", []),
        ([1, 2], []),
    ],
)
def test_a_value_is_read_as_its_codec_writes_it(raw, expected):
    field_map = one('sentinels = ["No Sensor", 327.67]\nrange = [-40, 60]')
    assert values(field_map.read({"t": raw})) == expected


def test_what_nobody_mapped_and_what_cannot_be_read_is_kept():
    found = one("").read({"t": "n/a", "x": {"list": [{"y": 1}, "two"]}, "on": True, "empty": {}}, ("old",))
    assert found.measurements == ()
    assert dict(found.unmapped) == {
        "t": "n/a",
        "x.list.0.y": 1,
        "x.list.1": "two",
        "on": True,
        "empty": {},
    }
    assert found.warnings == ("old", "t: 'n/a' is no value for air_temperature")


def test_a_value_is_converted_exactly():
    field_map = one("", unit="m", property_="water_distance")
    assert [field_map.read({"t": raw}).measurements[0].value for raw in (0.03, 0.29, 1.1, 4.35)] == [
        30,
        290,
        1100,
        4350,
    ]
    scaled = one("scale = 0.1\nrange = [-40, 100]\nsentinels = [32767]", unit="°F")
    assert values(scaled.read({"t": 770})) == [(25, "GOOD")]
    assert values(scaled.read({"t": 32767})) == [(None, "MISSING")]
    assert values(scaled.read({"t": 1010})) == [(pytest.approx(38.3333, abs=1e-4), "FAIL")]


def test_paths_go_into_lists_objects_and_names_with_dots():
    for path, data in (
        ("data.0.value", {"data": [{"value": 5, "unit": "C"}]}),
        ("value", {"value": 5, "unit": "C"}),
        ("a.b", {"a.b": 5}),
        ("a.1", {"a": {"1": 5}}),
    ):
        found = one("", path=path).read(data)
        assert (values(found), dict(found.unmapped)) == ([(5, "GOOD")], {}), path


@pytest.mark.parametrize(
    "data", [{"d": {"value": 30, "unit": "mm"}}, {"d": "30 mm"}, {"d": {"value": 3, "unit": "furlong"}}]
)
def test_a_codec_that_says_another_unit_is_refused(data):
    found = one("", path="d", property_="water_distance", unit="m").read(data)
    assert isinstance(found, Rejected)
    assert found.reason == "unit_changed"


def test_a_unit_in_the_codecs_own_words_is_said_once():
    field_map = one('codec_unit = "degrees"')
    assert values(field_map.read({"t": {"value": 5, "unit": "degrees"}})) == [(5, "GOOD")]
    assert field_map.read({"t": {"value": 5, "unit": "C"}}).reason == "unit_changed"
    same = one("", property_="air_pressure", unit="mbar")
    assert values(same.read({"t": {"value": 5, "unit": "hPa"}})) == [(5, "GOOD")]


def test_states_are_words_booleans_or_numbers():
    words = made(
        '[[field]]\npath = "s"\nproperty = "parking_occupied"\nkind = "state"\n'
        'states = { occupied = 1, free = 0, true = 1, "2" = 0 }'
    )
    found = [values(words.read({"s": raw})) for raw in ("occupied", "free", True, 2, "broken")]
    assert found == [[(1, "GOOD")], [(0, "GOOD")], [(1, "GOOD")], [(0, "GOOD")], []]
    plain = made('[[field]]\npath = "s"\nproperty = "parking_occupied"\nkind = "state"')
    assert [values(plain.read({"s": raw})) for raw in (True, 0)] == [[(1, "GOOD")], [(0, "GOOD")]]


def test_a_required_property_that_is_away_is_told():
    field_map = made(
        '[[field]]\npath = "t"\nproperty = "air_temperature"\nunit = "Cel"\n'
        '[[field]]\npath = "d"\nproperty = "water_distance"\nunit = "mm"\nrequired = true'
    )
    assert field_map.required == {"water_distance"}
    assert field_map.read({"t": 1}).warnings == ("required water_distance is missing",)
    assert field_map.read({"t": 1, "d": 2}).warnings == ()
    assert field_map.read({"mode": "configuration"}).warnings == ()


def test_counters_have_a_wrap_in_the_propertys_unit():
    body = '[[field]]\npath = "r"\nproperty = "precipitation_total"\nunit = "cm"\nkind = "counter"\nwrap = {}'
    assert made(body.format("65.536")).wraps == {"precipitation_total": 655.36}
    assert made(body.format("false")).wraps == {}


def test_every_fault_of_a_map_is_named_in_one_run():
    found = faults(
        """
        [[field]]
        path = "a"
        property = "water_distence"
        [[field]]
        path = "b"
        property = "water_distance"
        unit = "kPa"
        [[field]]
        path = "c"
        property = "precipitation_total"
        kind = "counter"
        [[field]]
        path = "d"
        property = "precipitation_total"
        unit = "mm"
        [[field]]
        path = "a"
        property = "battery_level"
        unit = "%"
        wrap = 5
        """
    )
    assert found == [
        "acme-x1.toml: field.0 (a).property: unknown property water_distence (did you mean water_distance?)",
        (
            "acme-x1.toml: field.1 (b).unit: kPa cannot become mm, the unit of water_distance "
            "(correct the unit or the property)"
        ),
        (
            "acme-x1.toml: field.2 (c).wrap: a counter needs it "
            "(write the count at which it starts again at 0, in the field's unit, or wrap = false)"
        ),
        "acme-x1.toml: field.2 (c).unit: is missing (write the unit in which the codec gives it, such as mm)",
        (
            "acme-x1.toml: field.3 (d).channel: precipitation_total is field.2 already "
            "(give each a channel of its own)"
        ),
        (
            "acme-x1.toml: field.3 (d).kind: gauge, but precipitation_total is a counter "
            '(write kind = "counter" or correct the property)'
        ),
        "acme-x1.toml: field.4 (a).path: is field.0 already (remove one)",
        "acme-x1.toml: field.4 (a).wrap: is of counters alone (remove it)",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[field]]\npath = ", "not TOML"),
        ('[[field]]\npath = "a"\nproprety = "x"', "field.0.proprety: unknown key (did you mean property?)"),
        ('[[field]]\npath = "a"', "field.0.property: is missing (add it)"),
        ('[[field]]\npath = "a"\nproperty = "x"\nwrap = true', "wrap"),
        ('[[field]]\npath = "a"\nproperty = "x"\nwrap = -1', "a wrap is a number above 0, or false"),
        ('[[field]]\npath = "a"\nproperty = "x"\nrange = [2, 1]', "range runs downwards"),
        ('[[field]]\npath = "a"\nproperty = "x"\nscale = 0', "scale 0 makes every value the same"),
    ],
)
def test_a_map_of_the_wrong_shape_is_refused(text, said):
    assert any(said in each for each in faults(text))


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=9)
)
DATA = st.dictionaries(
    st.text(st.characters(codec=None), max_size=5),
    st.recursive(
        PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("tvab"), inner)
    ),
    max_size=6,
)


@given(DATA)
def test_nothing_that_a_codec_gives_is_lost(data):
    fields = flat(data)

    def leaves(value):
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return sum(map(leaves, inside)) if inside else 1

    assert len(fields) == sum(map(leaves, data.values()))
    json.dumps(fields, ensure_ascii=False).encode()


@given(DATA.map(lambda data: {**data, "t": data.get("t")}) | DATA)
def test_reading_never_raises_and_drops_nothing(data):
    found = one('required = true\nsentinels = [1, "a"]').read(data)
    if isinstance(found, Rejected):
        assert found.reason == "unit_changed"
        return
    assert len(found.measurements) + len(found.unmapped) >= len(flat(data)) - 1
    for each in found.measurements:
        assert each == Measurement("air_temperature", each.value, each.quality)
        assert (each.value is None) == (each.quality == Quality.MISSING)


def test_deep_nesting_is_no_matter():
    data = {"a": 1}
    for _ in range(200):
        data = {"a": data}
    assert list(flat(data).values()) == [1]
    for _ in range(5000):
        data = {"a": data}
    with pytest.raises(TooManyFieldsError):
        flat(data)
