"""Subscriptions over the API: what it answers, and what nobody can do with it."""

import hmac
import re

import pytest
import structlog
from alerts_areas import area
from small_town import TOKEN as OPERATOR
from starlette.testclient import TestClient
from subscription_town import ANNA, ASKED, mails, subscribed, with_subscriptions

from alerts.areas import parse_areas
from api.app import openapi
from stadtfunk import logs

STAFF = {"Authorization": f"Bearer {OPERATOR}"}
URL = "/api/v1/subscriptions"
PAPER = {
    "channel": "voice",
    "address": "02202 14-1234",
    "areas": ["gierath"],
    "staff": "Frau Amt",
    "form_date": "2026-07-14",
}


@pytest.fixture
def file(city):
    file = with_subscriptions(city)
    yield file
    file.close()


@pytest.fixture
def resident(city, file):
    with TestClient(city.app()) as client:
        yield client


def test_from_the_question_to_the_end(resident, file):
    answer = resident.post(
        URL,
        json=ASKED
        | {
            "gauges": ["strunde-gierath"],
            "points": [{"lat": 50.98123, "lon": 7.1, "radius_km": 4}],
            "least": "Severe",
            "told": ["warning"],
            "language": "en",
            "quiet": {"start": "22:00", "end": "06:30"},
        },
    )
    assert answer.status_code == 202
    ((_, _, token),) = mails(file)
    seen = resident.get(f"{URL}/{token}").json()
    assert (seen["link"], seen["address"]) == ("confirm", "a…@example.org")
    manage = resident.post(f"{URL}/{token}/confirm").json()["token"]
    chosen = resident.get(f"{URL}/{manage}").json()["choices"]
    assert chosen == {
        "areas": ["gierath"],
        "gauges": ["strunde-gierath"],
        "points": [{"lat": 50.981, "lon": 7.1, "radius_km": 4}],
        "least": "Severe",
        "told": ["warning"],
        "language": "en",
        "quiet": {"start": "22:00", "end": "06:30"},
    }
    assert resident.put(f"{URL}/{manage}", json={"areas": ["oben"]}).json()["choices"]["areas"] == ["oben"]
    exported = resident.get(f"{URL}/{manage}/export")
    assert exported.headers["content-disposition"].startswith("attachment")
    assert exported.json()["address"] == "anna@example.org"
    assert exported.json()["consents"][0]["way"] == "double opt-in"
    assert exported.json()["consents"][0]["given"] == "2026-07-14T18:30:00Z"
    assert resident.delete(f"{URL}/{manage}").status_code == 204
    assert resident.get(f"{URL}/{manage}").status_code == 404
    assert file.known(ANNA) is None


