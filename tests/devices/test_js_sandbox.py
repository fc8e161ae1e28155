"""Codecs in JavaScript: the shapes makers ship, what they may answer, what they find around them."""

import base64
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.decoded import Frame
from devices.javascript.outcome import Outcome
from devices.javascript.sandbox import Limits, Sandbox, Source
from devices.javascript.warm import warm_differs

T = 1_700_000_000_123_000  # 2023-11-14T22:13:20.123Z
TS013 = "function decodeUplink(input) { return %s; }"


@pytest.fixture(scope="module")
def sandbox():
    # a busy machine is no endless loop: only the hostile ones are held to the usual limit
    with Sandbox(Limits(call_s=10.0)) as sandbox:
        yield sandbox


def ask(sandbox, text, payload=b"\x01\xff", port=7, **options):
    [outcome] = sandbox.run(Source.of(text), [Frame(port, payload, T)], **options)
    return outcome


@pytest.mark.parametrize(
    "text",
    [
        "function decodeUplink(input) { return { data: { bytes: input.bytes, port: input.fPort } }; }",
        "const decodeUplink = (input) => ({ data: { bytes: input.bytes, port: input.fPort } });",
        "exports.decodeUplink = function (i) { return { data: { bytes: i.bytes, port: i.fPort } }; };",
        "module.exports = { decodeUplink: (i) => ({ data: { bytes: i.bytes, port: i.fPort } }) };",
        "var driver = { decodeUplink: (i) => ({ data: { bytes: i.bytes, port: i.fPort } }) };",
        "function Decoder(bytes, port) { return { bytes: bytes, port: port }; }",
        "function Decode(fPort, bytes, variables) { variables.x = 1; return { bytes: bytes, port: fPort }; }",
    ],
)
def test_every_shape_that_makers_ship(sandbox, text):
    assert ask(sandbox, text) == Outcome({"bytes": [1, 255], "port": 7})


def test_ts013_comes_before_the_older_shapes_in_one_script(sandbox):
    text = TS013 % "{ data: { by: 'TS013' } }" + "function Decoder() { return { by: 'TTN' }; }"
    assert ask(sandbox, text).data == {"by": "TS013"}


def test_the_clock_stands_at_the_time_of_receipt(sandbox):
    text = TS013 % (
        "{ data: { recv: input.recvTime.toISOString(), now: Date.now(), made: new Date().getTime(),"
        " other: new Date(2020, 0, 2, 3).getDate(), date: input.recvTime instanceof Date,"
        " utc: Date.UTC(1970, 0, 1) } }"
    )
    assert ask(sandbox, text).data == {
        "recv": "2023-11-14T22:13:20.123Z",
        "now": T // 1000,
        "made": T // 1000,
        "other": 2,
        "date": True,
        "utc": 0,
    }


def test_warnings_and_errors_are_kept_as_texts(sandbox):
    text = TS013 % "{ data: { a: 1 }, warnings: ['low battery', { code: 3 }], errors: [] }"
    assert ask(sandbox, text) == Outcome({"a": 1}, warnings=("low battery", '{"code":3}'))
    assert ask(sandbox, TS013 % "{ errors: ['unknown FPort'] }") == Outcome(None, errors=("unknown FPort",))
    assert ask(sandbox, TS013 % "{ errors: 'just a text' }").errors == ("just a text",)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("throw new Error('too short');", "Error: too short"),
        ("throw 'a text';", "a text"),
        ("throw { code: 5 };", '{"code":5}'),
        ("return nothing.here;", "ReferenceError: nothing is not defined"),
        ("return 5;", "decodeUplink returned no object"),
        ("return [];", "decodeUplink returned no object"),
        ("return {};", "the codec returned no data"),
        ("return { data: [1] };", "the codec returned no data"),
        ("var o = {}; o.o = o; return { data: o };", "TypeError: circular reference"),
        ("return { data: { a: 1n } };", "TypeError: BigInt are forbidden in JSON.stringify"),
        ("return decodeUplink(input);", "RangeError: Maximum call stack size exceeded"),
    ],
)
def test_what_goes_wrong_in_a_codec_is_its_error(sandbox, body, error):
    outcome = ask(sandbox, f"function decodeUplink(input) {{ {body} }}")
    assert outcome == Outcome(None, errors=(error,))


