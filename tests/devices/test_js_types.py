"""Device types that a JavaScript codec reads: folders, repositories, and the codec that stays in force."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from level_codecs import (
    IN_METRES,
    IN_MILLIMETRES,
    LEVEL_PAYLOAD,
    WEATHER_PAYLOAD,
    WITH_RAIN,
    WITHOUT_RAIN,
    level_map,
    sha256,
    weather_map,
    write_type,
)

from devices.catalogue import load_catalogue
from devices.decoded import Decoded, Frame
from devices.errors import DevicesError, DeviceTypeError, Fault, RegistryError
from devices.javascript.sandbox import Limits, Sandbox, Source
from devices.javascript.shelf import Pair, Shelf
from devices.javascript.type_files import JavascriptTypes
from devices.measurement import Measurement, Rejected
from devices.registry import load_registry


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(call_s=3)) as sandbox:  # a busy machine is no hostile codec
        yield sandbox


@dataclass(frozen=True)
class Entry:
    vendor_name: str
    name: str
    source: Source
    f_ports: tuple[int, ...] = ()


class Repository:
    """Two models and nothing else."""

    def __init__(self, **texts):
        self.texts = texts

    def find(self, name):
        model = name.partition("@")[0].replace("/", "_").replace("-", "_")
        if model not in self.texts:
            raise DevicesError(Fault("repository", name, "no such device", "write vendor/model"))
        return Entry("Acme GmbH", "Level L1", Source.of(self.texts[model]), (85,))


def faults(call, *args, **more):
    with pytest.raises(DeviceTypeError) as caught:
        call(*args, **more)
    return [(each.key, each.problem, each.remedy) for each in caught.value.faults]


def test_a_folder_of_codecs_and_maps_loads_beside_our_own(tmp_path, sandbox):
    write_type(tmp_path, "acme-l1", IN_METRES, level_map(IN_METRES))
    write_type(tmp_path, "acme-w1", WITH_RAIN, weather_map(WITH_RAIN))
    (tmp_path / "acme-plain.js").write_text(IN_METRES)
    types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))
    assert {"acme-l1", "acme-w1", "acme-plain", "decentlab-dl-tbrg"} <= set(types)
    level, weather, plain = types["acme-l1"], types["acme-w1"], types["acme-plain"]
    assert (level.name_de, level.theme, level.interval_s) == ("Pegelsonde", "level", 600)
    assert (level.properties, level.required) == (("water_distance", "battery_level"), {"water_distance"})
    assert (weather.theme, weather.wraps) == ("rain", {"precipitation_total": 167772.16})
    assert level.sandboxed
    assert not types["decentlab-dl-tbrg"].sandboxed
    assert level.decode(85, LEVEL_PAYLOAD) == (
        Measurement("water_distance", 30.0),
        Measurement("battery_level", 100.0),
    )
    [found] = plain.decode_many([Frame(85, LEVEL_PAYLOAD)])
    assert (found.measurements, dict(found.unmapped)) == ((), {"battery": 100, "distance": 0.03})
    [rain] = weather.decode_many([Frame(85, WEATHER_PAYLOAD)])
    assert Measurement("precipitation_total", 50.05) in rain.measurements
    assert rain.unmapped["rainfall_counter"] == 37


def test_rain_that_a_codec_drops_without_a_word_is_told(tmp_path, sandbox):
    write_type(tmp_path, "acme-w1", WITHOUT_RAIN, weather_map(WITHOUT_RAIN))
    [found] = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))["acme-w1"].decode_many(
        [Frame(85, WEATHER_PAYLOAD)]
    )
    assert [each.property for each in found.measurements] == ["air_temperature"]
    assert found.warnings == ("required precipitation_total is missing",)


def test_what_a_codec_does_wrong_is_a_reason(tmp_path, sandbox):
    bodies = {
        "acme-error": "return {errors: ['wrong port', 'and more']}",
        "acme-throw": "throw new Error('boom')",
        "acme-loop": "while (true) {}",
        "acme-text": "return {data: 'text'}",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.js").write_text(f"function decodeUplink(input) {{ {body} }}")
    types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))
    found = {name: types[name].decode(1, b"\x01") for name in bodies}
    assert all(isinstance(each, Rejected) and each.detail for each in found.values())
    assert {name: each.reason for name, each in found.items()} == {
        "acme-error": "codec_error",
        "acme-throw": "codec_error",
        "acme-loop": "codec_timeout",
        "acme-text": "codec_error",
    }
    assert found["acme-error"].detail == "wrong port; and more"
    with pytest.raises(DeviceTypeError, match="only reads"):
        types["acme-error"].encode(1, {})


def test_frames_come_back_in_their_order(tmp_path, sandbox):
    write_type(tmp_path, "acme-l1", IN_METRES, level_map(IN_METRES))
    level = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox))["acme-l1"]
    frames = [Frame(85, bytes([3, 0x82, each, 0])) for each in range(100)]
    found = level.decode_many(frames)
    assert all(isinstance(each, Decoded) for each in found)
    assert [each.measurements[0].value for each in found] == list(range(100))
    assert level.decode_many([]) == []


def test_the_maps_hash_must_be_the_codecs(tmp_path, sandbox):
    write_type(tmp_path, "acme-l1", IN_MILLIMETRES, level_map(IN_METRES))
    [(key, problem, remedy)] = faults(load_catalogue, tmp_path, scripts=JavascriptTypes(sandbox))
    assert key == "codec_sha256"
    assert sha256(IN_MILLIMETRES) in problem
    line = f'codec_sha256 = "{sha256(IN_MILLIMETRES)}"'
    assert remedy == f"see that each field still means the same, then write {line}"
    write_type(tmp_path, "acme-l1", IN_METRES, level_map(IN_METRES).replace("codec_sha256", "#"))
    [(key, problem, remedy)] = faults(load_catalogue, tmp_path, scripts=JavascriptTypes(sandbox))
    assert (key, problem) == ("codec_sha256", "is missing")
    assert sha256(IN_METRES) in remedy


@pytest.mark.parametrize(
    "written",
    [
        '"{hash}"',
        '"{upper}"',
        '" {hash} "',
        '"12"',
        '"sha256:{hash}"',
        '"{hash}0"',
        '"{short}"',
        "{hash}",
        "x{hash}",
        "5",
        "true",
        '["{hash}"]',
        '"{hash}',
        "",
    ],
)
def test_a_hash_of_the_wrong_form_is_told_which_one_to_write(tmp_path, sandbox, written):
    known = sha256(IN_METRES)
    line = f"codec_sha256 = {written.format(hash=known, upper=known.upper(), short=known[:63])}"
    map_ = level_map(IN_METRES).replace(f'codec_sha256 = "{known}"', line)
    assert line in map_
    write_type(tmp_path, "acme-l1", IN_METRES, map_)
    scripts = JavascriptTypes(sandbox)
    if written in {'"{hash}"', '"{upper}"', '" {hash} "'}:
        assert load_catalogue(tmp_path, scripts=scripts)["acme-l1"].properties
        return
    with pytest.raises(DeviceTypeError) as caught:
        load_catalogue(tmp_path, scripts=scripts)
    [fault] = caught.value.faults
    assert fault.file == str(tmp_path / "acme-l1.toml")
    assert fault.key == "codec_sha256"
    assert f'codec_sha256 = "{known}"' in fault.remedy


def test_a_map_of_a_repositorys_codec_is_told_its_hash(tmp_path, sandbox):
    (tmp_path / "acme-l1.toml").write_text('codec = "acme/l1"\ncodec_sha256 = "abc"\n')
    scripts = JavascriptTypes(sandbox, repository=Repository(acme_l1=IN_METRES))
    [(key, problem, remedy)] = faults(load_catalogue, tmp_path, scripts=scripts)
    assert (key, problem) == ("codec_sha256", "'abc' is no SHA-256 in hex")
    assert f'codec_sha256 = "{sha256(IN_METRES)}"' in remedy


def test_a_wrong_hash_beside_what_is_in_force_is_activated_and_no_fault(tmp_path, sandbox):
    folder, shelf = tmp_path / "types", Shelf(tmp_path / "codecs")
    shelf.activate("acme-l1", Pair(IN_METRES, level_map(IN_METRES)))
    for pinned in ("", "12", "0" * 64):
        map_ = level_map(IN_METRES).replace(sha256(IN_METRES), pinned)
        write_type(folder, "acme-l1", IN_METRES, map_)
        scripts = JavascriptTypes(sandbox, shelf=shelf)
        assert load_catalogue(folder, scripts=scripts)["acme-l1"].properties
        assert scripts.candidates["acme-l1"].pair.map == map_
        assert "stadtfunk codecs activate acme-l1" in scripts.held["acme-l1"]


def test_the_hash_of_a_type_is_the_same_at_every_start(tmp_path):
    more = 'property = "water_distance"\nsentinels = ["none", "fault", "far", 65535]\nrequired = true'
    map_ = level_map(IN_METRES).replace('property = "water_distance"', more.removesuffix("\nrequired = true"))
    write_type(tmp_path, "acme-l1", IN_METRES, map_.replace('\nunit = "%"', '\nunit = "%"\nrequired = true'))
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from devices.catalogue import load_catalogue\n"
        "from devices.javascript.sandbox import Sandbox\n"
        "from devices.javascript.type_files import JavascriptTypes\n"
        "scripts = JavascriptTypes(Sandbox())\n"
        "print(load_catalogue(Path(sys.argv[1]), scripts=scripts)['acme-l1'].sha256)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in range(4)
    }
    assert len(seen) == 1


def test_every_fault_of_every_file_is_named_at_once(tmp_path, sandbox):
    write_type(tmp_path, "acme-l1", IN_METRES, level_map(IN_METRES, unit="kPa"))
    write_type(tmp_path, "acme-other", WITH_RAIN, weather_map(WITH_RAIN))
    (tmp_path / "acme-alone.toml").write_text('maker = "Acme"\nmodel = "Alone"\n')
    (tmp_path / "acme-far.toml").write_text('codec = "acme/far"\n')
    (tmp_path / "Acme X.js").write_text("")
    write_type(tmp_path, "acme-bare", IN_METRES, 'maker = "Acme"\nmodel = "Bare"\n')
    found = faults(load_catalogue, tmp_path, scripts=JavascriptTypes(sandbox))
    assert [(key, problem) for key, problem, _ in found] == [
        ("codec", "no acme-alone.js beside it"),
        ("codec_sha256", "is missing"),
        ("interval_s", "is missing"),
        ("names", "is missing"),
        ("codec", "there is no device repository"),
        ("field.0 (distance).unit", "kPa cannot become mm, the unit of water_distance"),
        ("file", "file name and id acme-w1 differ"),
        ("file", "Acme X is no type's id"),
    ]


def test_a_repositorys_codec_takes_its_meaning_from_a_few_lines(tmp_path, sandbox):
    (tmp_path / "acme-l1.toml").write_text(
        f'codec = "acme/l1@2.0"\ncodec_sha256 = "{sha256(IN_METRES)}"\n'
        '[[field]]\npath = "distance"\nproperty = "water_distance"\nunit = "m"\n'
    )
    scripts = JavascriptTypes(sandbox, repository=Repository(acme_l1=IN_METRES, acme_w_1=WITH_RAIN))
    types = load_catalogue(tmp_path, scripts=scripts)
    level = types["acme-l1"]
    assert (level.maker, level.model, level.theme, level.f_ports) == ("acme", "l1", "level", (85,))
    assert level.decode(85, LEVEL_PAYLOAD) == (Measurement("water_distance", 30.0),)
    # one without a map is there when somebody installs it, and keeps everything
    assert "acme-w-1" not in list(types)
    assert "acme-w-1" in types
    [found] = types["acme-w-1"].decode_many([Frame(85, WEATHER_PAYLOAD)])
    assert found.measurements == ()
    assert found.unmapped["rainfall_total"] == 50.05
    assert types.get("acme-nothing") is None
    row = {"dev_eui": "a84041ffff000001", "station": "s", "lat": 51.0, "lon": 7.0}
    assert load_registry(None, [{**row, "type": "acme-w-1"}], catalogue=types).devices
    with pytest.raises(RegistryError, match="unknown type acme-nothing"):
        load_registry(None, [{**row, "type": "acme-nothing"}], catalogue=types)


def test_our_own_type_wins(tmp_path, sandbox):
    repository = Repository(decentlab_dl_tbrg=IN_METRES)
    (tmp_path / "decentlab-dl-tbrg.js").write_text(IN_METRES)
    types = load_catalogue(tmp_path, scripts=JavascriptTypes(sandbox, repository=repository))
    assert not types["decentlab-dl-tbrg"].sandboxed


def test_a_changed_codec_is_not_in_force_by_itself(tmp_path, sandbox):
    folder, shelf = tmp_path / "types", Shelf(tmp_path / "codecs")

    def load():
        scripts = JavascriptTypes(sandbox, shelf=shelf)
        level = load_catalogue(folder, scripts=scripts)["acme-l1"]
        scripts.keep()
        [distance] = [m.value for m in level.decode(85, LEVEL_PAYLOAD) if m.property == "water_distance"]
        return distance, scripts.held.get("acme-l1", "")

    write_type(folder, "acme-l1", IN_METRES, level_map(IN_METRES))
    assert load() == (30, "")
    assert shelf.activated("acme-l1") == Pair(IN_METRES, level_map(IN_METRES))
    # the text alone, then the map with it as well: the old pair stays
    (folder / "acme-l1.js").write_text(IN_MILLIMETRES)
    assert load() == (
        30,
        (
            f"the codec's text has changed; {sha256(IN_METRES)[:12]} stays in force until "
            "`stadtfunk codecs activate acme-l1`"
        ),
    )
    write_type(folder, "acme-l1", IN_MILLIMETRES, level_map(IN_MILLIMETRES, unit="mm"))
    distance, held = load()
    assert (distance, bool(held)) == (30, True)
    shelf.activate("acme-l1", Pair(IN_MILLIMETRES, level_map(IN_MILLIMETRES, unit="mm")))
    assert load() == (30, "")
    # a corrected map of the codec in force is in force at once
    write_type(folder, "acme-l1", IN_MILLIMETRES, level_map(IN_MILLIMETRES, unit="cm"))
    assert load() == (300, "")
    assert shelf.activated("acme-l1").map == level_map(IN_MILLIMETRES, unit="cm")
    # back to the first text, with a map for another
    (folder / "acme-l1.js").write_text(IN_METRES)
    assert load()[0] == 300


@pytest.mark.parametrize(
    ("breaks", "why"),
    [
        (lambda folder: (folder / "acme-l1.js").unlink(), "no acme-l1.js beside it"),
        (lambda folder: (folder / "acme-l1.js").write_bytes(b"\xff\xfe"), "acme-l1.js"),
        (lambda folder: (folder / "acme-l1.toml").write_text("maker = "), "not TOML"),
        (lambda folder: (folder / "acme-l1.toml").unlink(), "no acme-l1.toml any more"),
        (lambda folder: [each.unlink() for each in folder.iterdir()], "files are gone"),
    ],
)
def test_what_was_activated_outlives_its_files(tmp_path, sandbox, breaks, why):
    folder, shelf = tmp_path / "types", Shelf(tmp_path / "codecs")
    write_type(folder, "acme-l1", IN_METRES, level_map(IN_METRES))
    first = JavascriptTypes(sandbox, shelf=shelf)
    load_catalogue(folder, scripts=first)
    first.keep()
    breaks(folder)
    scripts = JavascriptTypes(sandbox, shelf=shelf)
    level = load_catalogue(folder, scripts=scripts)["acme-l1"]
    assert [m.value for m in level.decode(85, LEVEL_PAYLOAD) if m.property == "water_distance"] == [30]
    assert why in scripts.held["acme-l1"]
    with pytest.raises(KeyError):
        load_catalogue(folder, scripts=scripts)["../acme-l1"]


def test_a_damaged_shelf_is_a_fault_and_no_other_codec(tmp_path, sandbox):
    shelf = Shelf(tmp_path / "codecs")
    write_type(tmp_path / "types", "acme-l1", IN_METRES, level_map(IN_METRES))
    shelf.activate("acme-l1", Pair(IN_METRES, level_map(IN_METRES)))
    for damage in ("changed", None):
        script = shelf.folder / f"{sha256(IN_METRES)}.js"
        script.unlink() if damage is None else script.write_text(damage)
        [(_, problem, _)] = faults(
            load_catalogue, tmp_path / "types", scripts=JavascriptTypes(sandbox, shelf=shelf)
        )
        assert problem.startswith("is damaged")


def test_what_is_activated_while_it_is_loaded_comes_from_the_shelf_alone(tmp_path, sandbox):
    folder, shelf = tmp_path / "types", Shelf(tmp_path / "codecs")
    write_type(folder, "acme-l1", IN_METRES, level_map(IN_METRES))
    scripts = JavascriptTypes(sandbox, shelf=shelf)
    assert scripts.activated("acme-l1") is None
    types = load_catalogue(folder, scripts=scripts)
    assert shelf.marks() == {}
    scripts.keep()
    marks = shelf.marks()
    assert marks.keys() == {"acme-l1"}
    assert scripts.activated("acme-l1") is None, "it is in force already"
    # whatever lies in the files
    write_type(folder, "acme-l1", "no script", "no map")
    scripts.held["acme-l1"] = "another text"
    shelf.activate("acme-l1", Pair(IN_MILLIMETRES, level_map(IN_MILLIMETRES, unit="cm")))
    assert shelf.marks() != marks
    level = scripts.activated("acme-l1")
    assert [m.value for m in level.decode(85, LEVEL_PAYLOAD) if m.property == "water_distance"] == [300]
    assert (scripts.activated("acme-l1"), scripts.held) == (None, {})
    # what cannot be used is said, and is tried again
    shelf.activate("acme-l1", Pair(IN_MILLIMETRES, level_map(IN_MILLIMETRES, unit="kPa")))
    for _ in range(2):
        with pytest.raises(DeviceTypeError, match="kPa cannot become mm"):
            scripts.activated("acme-l1")
    # in a catalogue: of this type the new one, of all others the same objects; of its joined ones too
    joined = types.joined({"neighbour": types["decentlab-dl-tbrg"]})
    before = dict(joined)
    types.renew(types.joined({"acme-l1": level}))
    joined.renew(types.joined({}))
    assert joined["acme-l1"] is types["acme-l1"] is level
    assert {id_ for id_, each in joined.items() if each is not before[id_]} == {"acme-l1"}
    assert list(joined) == sorted(before)


def test_a_map_of_the_repository_activated_while_it_is_loaded(tmp_path, sandbox):
    shelf = Shelf(tmp_path / "codecs")
    scripts = JavascriptTypes(sandbox, shelf=shelf, repository=Repository(acme_l1=IN_METRES))
    types = load_catalogue(scripts=scripts)
    assert types["acme-l1"].properties == ()
    given = level_map(IN_METRES, more='codec = "acme/l1"')
    shelf.activate("acme-l1", Pair(IN_METRES, given))
    types.renew(types.joined({"acme-l1": scripts.activated("acme-l1")}))
    assert types["acme-l1"].properties == ("water_distance", "battery_level")
