"""Which types read an unknown device's payloads: the right one is never behind a worse one."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from devices.catalogue import load_catalogue
from devices.decoded import Frame, decode_each
from devices.guess import MOST_FRAMES, Search, Unread, guess
from devices.measurement import Measurement, Quality, Rejected

CATALOGUE = load_catalogue()
TYPES = list(CATALOGUE.values())
MBX = CATALOGUE["decentlab-dl-mbx"]
LEVEL = Frame(1, bytes.fromhex("02012f000304d200010bb1"))  # 1234 mm, shared/domain/lorawan.md


def _plain(type_):
    """The payloads of a type's vectors whose values are all there and within limits."""
    return [
        Frame(vector.fPort, vector.payload)
        for vector in type_.vectors
        if vector.expected and all(isinstance(value, int | float) for value in vector.expected.values())
    ]


def ids(guesses):
    return [each.type.id for each in guesses]


@pytest.mark.parametrize("type_", [each for each in TYPES if _plain(each)], ids=lambda each: each.id)
def test_what_a_type_sends_leads_to_it(type_):
    """Among the first three, of which others may read so few bytes as well; with its name, first alone."""
    found = {each.type.id: each for each in guess(_plain(type_), TYPES)}
    assert sum(each.fit > found[type_.id].fit for each in found.values()) < 3
    assert (found[type_.id].failed, found[type_.id].missing) == (0, 0)
    for frame in _plain(type_):
        assert type_.id in ids(guess([frame], TYPES))
        assert ids(guess([frame], TYPES, [f"Pegel 7 {type_.maker} {type_.model}"]))[0] == type_.id


@st.composite
def _sent(draw):
    """A type and some of its own payloads, every value within the sensor's limits."""
    type_ = draw(st.sampled_from(TYPES))
    frames = []
    for _ in range(draw(st.integers(1, 4))):
        f_port = draw(st.sampled_from(type_.f_ports or (1,)))
        always, *optional = draw(st.sampled_from(type_.codec.variants(f_port)))
        optional = [group for group in optional if not any(each.clock for each in group)]
        chosen = [group for group in optional if draw(st.booleans())]
        if not always and not chosen:
            assume(optional)  # a port that only brings what was logged has no value of now
            chosen = optional[:1]
        values = {}
        for readout in (*always, *(each for group in chosen for each in group)):
            if readout.floating:
                low, high = max(readout.low, -1e6), min(readout.high, 1e6)
                share = draw(st.floats(0.01, 0.99))  # not at the limits: 32 bits round
                values[readout.key] = low + share * (high - low)
                continue
            raws = (
                st.sampled_from(sorted(readout.lookup))
                if readout.lookup is not None
                else st.integers(int(readout.raw_low), int(readout.raw_high))
            )
            raw = draw(raws)
            if raw not in readout.sentinels and readout.low <= readout.value(raw) <= readout.high:
                values[readout.key] = readout.value(raw)
            else:
                values[readout.key] = None if readout.sentinels else readout.value(raw)
        frames.append(Frame(f_port, type_.encode(f_port, values)))
    return type_, list(dict.fromkeys(frames))  # said twice is said once


@given(sent=_sent())
@settings(max_examples=150, deadline=None)
def test_any_believable_payloads_of_a_type_are_read_by_it(sent):
    type_, frames = sent
    own = [each.quality for frame in frames for each in type_.decode(frame.f_port, frame.payload)]
    good, failed = own.count(Quality.GOOD), own.count(Quality.FAIL)
    found = guess(frames, TYPES)
    if good and good >= failed:
        assert type_.id in ids(found)
        assert ids(guess(frames, TYPES, [type_.model]))[0] == type_.id
    else:
        assert type_.id not in ids(found)
    for each in found:
        assert all(isinstance(each.type.decode(f.f_port, f.payload), tuple) for f in frames), "reads ALL"
        assert each.readings > 0
        assert 0 <= each.fit <= 1
    assert sorted(ids(guess(list(reversed(frames)), TYPES))) == sorted(ids(found))