def test_what_json_cannot_say(sandbox):
    text = TS013 % "{ data: { nan: NaN, none: undefined, inf: 1 / 0, text: '3.5', when: new Date(0) } }"
    assert ask(sandbox, text).data == {
        "nan": None,
        "inf": None,
        "text": "3.5",
        "when": "1970-01-01T00:00:00.000Z",
    }


def test_a_script_that_is_none(sandbox):
    assert ask(sandbox, "function decodeUplink( {").errors[0].startswith("SyntaxError")
    assert ask(sandbox, "").errors == ("no decodeUplink, Decoder or Decode in this script",)
    assert ask(sandbox, "\ud800").data is None


def test_sloppy_mode_as_most_published_codecs_need_it(sandbox):
    assert ask(
        sandbox, "function decodeUplink(i) { undeclared = 5; return { data: { undeclared } }; }"
    ).data == {"undeclared": 5}


def test_normalised_where_the_codec_can_and_it_is_wanted(sandbox):
    text = TS013 % "{ data: { t: 21.5 } }" + (
        "function normalizeUplink(input) { return { data: { air: { temperature: input.data.t } } }; }"
    )
    assert ask(sandbox, text).normalized is None
    assert ask(sandbox, text, normalize=True).normalized == {"air": {"temperature": 21.5}}
    assert ask(sandbox, TS013 % "{ data: { t: 1 } }", normalize=True).normalized is None


def test_a_buffer_for_those_that_name_it(sandbox):
    text = TS013 % (
        "{ data: { be: Buffer.from(input.bytes).readInt16BE(0), le: Buffer.from(input.bytes).readUInt16LE(0),"
        " three: Buffer.from('ff0001', 'hex').readIntBE(0, 3),"
        " float: Buffer.from('0000803f', 'hex').readFloatLE(0),"
        " hex: Buffer.from(input.bytes).toString('hex'), text: Buffer.from('Zähler').toString(),"
        " base64: Buffer.from([1, 255]).toString('base64'), back: [...Buffer.from('Af8=', 'base64')],"
        " slice: [...Buffer.from([1, 2, 3]).slice(1)] } }"
    )
    assert ask(sandbox, text).data == {
        "be": 511,
        "le": 65281,
        "three": -65535,
        "float": 1.0,
        "hex": "01ff",
        "text": "Zähler",
        "base64": "Af8=",
        "back": [1, 255],
        "slice": [2, 3],
    }
    assert (
        "beyond"
        not in ask(sandbox, TS013 % "{ data: { beyond: Buffer.from([1]).readUInt16BE(0) } }").errors[0]
    )


@given(st.binary(max_size=40))
def test_base64_and_hex_of_the_buffer_are_those_of_python(sandbox, payload):
    text = TS013 % (
        "{ data: { b: Buffer.from(input.bytes).toString('base64'),"
        " back: Buffer.from(Buffer.from(input.bytes).toString('base64'), 'base64').toString('hex') } }"
    )
    assert ask(sandbox, text, payload).data == {
        "b": base64.b64encode(payload).decode(),
        "back": payload.hex(),
    }


def test_nothing_of_the_host_is_in_reach(sandbox):
    names = [
        "require",
        "process",
        "std",
        "os",
        "fetch",
        "XMLHttpRequest",
        "setTimeout",
        "Deno",
        "print",
        "Worker",
    ]
    text = TS013 % ("{ data: { found: [" + ",".join(f"typeof {name}" for name in names) + "] } }")
    assert set(ask(sandbox, text).data["found"]) == {"undefined"}
    assert ask(sandbox, "import x from 'os'; function decodeUplink() {}").errors[0].startswith("SyntaxError")


def test_one_codec_cannot_touch_another(sandbox):
    bad = "Array.prototype.map = Object.prototype.toString = JSON.stringify = function () { throw 1; };"
    bad += "Object.prototype.polluted = 1; globalThis.Date = null;" + TS013 % "{ data: {} }"
    ask(sandbox, bad)
    good = TS013 % "{ data: { sum: input.bytes.map((b) => b + 1), clean: ({}).polluted === undefined } }"
    assert ask(sandbox, good).data == {"sum": [2, 256], "clean": True}


COUNTING = "var calls = 0;" + TS013 % "{ data: { calls: ++calls } }"


def test_fresh_contexts_forget_and_warm_ones_are_found_out(sandbox):
    frames = [Frame(1, bytes([i]), T) for i in range(3)]
    counted = [each.data["calls"] for each in sandbox.run(Source.of(COUNTING), frames, fresh=True)]
    assert counted == [1, 1, 1]
    assert warm_differs(sandbox, Source.of(COUNTING), frames)
    assert not warm_differs(sandbox, Source.of(TS013 % "{ data: { b: input.bytes } }"), frames)


