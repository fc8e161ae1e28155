"""What our rules find; and what the schema lets pass, so that they are needed."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from validators import faults, others_accept
from warned_city import documents, notice, warned

from alerts.cap.rules import check

ALERT, UPDATE = (each.xml.decode() for each in documents(warned("release", "update"), [notice()]))
REFERENCES = re.search("<references>.*</references>", UPDATE)[0]
POLYGON = re.search("<polygon>(.*?)</polygon>", UPDATE)[1]
SENT = re.search("<sent>(.*)</sent>", UPDATE)[1]
EXPIRES = re.search("<expires>(.*?)</expires>", UPDATE)[1]


def changed(old, new, document=UPDATE):
    assert old in document
    return document.replace(old, new).encode()


MISSED_BY_THE_SCHEMA = [
    (changed(REFERENCES, ""), "Update without references"),
    (
        changed("<msgType>Update", "<msgType>Cancel").replace(REFERENCES.encode(), b""),
        "Cancel without references",
    ),
    (changed(REFERENCES, "<references>gibberish</references>"), "reference 'gibberish'"),
    (changed(REFERENCES, "<references>a,b,yesterday</references>"), "'yesterday' is no time"),
    (changed(REFERENCES, f"<references>a,b,{EXPIRES}</references>"), "later than the document"),
    (changed("<msgType>Update", "<msgType>Alert"), "Alert with references"),
    (changed(POLYGON, POLYGON.rsplit(" ", 1)[0]), "polygon is not closed"),
    (changed(POLYGON, " ".join(POLYGON.split()[:2])), "fewer than four positions"),
    (changed(POLYGON, POLYGON.replace(",", ";")), 'not "latitude,longitude"'),
    (changed(POLYGON, POLYGON.replace("50.97500,", "950.97500,")), "not on Earth"),
    (changed(EXPIRES, SENT), "expires is not after sent"),
    (changed(f"<expires>{EXPIRES}</expires>", ""), "expires is missing"),
    (changed("<language>en-GB</language>", ""), "language is missing"),
    (changed("en-GB", "de-DE"), "two info blocks in de-de"),
    (
        changed("<geocode><valueName>ARS</valueName><value>053780004004</value></geocode>", "").replace(
            f"<polygon>{POLYGON}</polygon>".encode(), b""
        ),
        "neither polygon nor circle nor geocode",
    ),
    (re.sub(b"<area>.*?</area>", b"", UPDATE.encode()), "no area"),
    (changed("<value>053780004004", "<value>5378"), "has not twelve digits"),
    (changed("<sender>warnung@stadt.example", "<sender>Stadt Gladbach"), "has a space"),
    (changed("<sender>warnung@stadt.example", "<sender>opendata@dwd.de"), "Deutscher Wetterdienst's"),
    (re.sub(b"<info>.*</info>", b"", UPDATE.encode()), "Update without info"),
    (changed("<scope>Public", "<scope>Restricted"), "scope Restricted without restriction"),
    (changed("<scope>Public", "<scope>Private"), "scope Private without addresses"),
    (
        changed("<severity>Severe", "<severity>Minor", UPDATE.split("en-GB")[0] + "en-GB").replace(
            b"en-GB", b"en-GB" + UPDATE.split("en-GB")[1].encode()
        ),
        "severity differs between the languages",
    ),
]
SEEN_BY_THE_SCHEMA = [
    (changed(SENT, SENT.replace("-00:00", "Z")), "UTC is -00:00, not Z"),
    (changed(SENT, SENT.replace("-00:00", ".5-00:00")), "is no time such as"),
    (changed("<status>Actual</status>", "").replace(b"<scope>", b"<status>Actual</status><scope>"), "late"),
    (changed("<status>Actual", "<status>Real"), "status 'Real' is none of"),
    (changed("<urgency>Immediate</urgency>", ""), "urgency is missing"),
    (changed("<msgType>", "<kind>x</kind><msgType>"), "alert has no element"),
    (changed("<scope>Public</scope>", "<scope>Public</scope><scope>Public</scope>"), "scope stands 2 times"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("xml", "problem"), MISSED_BY_THE_SCHEMA, ids=[each[1] for each in MISSED_BY_THE_SCHEMA]
)
def test_what_the_schema_lets_pass_is_found(xml, problem):
    assert faults(xml) == []
    assert any(problem in each for each in check(xml)), check(xml)


@pytest.mark.parametrize(("xml", "problem"), SEEN_BY_THE_SCHEMA, ids=[each[1] for each in SEEN_BY_THE_SCHEMA])
def test_what_the_schema_finds_is_found_in_words(xml, problem):
    assert faults(xml)
    assert any(problem in each for each in check(xml)), check(xml)


def test_the_other_judges_can_say_no():
    assert others_accept(UPDATE.encode())
    assert not others_accept(changed(SENT, SENT.replace("-00:00", "Z")))


def test_what_is_no_document_is_said_to_be_none():
    assert check(b"") != []
    assert check(b"<alert/>") == ["the root is alert, not alert of urn:oasis:names:tc:emergency:cap:1.2"]
    assert "not an XML document" in check(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')[0]


def test_every_problem_is_listed_not_only_the_first():
    xml = (
        changed(REFERENCES, "")
        .replace(b"<language>en-GB</language>", b"")
        .replace(EXPIRES.encode(), SENT.encode())
    )
    assert len(check(xml)) >= 3


@given(st.binary(max_size=200))
@example(b"<?xml version='1.0' encoding='nonsense'?><alert/>")
@example(b"\xff\xfe")
def test_nothing_makes_the_rules_fail(data):
    assert check(data)


@given(st.data())
def test_a_document_that_lost_any_element_is_judged_without_failing(data):
    root = etree.fromstring(UPDATE.encode())
    victim = data.draw(st.sampled_from([each for each in root.iter() if each.getparent() is not None]))
    victim.getparent().remove(victim)
    assert isinstance(check(etree.tostring(root)), list)
