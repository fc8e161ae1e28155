import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_town import TOKEN
from starlette.testclient import TestClient

from api import routes
from api.compression import negotiate

LONG = "/api/v1/readings"
UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}


def raw(client, address, coding, **headers):
    """Status, headers and the bytes as they came."""
    headers = {"Accept-Encoding": coding or "identity", **headers}
    with client.stream("GET", address, headers=headers) as answer:
        return answer.status_code, answer.headers, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    "address", [LONG, f"{LONG}?f=csv", f"{LONG}?limit=all&f=geojson", "/docs", "/openapi.json"]
)
@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_long_text_is_packed_and_unpacks_to_the_same(client, address, coding):
    _, _, plain = raw(client, address, "")
    status, headers, body = raw(client, address, coding)
    assert (status, headers["content-encoding"]) == (200, coding)
    assert "accept-encoding" in headers["vary"].lower()
    assert UNPACK[coding](body) == plain
    assert len(body) < len(plain)
    assert headers.get("content-length") in {None, str(len(body))}


def test_every_coding_has_an_etag_of_its_own_and_304_knows_which(client):
    etags = {coding: raw(client, LONG, coding)[1]["etag"] for coding in UNPACK}
    assert len(set(etags.values())) == 3
    for asked in UNPACK:
        for known, etag in etags.items():
            status, headers, body = raw(client, LONG, asked, **{"If-None-Match": etag})
            assert status == (304 if asked == known else 200)
            assert headers["etag"] == etags[asked]
            assert "accept-encoding" in headers["vary"].lower()
            if status == 304:
                assert (body, headers.get("content-encoding")) == (b"", None)


def test_short_packed_secret_and_eventful_answers_are_left_alone(client, operator):
    for asked, address in (
        (client, "/livez"),
        (client, f"{LONG}?limit=1"),
        (client, f"{LONG}?f=parquet"),
        (operator, "/api/v1/admin/devices"),
    ):
        assert "content-encoding" not in raw(asked, address, "br, gzip")[1]


def test_what_could_be_packed_says_so_even_when_it_is_not(client):
    assert "accept-encoding" in raw(client, LONG, "")[1]["vary"].lower()


def test_a_stream_is_packed_piece_by_piece(client, monkeypatch):
    monkeypatch.setattr(routes.readings, "_CHUNK", 10)
    unpack = zlib.decompressobj(31)
    with client.stream("GET", f"{LONG}?limit=all&f=csv", headers={"Accept-Encoding": "gzip"}) as answer:
        pieces = [unpack.decompress(piece) for piece in answer.iter_raw()]
    assert b"".join(pieces).decode() == client.get(f"{LONG}?f=csv&limit=10000").text


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", ""),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("br;q=0", ""),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("identity, gzip;q=0.5", ""),
        ("deflate", ""),
        ("GZIP", "gzip"),
        ("gzip;q=high", ""),
    ],
)
def test_the_caller_says_which_coding(accepted, coding):
    assert negotiate(accepted.encode()) == coding


@given(st.binary(max_size=300))
def test_no_header_breaks_it(accepted):
    assert negotiate(accepted) in UNPACK


def test_a_head_request_says_what_get_would_send(client):
    headers = {"Accept-Encoding": "br"}
    head = client.head(LONG, headers=headers).headers
    get = raw(client, LONG, "br")[1]
    for name in ("etag", "content-length", "content-encoding", "vary"):
        assert head[name] == get[name]


def test_an_operator_s_readings_are_packed_too(quiet_city):
    with TestClient(quiet_city.app(), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        assert raw(client, LONG, "gzip")[1]["content-encoding"] == "gzip"