def test_one_click_ends_it_and_a_program_that_opens_links_does_nothing(resident, file):
    manage = subscribed(resident, file)
    (found,) = file.audiences.opened([1])
    page = f"/subscriptions/{found.leave}"
    for path in (page, f"{URL}/{found.leave}", f"/subscriptions/{manage}", f"{page}?do=leave"):
        for ask in (resident.get, resident.head, resident.options):
            ask(path)
    assert file.known(ANNA)
    assert resident.get(f"{URL}/{found.leave}").json()["choices"] is None, "it shows nothing"
    answer = resident.post(page, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert file.known(ANNA) is None
    subscribed(resident, file)
    (found,) = file.audiences.opened([2])
    assert resident.post(f"{URL}/{found.leave}/unsubscribe").status_code == 204
    assert file.known(ANNA) is None


def test_a_confirm_link_cannot_be_replayed(resident, file):
    resident.post(URL, json=ASKED)
    ((_, _, token),) = mails(file)
    manage = resident.post(f"{URL}/{token}/confirm").json()["token"]
    again = resident.post(f"{URL}/{token}/confirm")
    resident.delete(f"{URL}/{manage}")
    assert again.status_code == resident.post(f"{URL}/{token}/confirm").status_code == 404
    assert file.known(ANNA) is None


def test_every_wrong_link_looks_the_same(resident, file):
    manage = subscribed(resident, file)
    resident.delete(f"{URL}/{manage}")
    tokens = (
        manage,
        "a" * 43,
        manage[:-1],
        manage.swapcase(),
        "x",
        "ä" * 43,
        "' OR 1=1 --",
        "%00",
        "a" * 5000,
    )
    shapes = {
        (
            answer.status_code,
            answer.headers["content-type"],
            answer.headers["cache-control"],
            answer.content,
        )
        for token in tokens
        for answer in (resident.get(f"{URL}/{token}"), resident.post(f"{URL}/{token}/confirm"))
    }
    assert len(shapes) == 1
    assert shapes.pop()[0] == 404
    pages = {resident.get(f"/subscriptions/{token}").content for token in tokens}
    assert len(pages) == 1


def test_tokens_are_too_many_to_guess_and_compared_in_constant_time(resident, file, monkeypatch):
    asked = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: asked.append((a, b)) or real(a, b))
    manage = subscribed(resident, file)
    assert re.fullmatch(r"[\w-]{43}", manage), "32 bytes"
    before = len(asked)
    assert resident.get(f"{URL}/{manage}").status_code == 200
    assert len(asked) > before


def test_nobody_learns_whether_an_address_is_subscribed(resident, file):
    subscribed(resident, file)
    answers = []
    for address in ("anna@example.org", "otto@example.org"):
        for path, body in ((URL, ASKED), (f"{URL}/link", {})):
            for _ in range(4):  # beyond the limit of messages to one address as well
                answer = resident.post(path, json=body | {"address": address})
                answers.append((path, answer.status_code, answer.content, sorted(answer.headers)))
    assert len({each[1:3] for each in answers}) == 1
    assert len({str(each[3]) for each in answers}) == 1


@pytest.mark.parametrize(
    "address",
    [
        "json://10.0.0.1/hook",
        "http://169.254.169.254/",
        "mailto://u:p@10.0.0.1",
        "a@[10.0.0.1]",
        "a@example.org\r\nBcc: all@example.org",
        "a@example.org'; DROP TABLE subscriptions; --",
        "{{7*7}}",
        "<script>alert(1)</script>@example.org",
    ],
)
def test_only_an_address_can_be_given_never_where_else_to_send(resident, file, address):
    answer = resident.post(URL, json=ASKED | {"address": address})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["parameter"] == "address"
    assert address not in answer.text
    page = resident.post("/subscribe", data={"address": address, "area": "gierath", "told": "notice"})
    assert page.status_code == 422
    assert "<script>alert" not in page.text
    assert mails(file) == []


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"areas": []}, "body"),
        ({"areas": ["nowhere"]}, "areas"),
        ({"areas": ["' OR 1=1 --"]}, "areas.0"),
        ({"areas": ["gierath"] * 21}, "areas"),
        ({"gauges": ["geheim-pegel"]}, "gauges"),
        ({"gauges": ["regen-gierath"]}, "gauges"),
        ({"points": [{"lat": 91, "lon": 7}]}, "points.0.lat"),
        ({"points": [{"lat": 50.9, "lon": 7.1, "radius_km": 10}]}, "points.0.radius_km"),
        ({"points": [{"lat": "NaN", "lon": 7}]}, "points.0.lat"),
        ({"least": "Huge"}, "least"),
        ({"told": []}, "told"),
        ({"told": ["staff"]}, "told.0"),
        ({"language": "{{x}}"}, "language"),
        ({"quiet": {"start": "22:00", "end": "22:00"}}, "quiet"),
        ({"quiet": {"start": "25:00", "end": "06:00"}}, "quiet.start"),
        ({"channel": "webhook"}, "channel"),
        ({"channel": "voice", "address": "02202 141234"}, "channel"),
        ({"url": "http://10.0.0.1"}, "url"),
    ],
)
def test_what_is_wrong_is_named(resident, file, change, parameter):
    answer = resident.post(URL, json=ASKED | change)
    assert answer.status_code == 422
    assert parameter in [each["parameter"] for each in answer.json()["errors"]]
    assert "geheim-pegel" in str(change) or "Geheim" not in answer.text
    assert mails(file) == []


