"""The inbox and the registration over the API."""

import json
import threading

import pytest
from inbox_town import DEVICES, EVIL, GAUGE, INBOX, LIST, MBX, NOISE, RAIN, ROW, operator_of, with_inbox
from small_town import TOKEN
from starlette.testclient import TestClient

from api.app import openapi
from api.schemas.inbox import DeviceBody
from devices.device_list import DeviceRow

IMPORT = f"{DEVICES}/import"
HEAD = "dev_eui;type;station;lat;lon\n"
GOOD = (
    HEAD + f"{GAUGE};decentlab-dl-mbx;kippemuehle;50,99;7,15\n{RAIN};decentlab-dl-tbrg;regen-2;50,99;7,15\n"
)
BAD = (
    HEAD
    + f"{GAUGE};decentlab-dl-mbx;kippemuehle;50,99;7,15\n12;decentlab-dl-tbrg;r;50,99;7,15\n{RAIN};x;r;;\n"
)


@pytest.fixture
def inbox_town(town, tmp_path):
    with with_inbox(town, tmp_path) as filled:
        yield filled


@pytest.fixture
def operator(inbox_town):
    with operator_of(inbox_town) as client:
        yield client


def test_unknown_devices_gather_under_their_dev_eui(operator):
    items = operator.get(INBOX).json()["items"]
    assert [each["device"] for each in items] == [RAIN, GAUGE, NOISE], "the one heard last first"
    gauge = items[1]
    assert (gauge["count"], gauge["f_ports"], gauge["f_port"]) == (3, [1], 1)
    assert (gauge["first"], gauge["last"]) == ("2026-07-14T18:30:00Z", "2026-07-14T18:32:00Z")
    assert (gauge["rssi"], gauge["snr"]) == (-108.0, 5.5)
    assert gauge["gateways"] == ["gw-kirchturm", "gw-rathaus"]
    assert (gauge["servers"], gauge["name"]) == (["stadtwerke"], "Strunde 3")
    assert gauge["payload"] == MBX[:-1] + "2"
    best = gauge["guesses"][0]
    assert (best["type"], best["named"]) == ("decentlab-dl-mbx", "")
    assert "reads all 3 payloads" in best["reason"]
    [distance] = [each for each in best["values"] if each["property"] == "water_distance"]
    assert (distance["value"], distance["unit"], distance["quality"]) == (1234.0, "mm", 1)
    assert distance["name"].keys() == {"de", "en"}
    assert items[0]["guesses"][0]["type"] == "decentlab-dl-tbrg"
    assert items[0]["guesses"][0]["named"] == "model"
    assert items[0]["name"] == EVIL, "as it is: who shows it has to escape it"
    assert items[2]["guesses"] == []


def test_pages_and_csv(operator):
    first = operator.get(f"{INBOX}?limit=2")
    assert len(first.json()["items"]) == 2
    following = operator.get(first.links["next"]["url"]).json()["items"]
    assert [each["device"] for each in following] == [NOISE]
    lines = operator.get(f"{INBOX}?f=csv").text.splitlines()
    assert lines[0].startswith("device,count,first,last")
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["decentlab-dl-tbrg", "decentlab-dl-mbx", ""]


def test_a_name_is_no_formula_of_the_spreadsheet_that_opens_the_list(inbox_town, operator):
    evil = "=HYPERLINK(1)"
    inbox_town.unknown.sends(NOISE, "fe", name=evil, profile=" +1", minute=20)
    lines = operator.get(f"{INBOX}?f=csv").text.splitlines()
    assert f",'{evil},' +1," in lines[1]
    assert operator.get(INBOX).json()["items"][0]["name"] == evil, "elsewhere it is what it is"


def test_one_device_with_its_uplinks(operator):
    body = operator.get(f"{INBOX}/70-B3-D5-7E-D0-00-00-F1").json()
    assert [each["f_cnt"] for each in body["uplinks"]] == [3, 2, 1]
    assert body["uplinks"][0]["rssi"] == -108.0
    missing = operator.get(f"{INBOX}/70b3d57ed0000001")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")


