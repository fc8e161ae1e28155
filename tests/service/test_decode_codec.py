"""`stadtfunk decode --codec FILE.js`, as a person and as a program use it."""

import json
import subprocess
import sys

import pytest

CODEC = """
function decodeUplink(input) {
  if (input.bytes[0] === 99) for (;;);
  if (input.bytes[0] === 98) return { data: { a: new Uint8Array(1e9) } };
  if (input.fPort === 2) return { errors: ["configuration frame"] };
  const sum = input.bytes.reduce((a, b) => a + b, 0);
  return { data: { sum, at: input.recvTime.toISOString() }, warnings: ["w"] };
}
"""
AT = "2026-11-30T06:00:00+01:00"


@pytest.fixture
def start(tmp_path):
    file = tmp_path / "codec.js"
    file.write_text(CODEC)
    running = []

    def begin(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "stadtfunk", "decode", *(arguments or ("--codec", str(file)))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def line(hex_, port=1, at=AT):
    return json.dumps({"fPort": port, "bytes": hex_, "recvTime": at}) + "\n"


def test_a_line_in_is_a_line_out_in_order_also_after_a_kill(start):
    process = start()
    lines = [
        line("0102"),
        line("63"),
        line("62"),
        line("05", 2),
        line("ff"),
        "no json\n",
        line("zz"),
        line("01"),
    ]
    out, err = process.communicate("".join(lines), timeout=60)
    answers = [json.loads(each) for each in out.splitlines()]
    assert process.returncode == 0, err
    sum_ = {"data": {"sum": 3, "at": "2026-11-30T05:00:00.000Z"}, "warnings": ["w"], "errors": []}
    assert answers[0] == sum_
    assert [each["data"] is None for each in answers] == [False, True, True, True, False, True, True, False]
    assert answers[1]["errors"][0].startswith("timeout:")
    assert answers[2]["errors"][0].startswith("memory:")
    assert answers[3] == {"data": None, "warnings": [], "errors": ["configuration frame"]}
    assert answers[5]["errors"][0].startswith("bad line: no JSON")
    assert answers[6]["errors"][0].startswith("bad line: bytes")
    assert all(len(each["errors"]) == 1 for each in answers if each["data"] is None)


def test_each_answer_comes_before_the_next_line_goes(start):
    process = start()
    for number in range(3):
        process.stdin.write(line(f"{number:02x}"))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["data"]["sum"] == number


@pytest.mark.parametrize(
    "arguments",
    [
        ("--codec", "there-is-none.js"),
        ("--codec", "x.js", "--fport", "1", "00"),
        ("--type", "decentlab-dl-tbrg"),
        ("--type", "decentlab-dl-tbrg", "--fport", "1"),
        ("--type", "decentlab-dl-tbrg", "--codec", "x.js"),
        (),
    ],
)
def test_what_is_no_command_ends_with_2(start, arguments):
    process = start(*arguments) if arguments else start("--fport", "1")
    out, err = process.communicate("", timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert err.strip()


def test_a_bad_byte_is_a_bad_line_and_not_the_end(tmp_path):
    file = tmp_path / "codec.js"
    file.write_text(CODEC)
    done = subprocess.run(
        [sys.executable, "-m", "stadtfunk", "decode", "--codec", str(file)],
        input=b"\xff\n" + line("0102").encode(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    answers = [json.loads(each) for each in done.stdout.splitlines()]
    assert answers[0]["errors"][0].startswith("bad line")
    assert answers[1]["data"]["sum"] == 3
    assert done.returncode == 0