def test_an_answer_has_a_greatest_length(sandbox):
    assert "too long" in ask(sandbox, TS013 % "{ data: { a: 'x'.repeat(300000) } }").errors[0]


def test_more_frames_than_a_chunk_and_more_codecs_than_are_kept_warm(sandbox):
    source = Source.of(TS013 % "{ data: { b: input.bytes[0] } }")
    frames = [Frame(1, bytes([i % 256]), T) for i in range(333)]
    assert [each.data["b"] for each in sandbox.run(source, frames)] == [i % 256 for i in range(333)]
    for _ in range(2):
        for number in range(80):
            assert ask(sandbox, TS013 % f"{{ data: {{ number: {number} }} }}").data == {"number": number}


def test_many_threads_share_it(sandbox):
    found = {}

    def work(number):
        source = Source.of(TS013 % f"{{ data: {{ n: {number} + input.bytes[0] }} }}")
        found[number] = sandbox.run(source, [Frame(1, bytes([i]), T) for i in range(120)])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert {n: [each.data["n"] for each in found[n]] for n in found} == {
        n: [n + i for i in range(120)] for n in range(4)
    }


def test_it_starts_again_after_somebody_killed_the_worker_but_not_after_stop():
    with Sandbox(Limits(call_s=10.0)) as sandbox:
        assert ask(sandbox, TS013 % "{ data: { a: 1 } }").data == {"a": 1}
        sandbox._worker.process.kill()
        sandbox._worker.process.wait(60)
        assert ask(sandbox, TS013 % "{ data: { a: 2 } }").data == {"a": 2}
        sandbox.stop()
        sandbox.start()
        assert ask(sandbox, TS013 % "{ data: { a: 3 } }").wait_s is not None
        assert sandbox._worker is None


@settings(max_examples=60)
@given(text=st.text(max_size=60), payload=st.binary(max_size=255), port=st.integers(0, 255))
def test_whatever_script_and_payload_there_is_an_answer(sandbox, text, payload, port):
    outcome = ask(sandbox, text, payload, port)
    assert outcome.data is not None or outcome.errors


def test_a_codec_that_is_let_go_of_is_loaded_again_when_it_is_asked(sandbox):
    counting = Source.of("var n = 0; function decodeUplink() { return {data: {n: ++n}}; }")
    other = Source.of("var m = 0; function decodeUplink() { return {data: {m: ++m}}; }")
    sandbox.forget(counting.sha256)
    assert [each.data for each in sandbox.run(counting, [Frame(1, b""), Frame(1, b"")])] == [
        {"n": 1},
        {"n": 2},
    ]
    assert [each.data for each in sandbox.run(other, [Frame(1, b"")])] == [{"m": 1}]
    worker = sandbox._worker
    sandbox.forget(counting.sha256)
    sandbox.forget("no such codec")
    assert [each.data for each in sandbox.run(counting, [Frame(1, b"")])] == [{"n": 1}]
    assert [each.data for each in sandbox.run(other, [Frame(1, b"")])] == [{"m": 2}]
    assert sandbox._worker is worker
    worker.interrupt()
    worker.process.wait()
    sandbox.forget(counting.sha256)
    assert [each.data for each in sandbox.run(counting, [Frame(1, b"")])] == [{"n": 1}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("function decodeUplink() { throw 1; }", ""),
        ("function decodeUplink(", "SyntaxError: "),
        ("var x = 1;", "no decodeUplink, Decoder or Decode in this script"),
        ("for (;;);", "timeout: "),
        ("var a = []; for (;;) a.push(new ArrayBuffer(1 << 24));", "memory: "),
    ],
)
def test_whether_a_script_can_be_loaded_at_all(text, fault):
    good = Source.of("function decodeUplink() { return {data: {x: 1}}; }")
    with Sandbox() as sandbox:
        assert sandbox.load_fault(Source.of(text)).startswith(fault)
        assert bool(sandbox.load_fault(Source.of(text))) == bool(fault)
        assert sandbox.load_fault(good) == ""
        assert sandbox.run(good, [Frame(1, b"")])[0].data == {"x": 1}
    assert sandbox.load_fault(good) == "the sandbox has stopped"