@given(st.lists(st.builds(Frame, st.integers(0, 255), st.binary(max_size=60)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_judged(frames):
    for each in guess(frames, TYPES, ["\u0000", "Milesight"]):
        assert each.reason
        assert 0 <= each.fit <= 1


def test_one_payload_that_it_rejects_rules_a_type_out():
    assert MBX.id in ids(guess([LEVEL], TYPES))
    assert MBX.id not in ids(guess([LEVEL, Frame(1, LEVEL.payload[:-1])], TYPES))
    assert MBX.id not in ids(guess([LEVEL, Frame(2, LEVEL.payload)], TYPES)), "the port counts"


def test_values_outside_the_limits_count_against_a_type():
    good, near = LEVEL, Frame(1, bytes.fromhex("02012f00030028000b0bb1"))  # 40 mm: nearer than it can measure
    [both] = [each for each in guess([good, near], TYPES) if each.type is MBX]
    [alone] = [each for each in guess([good], TYPES) if each.type is MBX]
    assert (both.failed, alone.failed) == (1, 0)
    assert both.fit < alone.fit
    assert "5 of 6 values are within the sensor's limits" in both.reason
    # all its values outside: not plausible at all
    nothing = Frame(1, bytes.fromhex("0212340003ffffffffffff"))
    assert MBX.id not in ids(guess([nothing], TYPES))


def test_a_type_that_reads_anything_ranks_low_and_says_so():
    [counter] = [each for each in guess([Frame(1, b"\x06\xaa")], TYPES) if each.type.id == "nwave-ncc405"]
    assert counter.strictness == 0
    assert "100 % of random payloads of this length would pass as well" in counter.reason
    [level] = [each for each in guess([LEVEL], TYPES) if each.type is MBX]
    assert level.strictness == 1
    assert "no random payload" in level.reason


def test_equal_payloads_count_once_and_only_the_newest_are_looked_at():
    assert guess([LEVEL] * 500, TYPES)[0].frames == 1
    old = [Frame(1, b"\xff\xff\xff")]
    many = [
        Frame(1, LEVEL.payload[:3] + bytes([0, 3]) + bytes([4, n]) + b"\x00\x01\x0b\xb1") for n in range(60)
    ]
    found = guess([*many, *old], TYPES)
    assert ids(found)[0] == MBX.id
    assert found[0].frames == MOST_FRAMES


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["EM310-UDL Strunde 3"], "model"),
        (["milesight_em310_udl"], "model"),
        (["em310 udl"], "model"),
        (["", "Milesight"], "maker"),
        (["EM310-UDLX"], ""),
        (["Pegel Strunde"], ""),
    ],
)
def test_what_the_network_server_calls_it_counts(words, named):
    frame = Frame(85, bytes.fromhex("01755c03824408040001"))
    [found] = [each for each in guess([frame], TYPES, words) if each.type.id == "milesight-em310-udl"]
    assert found.named == named


class _Script:
    """A codec that is no field table, as a maker's script is."""

    def __init__(self):
        self.asked = 0

    def decode(self, _port, payload):
        self.asked += 1
        if len(payload) != 4:
            return Rejected("bad_payload", "four bytes")
        return (Measurement("air_temperature", float(payload[0])),)

    def decode_many(self, frames, **_):
        return decode_each(self.decode, frames)

    def encode(self, _port, _values):
        raise NotImplementedError


def test_a_script_is_tried_only_where_it_is_named():
    codec = _Script()
    scripted = replace(MBX, id="acme-t1", maker="Acme", model="T-1", codec=codec)
    frame = Frame(7, b"\x10\x00\x00\x00")
    assert guess([frame], [*TYPES, scripted], ["Sensor 5"]) == []
    assert codec.asked == 0
    assert ids(guess([frame], [*TYPES, scripted], ["acme t1 im Keller", "T-1"])) == ["acme-t1"]


def test_no_payload_no_guess():
    assert guess([], TYPES) == []


class _Slow(_Script):
    """A script that runs into a time limit with payloads that begin with a byte in `loops`."""

    def __init__(self, *loops):
        super().__init__()
        self.loops = loops
        self.tried = []

    def decode(self, port, payload):
        self.tried.append(payload)
        if payload[0] in self.loops:
            return Rejected("codec_timeout", "no answer within 0.5 s")
        return super().decode(port, payload)


def _sends(*firsts):
    return [Frame(7, bytes([each, 0, 0, 0])) for each in firsts]


def _scripted(codec, **changed):
    return replace(MBX, **{"id": "acme-t1", "maker": "Acme", "model": "T-1", "codec": codec, **changed})


