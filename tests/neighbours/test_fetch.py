"""Asking politely, and surviving whatever answers."""

import socket
import threading

import pytest
from official_servers import Page

from ingest.neighbours.fetch import Away, Body, Fetcher, Unchanged


@pytest.fixture
def fetch():
    fetcher = Fetcher("Stadtfunk/0.1 (stadtfunk@example.org)")
    yield fetcher
    fetcher.close()


def test_what_has_not_changed_is_not_sent_again(official, fetch):
    official.pages["/a"] = Page(b"one", headers={"Last-Modified": "Tue, 14 Jul 2026 18:30:00 GMT"})
    assert fetch.get(f"{official.url}/a", most_bytes=10) == Body(b"one")
    assert fetch.get(f"{official.url}/a", most_bytes=10) == Unchanged()
    assert official.headers[0]["User-Agent"] == "Stadtfunk/0.1 (stadtfunk@example.org)"
    assert "If-None-Match" not in official.headers[0]
    assert official.headers[1]["If-Modified-Since"] == "Tue, 14 Jul 2026 18:30:00 GMT"
    official.pages["/a"] = Page(b"two")
    assert fetch.get(f"{official.url}/a", most_bytes=10) == Body(b"two")
    fetch.forget(f"{official.url}/a")
    assert fetch.get(f"{official.url}/a", most_bytes=10) == Body(b"two")
    assert (fetch.stats.requests, fetch.stats.unchanged, fetch.stats.failures) == (4, 1, 0)


@pytest.mark.parametrize(
    ("page", "why", "pause_s"),
    [
        (Page(b"", 500), "HTTP 500", 0),
        (Page(b"", 404), "HTTP 404", 0),
        (Page(b"", 503, {"Retry-After": "120"}), "HTTP 503", 120),
        (Page(b"", 429, {"Retry-After": "1e9"}), "HTTP 429", 6 * 3600),
        (Page(b"", 503, {"Retry-After": "Tue, 14 Jul 2026 18:30:00 GMT"}), "HTTP 503", 0),
        (
            Page(b"", 301, {"Location": "https://elsewhere.example/"}),
            "moved to https://elsewhere.example/",
            0,
        ),
        (Page(b"x" * 101), "more than 100 bytes", 0),
    ],
    ids=lambda value: str(value)[:20],
)
def test_no_usable_answer(official, fetch, page, why, pause_s):
    official.pages["/a"] = page
    answer = fetch.get(f"{official.url}/a", most_bytes=100)
    assert isinstance(answer, Away)
    assert why in answer.detail
    assert answer.pause_s == pause_s
    official.pages["/a"] = Page(b"back")
    assert fetch.get(f"{official.url}/a", most_bytes=100) == Body(b"back")


def test_an_answer_that_trickles_in_is_given_up(official):
    official.pages["/a"] = Page(b"x" * 100, seconds=0.5)
    fetcher = Fetcher("Stadtfunk/0.1", whole_s=2.0)
    answer = fetcher.get(f"{official.url}/a", most_bytes=100)
    fetcher.close()
    assert isinstance(answer, Away)
    assert "not complete" in answer.detail


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://no-such-host.invalid/", "http://[::1/"])
def test_nobody_there(fetch, url):
    assert isinstance(fetch.get(url, most_bytes=100), Away)


@pytest.mark.parametrize("said", [b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b""])
def test_somebody_else_there(fetch, said):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(said)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        assert isinstance(fetch.get(f"http://127.0.0.1:{port}/", most_bytes=100), Away)
        thread.join()