def test_bodies_that_are_too_large_or_no_json(resident, file):
    huge = '{"address": "' + "a" * 20_000 + '"}'
    json = {"Content-Type": "application/json"}
    assert resident.post(URL, content=huge, headers=json).status_code == 413
    assert resident.post("/subscribe", content="a=" + "b" * 20_000).status_code == 413
    assert resident.post("/subscribe", content="&".join(["area=x"] * 1000)).status_code == 422
    assert resident.post("/subscribe", content=b"a=\xff\xfe").status_code == 422
    assert resident.post(URL, content="[" * 10_000, headers=json).status_code == 422
    assert resident.post(URL, content=b"\xff", headers=json).status_code == 422
    # what a page elsewhere could send without asking first
    assert resident.post(URL, json=ASKED, headers={"Content-Type": "text/plain"}).status_code == 415
    assert resident.post(URL, data=ASKED).status_code == 415
    assert mails(file) == []


def test_no_page_elsewhere_is_let_in_and_nothing_depends_on_cookies(resident, file):
    manage = subscribed(resident, file)
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    allowed = resident.options(f"{URL}/{manage}", headers=asked).headers["access-control-allow-methods"]
    assert allowed == "GET, HEAD"
    for answer in (resident.get("/subscribe"), resident.get(f"/subscriptions/{manage}")):
        assert "set-cookie" not in answer.headers
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "form-action 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "private, no-store"
    # the links lead where the configuration says, whatever host somebody asks for
    resident.post(URL, json=ASKED, headers={"Host": "evil.example"})
    assert "evil.example" not in resident.get("/subscribe", headers={"Host": "evil.example"}).text


def test_names_from_files_are_text_on_the_pages(city):
    evil = "<img src=x onerror=alert(1)>{{7*7}}"
    areas = parse_areas(
        {
            "type": "FeatureCollection",
            "features": [{**area("gierath", 50.98, 7.1, ["regen-gierath"], name_en=evil)}],
        },
        "x",
    )
    file = with_subscriptions(city, areas=areas)
    with TestClient(city.app()) as client:
        for path in ("/subscribe?lang=en", f"/subscriptions/{subscribed(client, file)}?lang=en"):
            said = client.get(path).text
            assert "<img src=x" not in said
            assert "&lt;img src=x onerror=alert(1)&gt;{{7*7}}" in said
    file.close()


def test_when_too_many_ask_the_answer_says_when_to_come_back(city):
    file = with_subscriptions(city, mails_an_hour=1)
    with TestClient(city.app()) as client:
        assert client.post(URL, json=ASKED).status_code == 202
        busy = client.post(URL, json=ASKED | {"address": "otto@example.org"})
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "3600")
        page = client.post(
            "/subscribe", data={"address": "a@example.org", "area": "gierath", "told": "notice"}
        )
        assert page.status_code == 429
        assert 'value="a@example.org"' in page.text, "nobody has to begin anew"
    file.close()


