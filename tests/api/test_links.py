"""What absolute links begin with: the same rule wherever an answer has them."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.dcat.publisher import Publisher
from api.sta.city import Cities

OWN = "https://funk.stadt.example"
ANSWERS = ["/cap/feed.atom", "/citykey/services", "/citykey/poi", "/sta/v1.1", "/dcat/catalog.ttl"]
LINK = re.compile(r"https?://(?:testserver|[\w.]+\.stadt\.example)(?=/)")


def hosts(city, path):
    with TestClient(city.app()) as client:
        found = set(LINK.findall(client.get(path).text))
    assert found, path
    return found


@pytest.fixture
def linked(city):
    city.changes |= {"sta": Cities(), "publisher": Publisher(contact_mail="daten@city.example")}
    return city


@pytest.mark.parametrize("path", ANSWERS)
def test_links_begin_as_somebody_asked_unless_the_configuration_says_how(linked, path):
    assert hosts(linked, path) == {"http://testserver"}
    linked.changes["url"] = f"{OWN}/"
    assert hosts(linked, path) == {OWN}


@pytest.mark.parametrize("path", ANSWERS)
def test_the_feed_and_the_catalogue_may_have_a_base_of_their_own(linked, path):
    publisher = replace(linked.changes["publisher"], base="https://daten.stadt.example")
    linked.changes |= {"url": OWN, "cap_url": "https://warn.stadt.example/", "publisher": publisher}
    own = {"/cap/feed.atom": "https://warn.stadt.example", "/dcat/catalog.ttl": "https://daten.stadt.example"}
    assert hosts(linked, path) == {own.get(path, OWN)}
