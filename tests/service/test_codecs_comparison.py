"""Two versions of a codec with their maps: every difference in field, value, unit and meaning is a line."""

import pytest
from level_codecs import (
    IN_METRES,
    IN_MILLIMETRES,
    LEVEL_PAYLOAD,
    WEATHER_PAYLOAD,
    WITH_RAIN,
    level_map,
    weather_map,
)

from devices.decoded import Frame
from devices.javascript.sandbox import Sandbox
from devices.javascript.shelf import Pair
from devices.javascript.type_files import JavascriptTypes
from stadtfunk.codecs_comparison import compared

LEVEL, BATTERY = Frame(85, LEVEL_PAYLOAD), Frame(85, bytes.fromhex("017564"))
MAP = level_map(IN_METRES)
DISTANCE = 'property = "water_distance"'


@pytest.fixture(scope="module")
def versions():
    with Sandbox() as sandbox:
        types = JavascriptTypes(sandbox)

        def over(old, new, *frames):
            built = [types.build("acme-x", name, pair) for name, pair in (("old", old), ("new", new))]
            return compared(*built, frames)

        yield over


def script(body):
    return f"function decodeUplink(input) {{ {body} }}"


def test_the_same_pair_is_the_same(versions):
    found = versions(Pair(IN_METRES, MAP), Pair(IN_METRES, MAP), LEVEL)
    assert (found.same, found.verdict) == (True, "the same in all fields, readings and meaning")
    # a comment in the text is another hash and no other meaning
    found = versions(Pair(IN_METRES, MAP), Pair(f"// new\n{IN_METRES}", MAP), LEVEL)
    assert found.same
    assert found.unseen == ()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('unit = "m"', 'unit = "cm"', "distance: unit m -> cm"),
        (DISTANCE, f"{DISTANCE}\nscale = 2", "distance: scale 1 -> 2"),
        (
            DISTANCE,
            f'{DISTANCE}\nsentinels = [65535, "none"]',
            'distance: sentinels none -> "none", 65535',
        ),
        (DISTANCE, f"{DISTANCE}\nrange = [0.02, 10]", "distance: range none -> 20 to 10000 mm"),
        (DISTANCE, f'{DISTANCE}\nchannel = "a"', "distance: channel none -> a"),
        (DISTANCE, f'{DISTANCE}\ncodec_unit = "metre"', "distance: codec_unit none -> metre"),
        (DISTANCE, f'{DISTANCE}\ntime = "at"', "distance: time none -> at"),
        ("required = true", "", "distance: required yes -> no"),
        ('path = "distance"', 'path = "battery.value"', "water_distance: path distance -> battery.value"),
        ("interval_s = 600", "interval_s = 60", "interval_s 600 -> 60"),
        ("interval_s = 600", "interval_s = 600\nf_ports = [1, 2]", "f_ports any -> 1, 2"),
        ("interval_s = 600", "interval_s = 600\nrequired_missing = 9", "required_missing 3 -> 9"),
        ('theme = "level"', 'theme = "climate"', "theme level -> climate"),
    ],
)
def test_what_a_map_says_otherwise_differs_also_where_no_payload_shows_it(versions, old, new, line):
    assert old in MAP
    pair, other = Pair(IN_METRES, MAP), Pair(IN_METRES, MAP.replace(old, new, 1))
    # both ways; over payloads that have the field, that do not, and over none
    for frames, note in (
        ((LEVEL,), ""),
        ((BATTERY,), " (not in any recorded payload)"),
        ((), " (not in any recorded payload)"),
    ):
        found = versions(pair, other, *frames)
        assert not found.same
        assert len(found.meaning) == 1
        said = found.meaning[0].removesuffix(note) if "distance:" in line else found.meaning[0]
        if "path" not in line:
            assert said == line
        assert not versions(other, pair, *frames).same


def test_the_wrap_and_the_kind_of_a_counter_differ(versions):
    old = weather_map(WITH_RAIN)
    rain = Frame(85, WEATHER_PAYLOAD)
    found = versions(Pair(WITH_RAIN, old), Pair(WITH_RAIN, old.replace("167772.16", "655.36")), rain)
    assert found.differences == []
    assert found.meaning == ("rainfall_total: wrap 167772.16 mm -> 655.36 mm",)
    assert not found.same
    gauge = old.replace('"precipitation_total"', '"precipitation"')
    gauge = gauge.replace('kind = "counter"\nwrap = 167772.16\n', 'kind = "count"\n')
    found = versions(Pair(WITH_RAIN, old), Pair(WITH_RAIN, gauge), rain)
    assert found.meaning == (
        "rainfall_total: property precipitation_total -> precipitation",
        "rainfall_total: kind counter -> count",
        "rainfall_total: wrap 167772.16 mm -> none",
    )


def test_states_differ(versions):
    codec = script("return {data: {state: input.bytes[0] ? 'busy' : 'free'}}")
    map_ = (
        'maker = "A"\nmodel = "P"\n[[field]]\npath = "state"\nproperty = "parking_occupied"\n'
        'kind = "state"\nstates = { busy = 1, free = 0 }\n'
    )
    found = versions(Pair(codec, map_), Pair(codec, map_.replace("free = 0", "free = 1")), Frame(1, b"\x01"))
    assert found.meaning == ("state: states busy = 1, free = 0 -> busy = 1, free = 1",)