def test_staff_enter_and_end_paper_forms(city, resident, file):
    assert resident.post("/api/v1/admin/subscriptions", json=PAPER).status_code == 401

    def enter(**change):
        return resident.post("/api/v1/admin/subscriptions", json=PAPER | change, headers=STAFF)

    assert enter(form_date="2026-07-20").status_code == 422
    assert enter(staff="").status_code == 422
    assert enter(staff="a\r\nb").status_code == 422
    assert enter().status_code == 204
    assert enter(channel="email", address="gran@example.org").status_code == 204
    assert file.counts()["voice"] == file.counts()["email"] == 1
    assert [each[:2] for each in mails(file)] == [("welcome", "gran@example.org")]
    gone = {"channel": "voice", "address": "+49 2202 141234", "staff": "Herr Rat"}
    for _ in range(2):
        answer = resident.post("/api/v1/admin/subscriptions/remove", json=gone, headers=STAFF)
        assert answer.status_code == 204
    assert file.counts()["voice"] == 0
    noted = [(each.by, each.action, each.subject) for each in reversed(city.audit.entries(10))]
    assert noted == [
        (PAPER["staff"], "subscription enter", "voice"),
        (PAPER["staff"], "subscription enter", "email"),
        ("Herr Rat", "subscription remove", "voice"),
        ("Herr Rat", "subscription remove", "voice"),
    ]


def test_only_the_channels_of_the_city(city):
    file = with_subscriptions(city, channels=("email",))
    with TestClient(city.app()) as client:
        sms = {"channel": "sms", "address": "0171 1234567"}
        assert client.post(URL, json=ASKED | sms).status_code == 422
        assert client.post("/api/v1/admin/subscriptions", json=PAPER | sms, headers=STAFF).status_code == 422
    file.close()


def test_an_address_is_looked_for_in_the_city_s_own_list(resident):
    def found(text):
        return [each["label"] for each in resident.post(f"{URL}/addresses", json={"q": text}).json()["items"]]

    assert found("hauptstr 12") == ["Hauptstraße 12"]
    assert found("Hauptstr.") == ["Hauptstraße 1", "Hauptstraße 12", "Hauptstraße 120"]
    assert found("muehlenbach 12A") == ["Am Mühlenbach 12 a"]
    assert found("ha") == []
    assert found("%") == []


def test_a_city_without_subscriptions(client):
    for path in ("/subscribe", "/subscriptions/x", f"{URL}/x"):
        assert client.get(path).status_code == 404
    assert client.post(URL, json=ASKED).status_code == 404
    assert "/subscribe" not in client.get("/").text


@pytest.mark.parametrize(
    ("lang", "said"), [("de", "Hier können Sie sich nicht anmelden"), ("en", "cannot subscribe")]
)
def test_a_browser_reads_what_there_is_instead(client, lang, said):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": lang}
    answer = client.get("/subscribe", headers=browser)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert said in answer.text
    linked = re.findall(r'<li><a href="([^"]+)"', answer.text)
    assert "/docs" in linked
    assert [client.get(each).status_code for each in linked] == [200] * len(linked)
    assert client.get("/subscribe").headers["content-type"] == "application/problem+json"


@pytest.fixture
def logged():
    logs.configure("info")
    yield
    structlog.reset_defaults()


def test_no_link_comes_into_the_log(city, file, monkeypatch, logged, capsys):
    def fail(_):
        raise RuntimeError("broken")

    monkeypatch.setattr(type(file), "find", lambda _, token: fail(token))
    with TestClient(city.app()) as client:
        for path in (f"{URL}/{'t' * 43}", f"/subscriptions/{'t' * 43}"):
            assert client.get(path).status_code == 500
    said = str(capsys.readouterr())
    assert "subscriptions/***" in said
    assert "t" * 43 not in said


def test_a_file_that_cannot_be_used_is_a_503(city, file):
    file.close()
    with TestClient(city.app()) as client:
        assert client.get(f"{URL}/{'t' * 43}").status_code == 503


def test_the_openapi_document_describes_it():
    document = openapi()
    post = document["paths"][URL]["post"]
    body = post["requestBody"]["content"]["application/json"]["schema"]
    assert {"address", "areas", "gauges", "points", "least", "quiet"} <= body["properties"].keys()
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= document["components"]["schemas"].keys()
    assert document["paths"]["/api/v1/admin/subscriptions"]["post"]["security"]
    assert "security" not in post
