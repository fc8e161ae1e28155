"""What the codec said beside the readings follows the codec as well: operators see the present one."""

import json
from types import SimpleNamespace

import pytest
from reprocessed_city import EUIS, PROPERTIES, T0, City, S, uplink

from devices.decoded import Decoded
from devices.measurement import Measurement, Quality, Rejected
from devices.registry import InstalledDevice, Registry
from ingest.decoding import Decoding
from ingest.journal import Accepted
from ingest.reprocess import Reprocess, Selection
from ingest.reprocess_report import Report
from ingest.settling import Settling

LEVEL = PROPERTIES[0]


def saying(*warnings, value=1.0, unmapped=None, age_s=0, rejected=None):
    """A sandboxed codec that says the same of every frame."""
    measured = Measurement(LEVEL, value, Quality.GOOD, "", T0 - age_s * S if age_s else None)
    said = rejected or Decoded((measured,), unmapped or {}, warnings)
    toy = SimpleNamespace(id="toy", decode_many=lambda frames, **_: [said for _ in frames], sandboxed=True)
    devices = {EUIS[0]: InstalledDevice(EUIS[0], "toy", "s")}
    return Decoding(SimpleNamespace(current=Registry(devices, {})), {"toy": toy}, sandbox_s=60)


def plain():
    """The same device, read by a type without a sandbox: it says nothing beside."""
    toy = SimpleNamespace(decode=lambda *_: (Measurement(LEVEL, 1.0),), sandboxed=False, dates=False)
    devices = {EUIS[0]: InstalledDevice(EUIS[0], "toy", "s")}
    return Decoding(SimpleNamespace(current=Registry(devices, {})), {"toy": toy})


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path)
    yield city
    city.close()


def record(city, decoding, count=3):
    read = decoding.readings_of([uplink(n) for n in range(1, count + 1)])
    city.journal.append([Accepted(*each, ()) for each in read])
    city.drain()


def reprocess(city, decoding, **more):
    work = Reprocess(city.journal, decoding, Selection(), young_us=T0, patience_s=0.0, page=2, **more)
    return work.run(city.book, "run", "", Settling(city.journal, city.store, city.book)).report


def notes(city):
    return [
        json.loads(each.codec_notes) if each.codec_notes else None for _, each, _ in city.journal.uplinks()
    ]


def test_other_warnings_and_fields_with_the_same_readings(city):
    record(city, saying("unknown channel f0f", unmapped={"x": 1}))
    stored = city.stored()
    report = reprocess(city, saying("low battery", unmapped={"y": 2}))
    assert notes(city) == [{"unmapped": {"y": 2}, "warnings": ["low battery"]}] * 3
    assert report == Report(uplinks=3, noted=3)
    assert city.stored() == stored
    assert reprocess(city, saying("low battery", unmapped={"y": 2})) == Report(uplinks=3)


def test_other_readings_and_nothing_more_to_say(city):
    record(city, saying("unknown channel f0f"))
    report = reprocess(city, saying(value=10.0))
    assert notes(city) == [None] * 3
    assert (report.noted, report.changed) == (3, 3)
    assert {row[5] for row in city.stored()} == {10.0}


def test_a_type_without_a_sandbox_takes_the_place_of_one(city):
    record(city, saying("unknown channel f0f"))
    assert reprocess(city, plain()).noted == 3
    assert notes(city) == [None] * 3


def test_the_payload_dates_its_values_now(city):
    record(city, saying())
    assert notes(city) == [None] * 3
    reprocess(city, saying(age_s=60))
    assert notes(city) == [{"unmapped": {}, "warnings": [], "time_source": "payload"}] * 3
    reprocess(city, saying())
    assert notes(city) == [None] * 3


def test_why_an_uplink_decodes_no_longer(city):
    record(city, saying("unknown channel f0f"))
    report = reprocess(city, saying(rejected=Rejected("unknown_frame", "port 1")))
    assert (report.rejected, report.noted) == (3, 3)
    assert notes(city) == [{"unmapped": {}, "warnings": ["unknown_frame: port 1"]}] * 3
    report = reprocess(city, saying(rejected=Rejected("bad_payload", "too short")))
    assert (report.rejected, report.noted) == (0, 3)
    assert notes(city) == [{"unmapped": {}, "warnings": ["bad_payload: too short"]}] * 3
    # a fault of ours says nothing about the payload
    assert reprocess(city, saying(rejected=Rejected("codec_timeout", "0.5 s"))).kept == 3
    assert notes(city)[0]["warnings"] == ["bad_payload: too short"]
    reprocess(city, saying("unknown channel f0f"))
    assert notes(city)[0]["warnings"] == ["unknown channel f0f"]
    assert len(city.stored()) == 3


def test_dry_run_counts_them_and_changes_nothing(city):
    record(city, saying("one"))
    work = Reprocess(city.journal, saying("two"), Selection(), young_us=T0)
    assert work.preview().report == Report(uplinks=3, noted=3)
    assert notes(city)[0]["warnings"] == ["one"]
