"""Network servers that send by HTTP, against a service in a process of its own: hostile, cut off, killed."""

import gzip
import json
import resource
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from live_service import LiveService
from servers import wait_for

sys.path.append(str(Path(__file__).parents[1] / "ingest"))

from uplink_messages import EUI, loriot

from ingest.sqlite_journal import SqliteJournal
from stadtfunk.tokens import new_token

CITY = """
[city]
name = "Teststadt"
[[network_server]]
name = "loriot"
kind = "loriot"
push_token = "sha256:{digest}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[[device]]
dev_eui = "{eui}"
type = "decentlab-dl-tbrg"
station = "rain"
lat = 51.0
lon = 7.0
"""


class Door(LiveService):
    def __init__(self, folder):
        self.secret, digest = new_token()
        super().__init__(folder, CITY.format(digest=digest, folder=folder, eui=EUI))
        self.journal = SqliteJournal(folder / "journal.db")

    def close(self):
        super().close()
        self.journal.close()

    def push(self, body, **headers):
        """Status and headers of the answer; 0 where there was none."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/uplinks/loriot", body)
        for name, value in {"authorization": f"Bearer {self.secret}", **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers
        except OSError:
            return 0, {}

    def begin(self, *lines, token=None):
        """A request of which so much is sent: the socket."""
        wire = socket.create_connection(("127.0.0.1", self.port), 60)
        head = [
            "POST /api/v1/uplinks/loriot HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {token or self.secret}",
            *lines,
        ]
        wire.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n")
        return wire

    def mark(self):
        """From here on `counters` and `refused` count."""
        self.first = self.journal.last_seq()
        self.before = len(self.journal.rejected(10**6))

    def counters(self):
        return sorted(uplink.f_cnt for _, uplink, _ in self.journal.uplinks(self.first, 10**6))

    def refused(self):
        return len(self.journal.rejected(10**6)) - self.before


def up(f_cnt):
    return json.dumps(loriot(f_cnt=f_cnt, time_us=time.time_ns() // 1000)).encode()


def answer(wire):
    """Everything until the other side closes, or the first answer's head."""
    got = b""
    with suppress(OSError):
        while b"\r\n\r\n" not in got and (more := wire.recv(65536)):
            got += more
    return int(got.split()[1]) if got else 0


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    door = Door(tmp_path_factory.mktemp("city"))
    yield door
    door.close()


@pytest.fixture
def door(service):
    if not service.runs:
        service.start()
    service.mark()
    return service


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def test_bodies_of_every_kind(door):
    with door.begin("Transfer-Encoding: chunked") as wire:
        body = up(1)
        wire.sendall(chunked(*(body[i : i + 7] for i in range(0, len(body), 7)), b""))
        assert answer(wire) == 204
    assert door.counters() == [1]
    assert door.push(up(2), content_type="text/plain; charset=latin-1")[0] == 204
    body = up(3)
    assert door.push(body, content_type="multipart/form-data; boundary=x")[0] == 204
    assert door.push(body, content_encoding="identity")[0] == 204
    assert door.counters() == [1, 2, 3]

    # packed: nobody unpacks it, and who sends it must hear of that, for it would count as taken
    bomb = gzip.compress(b"\0" * (40 << 20))
    assert len(bomb) < 64 << 10
    for packed in (gzip.compress(up(4)), bomb):
        code, headers = door.push(packed, content_encoding="gzip")
        assert (code, headers["Accept-Encoding"]) == (415, "identity")
    for garbage in (b"", b"\0\xff" * 99, b"[" * 60_000, b'{"EUI": NaN}'):
        assert door.push(garbage)[0] == 204
    assert door.refused() == 4

    # more than anybody sends: announced, or without end
    with door.begin(f"Content-Length: {10 << 30}") as wire:
        assert answer(wire) == 413
    with door.begin("Transfer-Encoding: chunked") as wire, suppress(OSError):
        sent = 0
        piece = chunked(b" " * 60_000)
        wire.settimeout(60)
        while sent < 64 << 20:
            wire.sendall(piece)
            sent += len(piece)
        raise AssertionError("64 MB were taken")
    assert door.push(up(5))[0] == 204
    assert "Traceback" not in door.log.read_text()


def test_tokens_of_every_kind(door):
    for wrong in ("", "x", door.token, door.secret[:-1], door.secret + "x", "\xff" * 30, "x" * 30_000):
        with door.begin("Content-Length: 60000", token=wrong or " ") as wire:
            assert answer(wire) == 401, wrong  # before the body
    with socket.create_connection(("127.0.0.1", door.port), 60) as wire:
        wire.sendall(b"POST /api/v1/uplinks/loriot HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert answer(wire) == 401
    assert (door.counters(), door.refused()) == ([], 0)
    assert "Traceback" not in door.log.read_text()


def test_who_stops_in_the_middle_holds_up_nobody(door):
    body = up(1)
    slow = [door.begin(f"Content-Length: {len(body)}") for _ in range(250)]
    for wire in slow:
        wire.sendall(body[:10])
    assert door.push(up(2))[0] == 204
    slow.pop().close()  # and one that goes away
    # who sends on in time is heard
    in_time = slow.pop()
    in_time.sendall(body[10:])
    assert answer(in_time) == 204
    in_time.close()
    assert {answer(wire) for wire in slow} == {408}
    for wire in slow:  # closed: what comes after it is no request
        while wire.recv(65536):
            pass
        wire.close()
    assert door.counters() == [1, 2]
    assert "Traceback" not in door.log.read_text()


def test_a_hundred_at_once_and_each_again(door):
    codes = []

    def twice(number):
        codes.extend(door.push(up_again)[0] for up_again in [up(number)] * 2)

    threads = [threading.Thread(target=twice, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [204] * 200
    assert door.counters() == list(range(100))


def test_killed_just_after_2xx(door):
    acknowledged, sent, lock = [], {}, threading.Lock()

    def some(first):
        for number in range(first, first + 1000):
            body = up(number)
            with lock:
                sent[number] = body
            if door.push(body)[0] != 204:
                return
            with lock:
                acknowledged.append(number)

    threads = [threading.Thread(target=some, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(acknowledged) >= 40, 120)
    door.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert set(acknowledged) <= set(door.counters())
    door.start()
    # what was not answered is sent again, and all the rest as well: each counts once
    assert {door.push(body)[0] for body in sent.values()} == {204}
    assert door.counters() == sorted(sent)


def test_a_full_disk_is_never_answered_with_2xx(door):
    assert door.push(up(1))[0] == 204
    _, hard = resource.prlimit(door.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(door.pid, resource.RLIMIT_FSIZE, (0, hard))  # not one byte more in any file
    body = up(2)
    code, headers = door.push(body)
    assert code == 503
    assert int(headers["Retry-After"]) > 0
    assert door.counters() == [1]
    wait_for(lambda: not door.ready())
    resource.prlimit(door.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert wait_for(lambda: door.push(body)[0] == 204, 90)
    assert door.counters() == [1, 2]
    wait_for(door.ready, 120)


def test_stopped_while_somebody_waits(door):
    _, hard = resource.prlimit(door.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(door.pid, resource.RLIMIT_FSIZE, (0, hard))
    codes = []
    waiting = threading.Thread(target=lambda: codes.append(door.push(up(1))[0]))
    waiting.start()
    wait_for(lambda: not door.ready(), 120)
    assert door.stop() == 0
    waiting.join()
    assert not 200 <= codes[0] < 300
    assert door.counters() == []