def test_what_is_not_tried_yet_is_said_and_another_request_goes_on(inbox_town):
    from devices.catalogue import load_catalogue  # noqa: PLC0415 - for this test alone
    from ingest.inbox import Inbox  # noqa: PLC0415 - for this test alone

    clock = iter(range(10_000))
    inbox_town.changes["inbox"] = Inbox(
        inbox_town.journal, lambda: inbox_town.registry, load_catalogue(), 20, lambda: next(clock)
    )
    with operator_of(inbox_town) as client:
        first = client.get(INBOX).json()["items"]
        assert first[-1]["untried"] > 0
        assert first[-1]["payload"] == "ff", "what was heard is told all the same"
        body = first[1]
        for _ in range(200):
            body = client.get(f"{INBOX}/{GAUGE}").json()
            if not body["untried"]:
                break
        assert (body["untried"], body["guesses"][0]["type"]) == (0, "decentlab-dl-mbx")
        assert body["guesses"][0].keys() >= {"heeded", "properties", "seen"}


def test_what_it_knows_follows_what_arrives(inbox_town, operator):
    assert operator.get(f"{INBOX}/{GAUGE}").json()["guesses"]
    inbox_town.unknown.sends(GAUGE, "ff00ff", minute=20)
    body = operator.get(f"{INBOX}/{GAUGE}").json()
    assert (body["count"], body["payload"]) == (4, "ff00ff")
    assert "decentlab-dl-mbx" not in [each["type"] for each in body["guesses"]], "it does not read ALL"


def test_a_registered_device_leaves_the_inbox_and_stands_in_the_list(inbox_town, operator):
    done = operator.post(
        DEVICES, json={**ROW, "name": "Kippemühle", "sensor_height_cm": 250}, params={"by": "Anna"}
    )
    assert done.status_code == 201
    assert done.json()["devices"][0]["dev_eui"] == GAUGE
    assert (done.json()["written"], done.json()["errors"]) == (1, [])
    assert inbox_town.list.read_text(encoding="utf-8").endswith(
        f"{GAUGE},decentlab-dl-mbx,kippemuehle,Kippemühle,50.99,7.15,250\n"
    )
    assert GAUGE not in [each["device"] for each in operator.get(INBOX).json()["items"]]
    assert GAUGE in [each["device"] for each in operator.get(DEVICES).json()["items"]]
    entry = operator.get("/api/v1/admin/audit").json()["items"][0]
    assert (entry["by"], entry["action"], entry["subject"]) == ("Anna", "device register", f"eui{GAUGE}")
    assert (entry["reason"], entry["detail"]) == ("decentlab-dl-mbx at kippemuehle", "token leitstelle")


def test_an_all_digit_dev_eui_stays_readable_in_the_audit_log(operator):
    assert operator.post(DEVICES, json={**ROW, "dev_eui": "0049221101234567"}).status_code == 201
    entry = operator.get("/api/v1/admin/audit").json()["items"][0]
    assert (entry["subject"], entry["by"]) == ("eui0049221101234567", "leitstelle")


