"""Where a source can be written, what is sent reaches its writer and what that says reaches the sender."""

import json

import pytest
from sta_scratch import Scratch

from api.sta.errors import BadRequestError
from api.sta.writer import Changed


class Notebook(Scratch):
    """Takes Things without a description, and nothing else."""

    writable = True

    def write(self, change):
        if change.method == "DELETE":
            self.execute("DELETE FROM things WHERE id = ?", (change.path.steps[-1].id,))
            return Changed(200)
        thing = json.loads(change.body)
        if "name" not in thing:
            raise BadRequestError("a Thing has a name", "send one")
        self.insert("things", (7, thing["name"], change.content_type, None))
        return Changed(201, f"{change.base}/Things(7)")


@pytest.fixture
def notebook(tmp_path, other_town):
    source = Notebook(tmp_path / "notebook.db")
    return other_town(sta=lambda _: source, sta_writer=source, tokens=())


def test_what_is_written_can_be_read_at_once(notebook):
    assert any(
        "create-update-delete/deep-insert" in each
        for each in notebook.json()["serverSettings"]["conformance"]
    )
    before = notebook.get("Things")
    assert before.headers["cache-control"] == "no-cache"
    answer = notebook.session.post(f"{notebook.base}/Things", json={"name": "neu"}, timeout=30)
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["location"] == f"{notebook.base}/Things(7)"
    after = notebook.get("Things", headers={"If-None-Match": before.headers["etag"]})
    assert [each["name"] for each in after.json()["value"]] == ["neu"]
    assert notebook.json("Things(7)")["description"] == "application/json"
    assert notebook.session.delete(answer.headers["location"], timeout=30).status_code == 200
    assert notebook.json("Things")["value"] == []


def test_what_the_writer_refuses_is_a_problem(notebook):
    answer = notebook.session.post(f"{notebook.base}/Things", json={}, timeout=30)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["detail"], answer.json()["hint"]) == ("a Thing has a name", "send one")
    allowed = notebook.session.options(f"{notebook.base}/Things", timeout=30).headers["allow"]
    assert allowed == "GET, HEAD, OPTIONS, POST"