def test_a_field_of_one_map_alone_is_told_with_all_that_it_means(versions):
    less = MAP[: MAP.rindex("[[field]]")]
    more = f'{MAP}\n[[field]]\npath = "t"\nproperty = "air_temperature"\nunit = "Cel"\nrange = [-40, 60]\n'
    found = versions(Pair(IN_METRES, MAP), Pair(IN_METRES, less), LEVEL)
    assert found.meaning == (
        "battery: not read any more: battery_level (kind gauge, unit %, scale 1, required no)",
    )
    assert [str(each)[:42] for each in found.differences] == ["reading  battery_level in %: 100 -> gone ("]
    found = versions(Pair(IN_METRES, MAP), Pair(IN_METRES, more), LEVEL)
    assert found.differences == []
    assert found.meaning == (
        (
            "t: read only now: air_temperature "
            "(kind gauge, unit Cel, scale 1, range -40 to 60 Cel, required no) (not in any recorded payload)"
        ),
    )
    assert not found.same


def test_nothing_recorded_is_never_the_same(versions):
    found = versions(Pair(IN_METRES, MAP), Pair(IN_MILLIMETRES, MAP))
    assert not found.same
    assert found.verdict == (
        "not compared: no recorded payload of this type, so nothing is known of its values; "
        "the maps mean the same"
    )


def test_a_mapped_field_that_no_payload_has_is_named(versions):
    found = versions(Pair(IN_METRES, MAP), Pair(IN_MILLIMETRES, MAP), BATTERY)
    assert found.unseen == (
        "distance: not in any recorded payload, so no value of water_distance was compared",
    )
    assert found.same
    assert found.verdict.endswith("as far as recorded: 1 mapped fields are not")
    # of the same text nothing is unknown
    assert versions(Pair(IN_METRES, MAP), Pair(IN_METRES, MAP), BATTERY).unseen == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("30", "'30'", 'field    x: 30 -> "30" (in 1 uplinks'),
        ("1", "true", "field    x: 1 -> true (in 1"),
        ("null", "undefined", "field    x: null -> gone (in 1"),
        ("undefined", "5", "field    x: not there -> 5 (in 1"),
        ("'gone'", "undefined", 'field    x: "gone" -> gone (in 1'),
        ("{value: 1, unit: 'm'}", "{value: 1, unit: 'mm'}", 'field    x.unit: "m" -> "mm" (in 1'),
        ("'a\\u001b[2J'", "1", 'field    x: "a\\u001b[2J" -> 1 (in 1'),
    ],
)
def test_values_are_told_apart_as_the_codec_wrote_them(versions, old, new, said):
    map_ = 'maker = "A"\nmodel = "X"\n'
    one, other = (Pair(script(f"return {{data: {{x: {each}}}}}"), map_) for each in (old, new))
    [difference] = versions(one, other, Frame(1, b"\x01")).differences
    assert str(difference).startswith(said)


def test_what_normalize_uplink_gives_is_compared_too(versions):
    codec = (
        script("return {data: {}}")
        + "function normalizeUplink(i) { return {data: {air: {temperature: %s}}} }"
    )
    map_ = 'maker = "A"\nmodel = "X"\n'
    field = '[[field]]\npath = "normalized.air.temperature"\nproperty = "air_temperature"\nunit = "Cel"\n'
    found = versions(Pair(codec % 1, map_ + field), Pair(codec % 2, map_ + field), Frame(1, b"\x01"))
    assert [each.kind for each in found.differences] == ["field", "reading"]
    # the field is still there where only the map lets go of it
    found = versions(Pair(codec % 1, map_ + field), Pair(codec % 1, map_), Frame(1, b"\x01"))
    assert {each.kind for each in found.differences} == {"reading"}


def test_a_quality_that_changes_is_told_by_its_name(versions):
    ranged = MAP.replace(DISTANCE, f"{DISTANCE}\nrange = [0.3, 10]")
    [found] = versions(Pair(IN_METRES, MAP), Pair(IN_METRES, ranged), LEVEL).differences
    assert str(found).startswith('reading  water_distance quality: "1 good" -> "4 fail" (in 1 uplinks, e.g.')


def test_the_time_of_a_reading_is_compared(versions):
    codec = script("return {data: {x: 1, at: %s}}")
    map_ = (
        'maker = "A"\nmodel = "X"\ntime = "at"\n'
        '[[field]]\npath = "x"\nproperty = "air_temperature"\nunit = "Cel"\n'
    )
    found = versions(Pair(codec % 1_700_000_000, map_), Pair(codec % 1_700_003_600, map_), Frame(1, b"\x01"))
    assert 'measured at: "2023-11-14T22:13:20+00:00" -> "2023-11-14T23:13:20+00:00"' in str(
        found.differences[1]
    )


def test_an_answer_with_too_many_fields_is_a_difference_and_no_fault(versions):
    map_ = 'maker = "A"\nmodel = "X"\n'
    many = script("var d = {}; for (var i = 0; i < 3000; i++) d['f' + i] = i; return {data: d}")
    found = versions(Pair(script("return {data: {x: 1}}"), map_), Pair(many, map_), Frame(1, b"\x01"))
    assert 'field    (fields): not there -> "too many"' in "\n".join(map(str, found.differences))
    assert 'reading  (rejected): not there -> "codec_error"' in "\n".join(map(str, found.differences))
