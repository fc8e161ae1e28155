"""304 of the catalogue and of Citykey's addresses: only for who has what would be sent."""

import pytest
from small_town import LEVEL, MINUTE, SECRET, T0
from starlette.testclient import TestClient

from api.dcat.publisher import Publisher

CITYKEY = ["/citykey/poi", "/citykey/content", "/citykey/infobox", "/citykey/services"]
FORMS = ["/dcat/catalog", "/dcat/catalog.ttl", "/dcat/catalog.rdf", "/dcat/catalog.jsonld"]


def known(client, path, etag, **headers):
    return client.get(path, headers={"If-None-Match": etag, **headers}).status_code == 304


@pytest.mark.parametrize("path", [*CITYKEY, *FORMS])
def test_who_asks_elsewhere_or_packed_has_something_else(client, path):
    etag = client.get(path).headers["etag"]
    assert known(client, path, etag)
    assert known(client, path, f'"x", W/{etag}')
    assert not known(client, path, '"x"')
    assert not known(client, path, etag, Host="daten.stadt.example")
    packed = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": etag})
    assert packed.status_code == (200 if "content-encoding" in packed.headers else 304)


def test_each_form_is_another_and_caches_are_told_what_it_depends_on(client):
    etags = set()
    for accept in ("text/turtle", "application/rdf+xml", "application/ld+json"):
        answer = client.get("/dcat/catalog", headers={"Accept": accept})
        etag = answer.headers["etag"]
        assert not any(known(client, "/dcat/catalog", each, Accept=accept) for each in etags)
        etags.add(etag)
        again = client.get("/dcat/catalog", headers={"Accept": accept, "If-None-Match": etag})
        assert again.status_code == 304
        for name in ("etag", "vary", "content-location", "cache-control"):
            assert again.headers[name] == answer.headers[name]
        assert "Accept" in again.headers["vary"]
    assert len(etags) == 3


@pytest.mark.parametrize("path", CITYKEY[1:3])
def test_a_warning_that_changes_is_sent_again(city, path):
    with TestClient(city.app()) as client:
        etag = client.get(path).headers["etag"]
        city.warn("geheim-pegel", 4, "escalate", episode="starkregen:geheim-pegel:1")
        assert known(client, path, etag), "what nobody may know changes nothing"
        city.warn("strunde-gierath", 3, episode="new")
        assert not known(client, path, etag)


def test_new_terms_and_a_new_day_are_sent_again_and_what_is_not_public_is_not(city):
    city.changes["publisher"] = Publisher(contact_mail="daten@city.example")
    path = "/dcat/catalog.ttl"
    with TestClient(city.app()) as client:
        etag = client.get(path).headers["etag"]
        city.measure(SECRET, T0, ("no2", 1.0))
        assert known(client, path, etag)
        city.measure(LEVEL, T0, ("air_temperature", 20.0))
        assert not known(client, path, etag), "a new theme, at once"
        etag = client.get(path).headers["etag"]
        city.now_us = T0 + 24 * 60 * MINUTE
        city.measure(LEVEL, city.now_us, ("water_level", 20.0))
        for _ in range(200):
            if not known(client, path, etag):
                break
            city.now_us += 31_000_000
        assert not known(client, path, etag), "the newest day"
        etag = client.get(path).headers["etag"]
    city.changes["publisher"] = Publisher(contact_mail="andere@city.example")
    with TestClient(city.app()) as client:
        assert not known(client, path, etag)


@pytest.mark.parametrize("path", CITYKEY)
def test_an_error_is_told_whatever_the_caller_has(client, path):
    for etag in ("*", client.get(path).headers["etag"]):
        answer = client.get(path, params={"cityId": "x"}, headers={"If-None-Match": etag})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["errorCode"] == "invalid.parameter"
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
