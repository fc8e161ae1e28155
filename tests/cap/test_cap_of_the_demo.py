"""Every CAP document of a demo, judged by the schema, our rules and two packages that others wrote."""

import os
import sqlite3
import subprocess
import sys
from collections import defaultdict

import msgspec
import pytest
from defusedxml.ElementTree import fromstring
from validators import faults, others_accept

from alerts.cap.document import NAMESPACE, Document
from alerts.cap.rules import check

SPEED = "1200"


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """In the order they were issued."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "stadtfunk", "--log", "warning", "demo", "--port", "0"]
    done = subprocess.run(
        [*command, "--until-done", "--speed", SPEED, "--keep", str(folder / "kept")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "kept").rglob("cap.db")
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute("SELECT document FROM documents ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [msgspec.json.decode(row[0], type=Document) for row in rows]


def said(document, path):
    found = fromstring(document.xml).findall("/".join(f"{{{NAMESPACE}}}{tag}" for tag in path.split("/")))
    return [each.text for each in found]


def test_each_is_valid_by_everyone(documents):
    for each in documents:
        assert faults(each.xml) == [], each.identifier
        assert check(each.xml) == [], each.identifier
        assert others_accept(each.xml), each.identifier


def test_a_warning_begins_with_an_alert_and_ends_with_an_all_clear_that_names_what_is_in_force(documents):
    warnings = defaultdict(list)
    for each in documents:
        if each.status == "Actual":
            warnings[each.warning].append(each)
    assert len(warnings) >= 3  # as many creeks as the storm falls on
    for of_one in warnings.values():
        first, *later = of_one
        assert (first.message, said(first, "references")) == ("Alert", [])
        assert any(each.message == "Update" and not each.ends for each in later) or len(later) == 1
        assert later[-1].ends
        assert set(said(later[-1], "info/responseType")) == {"AllClear"}
        for number, each in enumerate(later, 1):
            before = of_one[:number]
            active = [other.reference for other in before if other.expires_us > each.sent_us]
            (named,) = said(each, "references")
            assert named.split() == (active or [before[-1].reference])


def test_notices_are_never_taken_for_warnings(documents):
    notices = [each for each in documents if each.status == "Test"]
    assert len(notices) > 20
    assert {each.scope for each in notices} == {"Restricted"}
    assert {each.scope for each in documents if each.status == "Actual"} == {"Public"}
    assert not any("AllClear" in said(each, "info/responseType") for each in notices)