def test_every_fault_of_a_device_comes_with_field_and_remedy(inbox_town, operator):
    answer = operator.post(
        DEVICES, json={"dev_eui": "12", "type": "x-y", "station": "a", "lat": 95, "colour": 1}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    faults = {each["field"]: each for each in answer.json()["errors"]}
    assert faults.keys() >= {"dev_eui", "type", "lat", "colour"}
    assert all(each["line"] is None and each["problem"] and each["remedy"] for each in faults.values())
    assert inbox_town.list.read_text(encoding="utf-8") == LIST
    assert operator.get("/api/v1/admin/audit").json()["items"] == []


@pytest.mark.parametrize("body", ["[]", "5", "", "{", '"x"', "null", '{"station": {"a": []}}'])
def test_a_body_that_is_no_device_is_a_problem(operator, body):
    answer = operator.post(DEVICES, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["status"] == 422


def test_a_dry_run_names_each_bad_row_and_writes_nothing(inbox_town, operator):
    answer = operator.post(IMPORT, params={"dry_run": True}, content=BAD.encode())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["dry_run"], body["written"]) == (True, 0)
    found = {(each["line"], each["field"]) for each in body["errors"]}
    assert found >= {(3, "dev_eui"), (4, "type")}
    assert all(each["remedy"] for each in body["errors"])
    assert inbox_town.list.read_text(encoding="utf-8") == LIST


def test_the_real_import_is_all_or_nothing(inbox_town, operator):
    refused = operator.post(IMPORT, content=BAD.encode())
    assert refused.status_code == 422
    assert {each["line"] for each in refused.json()["errors"]} >= {3, 4}
    assert inbox_town.list.read_text(encoding="utf-8") == LIST
    dry = operator.post(IMPORT, params={"dry_run": True}, content=GOOD.encode()).json()
    assert (dry["errors"], len(dry["devices"])) == ([], 2)
    done = operator.post(IMPORT, params={"version": dry["version"]}, content=GOOD.encode())
    assert (done.status_code, done.json()["written"]) == (200, 2)
    assert [each["device"] for each in operator.get(INBOX).json()["items"]] == [NOISE]
    [entry] = operator.get("/api/v1/admin/audit").json()["items"]
    assert entry["action"] == "device import"
    assert f"eui{GAUGE} eui{RAIN}" in entry["reason"]


def test_an_import_of_hundreds_stands_in_the_audit_log_device_by_device(operator):
    rows = "".join(f"70b3d57ed1{n:06x};decentlab-dl-tbrg;s{n};50,9;7,1\n" for n in range(300))
    assert operator.post(IMPORT, content=(HEAD + rows).encode()).json()["written"] == 300
    said = " ".join(each["reason"] for each in operator.get("/api/v1/admin/audit").json()["items"])
    assert all(f"eui70b3d57ed1{n:06x}" in said for n in range(300))


def test_a_list_changed_since_the_dry_run_is_not_written(inbox_town, operator):
    version = operator.post(IMPORT, params={"dry_run": True}, content=GOOD.encode()).json()["version"]
    inbox_town.list.write_text(LIST + "# by hand\n", encoding="utf-8")
    answer = operator.post(IMPORT, params={"version": version}, content=GOOD.encode())
    assert answer.status_code == 409
    assert "again" in answer.json()["hint"]


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_that_is_no_list_says_why(operator, dry_run):
    answer = operator.post(IMPORT, params={"dry_run": dry_run}, content=b"colour;station\nred;a\n")
    assert answer.status_code == (200 if dry_run else 422)
    assert answer.json()["errors"][0]["line"] == 1
    assert (
        "known are" in answer.json()["errors"][0]["remedy"] or "mean" in answer.json()["errors"][0]["remedy"]
    )


def test_two_registrations_at_once_are_both_there(inbox_town, operator):
    codes = []

    def register(n):
        body = {**ROW, "dev_eui": f"70b3d57ed20000{n % 6:02x}", "station": f"s{n}"}
        codes.append(operator.post(DEVICES, json=body).status_code)

    threads = [threading.Thread(target=register, args=(n,)) for n in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(codes) == [201] * 6 + [422] * 6
    assert len(inbox_town.list.read_text(encoding="utf-8").splitlines()) == len(LIST.splitlines()) + 6


def test_without_a_csv_list_the_remedy_is_named(inbox_town, tmp_path):
    from devices.registration import Registration  # noqa: PLC0415 - for this test alone

    inbox_town.changes["registration"] = Registration(None, catalogue=["decentlab-dl-mbx"])
    with operator_of(inbox_town) as client:
        answer = client.post(DEVICES, json=ROW)
        assert answer.status_code == 409
        assert "devices.csv" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", INBOX), ("GET", f"{INBOX}/{GAUGE}"), ("POST", DEVICES), ("POST", IMPORT)]
)
def test_nobody_without_a_token_sees_or_writes_anything(inbox_town, method, path):
    given = {"content": json.dumps(ROW)} if method == "POST" else {}
    with TestClient(inbox_town.app()) as client:
        assert client.request(method, path, **given).status_code == 401
        assert (
            client.request(method, path, headers={"Authorization": "Bearer no"}, **given).status_code == 401
        )
        # the session's cookie alone is what another site could make a browser send
        client.cookies.set("stadtfunk-session", TOKEN)
        assert client.request(method, path, **given).status_code == 401
        own = {"Stadtfunk-Console": "1"}
        for far in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            if method == "POST":
                assert client.request(method, path, headers={**own, **far}, **given).status_code == 403
    inbox_town.tokens = ()
    with TestClient(inbox_town.app()) as client:
        assert client.request(method, path, **given).status_code == 403
    assert inbox_town.list.read_text(encoding="utf-8") == LIST


def test_the_openapi_document_says_what_a_device_has():
    paths = openapi()["paths"]
    schema = paths[DEVICES]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"].keys() == DeviceRow.model_fields.keys() == DeviceBody.model_fields.keys()
    assert "text/csv" in paths[IMPORT]["post"]["requestBody"]["content"]
    assert {"201", "401", "403", "409", "422"} <= paths[DEVICES]["post"]["responses"].keys()