def test_a_script_that_loops_is_out_with_the_first_payload_that_it_does_not_read():
    codec = _Slow(3)
    assert guess(_sends(1, 2, 3, 4, 5), [_scripted(codec)], ["T-1"]) == []
    assert [each[0] for each in codec.tried] == [1, 2, 3]


def test_a_script_that_loops_with_random_payloads_is_asked_once_and_believed_less():
    codec = _Slow(*range(100, 256))
    [found] = guess(_sends(1, 2), [_scripted(codec)], ["T-1"])
    assert sum(each[0] >= 100 for each in codec.tried) <= 2, "among the random ones, and among the changed"
    [plain] = guess(_sends(1, 2), [_scripted(_Slow())], ["T-1"])
    assert found.fit <= plain.fit


def test_a_search_stops_between_two_payloads_and_goes_on_where_it_ended():
    codec = _Slow()
    search = Search(_sends(*range(9)), [*TYPES, _scripted(codec)], ["T-1"])
    rests = []
    while search.untried:
        before = len(codec.tried)
        steps = iter((False,))
        search.go_on(lambda steps=steps: next(steps, True))
        assert len(codec.tried) - before <= 1, "one step, one payload of a script"
        rests.append(search.untried)
    assert len(rests) > 9 + 48
    assert rests == sorted(rests, reverse=True)
    # nothing was run twice, and the answer is that of one go
    whole = _Slow()
    assert ids(search.found) == ids(guess(_sends(*range(9)), [*TYPES, _scripted(whole)], ["T-1"]))
    assert codec.tried == whole.tried


def test_tables_are_tried_before_scripts_and_the_named_model_before_its_maker():
    asked = []

    class Noting(_Script):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def decode(self, port, payload):
            asked.append(self.name)
            return super().decode(port, payload)

    other, named = Noting("other"), Noting("named")
    types = [_scripted(other, id="acme-a", model="A-9"), _scripted(named), MBX]
    search = Search(_sends(1), types, ["acme T-1"])
    search.go_on()
    assert asked[0] == "named"
    assert set(asked) == {"named", "other"}


def test_what_a_script_did_not_read_is_not_run_again():
    codec, unread = _Slow(9), Unread()
    type_ = _scripted(codec)
    short = Frame(7, b"\x01")
    for frames in ([short], [*_sends(1), short], [*_sends(2, 1), short]):
        search = Search(frames, [type_], ["T-1"], unread)
        search.go_on()
        assert search.found == []
    assert codec.tried == [short.payload], "once, whatever came later"
    Search(_sends(9), [type_], ["T-1"], unread).go_on()
    Search(_sends(9), [type_], ["T-1"], unread).go_on()
    assert [each[0] for each in codec.tried].count(9) == 2, "a limit may be the machine's fault"


def test_only_so_much_is_remembered():
    unread = Unread(most=2)
    for frame in _sends(1, 2, 3):
        unread.add(MBX, frame)
    assert not unread.among(MBX, _sends(1))
    assert unread.among(MBX, _sends(1, 3))


def test_a_type_that_skips_most_of_a_payload_stands_behind_one_that_reads_it():
    """Elsys' frame ends at the first tag it does not know: it takes two bytes of Decentlab's, and no more."""
    found = {each.type.id: each for each in guess([LEVEL], TYPES)}
    assert found["elsys-ers-co2"].heeded < 0.5 < found[MBX.id].heeded
    assert found["elsys-ers-co2"].fit < found[MBX.id].fit
    assert "% of the bytes count" in found[MBX.id].reason


LABEL_DECIDES = {
    "decentlab-dl-pr36ctd": "its vectors hold many values outside the limits, which a rain gauge also takes",
    "dingtek-dc413": "the same layout as the manhole sensor of its maker, which reads two values more",
    "dragino-llds12": "the same layout as the soil sensor of its maker, whose limits are wider",
    "dragino-lwl03a": "it looks at a sixth of its bytes, the soil sensor of its maker at more of them",
}


@pytest.mark.parametrize("type_", TYPES, ids=lambda each: each.id)
def test_of_what_its_own_vectors_hold_a_type_is_the_best_guess(type_):
    """Without any word of the network server, values at and outside the limits included."""
    frames = [Frame(each.fPort, each.payload) for each in type_.vectors if each.expected]
    found = ids(guess(frames, TYPES))
    assert type_.id in found
    place = found.index(type_.id)
    assert place == (1 if type_.id in LABEL_DECIDES else 0)
