"""Pages of Observations are found by an index, the thousandth as the first: no sorting, no skipping."""

from contextlib import contextmanager

import orjson
import pytest
from sta_scratch import Scratch, fill

from api.sta.answers import Asked, answer
from api.sta.query_options import parse_options
from api.sta.url_path import parse_path

BASE = "https://example.org/sta/v1.1"


class Traced(Scratch):
    """Tells how SQLite finds the rows of each statement."""

    def __init__(self, path):
        super().__init__(path)
        self.plans = []

    @contextmanager
    def read(self):
        statements = []
        with super().read() as connection:
            connection.set_trace_callback(statements.append)
            yield connection
            connection.set_trace_callback(None)
            self.plans = [
                step[3]
                for each in statements
                if each.startswith("SELECT")
                for step in connection.execute(f"EXPLAIN QUERY PLAN {each}")
            ]


@pytest.mark.parametrize("ids_follow_time", [False, True])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("Datastreams(1)/Observations", "$top=3"),
        ("Datastreams(1)/Observations", "$top=3&$orderby=phenomenonTime"),
        ("Datastreams(1)/Observations", "$top=3&$orderby=phenomenonTime desc"),
        ("Datastreams(1)/Observations", "$top=3&$orderby=id desc"),
        ("FeaturesOfInterest(1)/Observations", "$top=3"),
        ("Observations(1)/Datastream/Observations", "$top=3&$orderby=phenomenonTime asc"),
        ("Datastreams(1)", "$expand=Observations($top=3;$orderby=phenomenonTime desc)"),
    ],
)
def test_a_page_is_a_seek(tmp_path, path, query, ids_follow_time):
    source = fill(Traced(tmp_path / "sta.db"))
    source.ids_follow_time = ids_follow_time
    for _ in range(3):
        asked = Asked(BASE, f"{BASE}/{path}", query, parse_path(path), parse_options(query))
        document = orjson.loads(answer(source, asked, {}).body)
        assert source.plans
        assert not [each for each in source.plans if "SCAN" in each or "TEMP B-TREE" in each]
        link = document.get("@iot.nextLink") or document["Observations@iot.nextLink"]
        assert "$skiptoken=" in link
        address, _, query = link.partition("?")
        path = address.removeprefix(f"{BASE}/")


def test_a_page_of_all_observations_goes_along_their_ids(tmp_path):
    source = fill(Traced(tmp_path / "sta.db"))
    for query, plan in {
        "$top=3": "SCAN e",
        "$top=3&$skiptoken=WzIwXQ": "SEARCH e USING INTEGER PRIMARY KEY (rowid>?)",
    }.items():
        answer(source, Asked(BASE, BASE, query, parse_path("Observations"), parse_options(query)), {})
        assert source.plans == [plan]
