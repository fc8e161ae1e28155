"""A source that has no more Observations than it is asked for gives the same answers as one that has all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sta_scratch import MINUTE, T0, Scratch, fill

from api.sta.answers import Asked, answer
from api.sta.query_options import parse_options
from api.sta.sql import Sql
from api.sta.url_path import parse_path

BASE = "https://example.org/sta/v1.1"
QUARTER = 15 * MINUTE


class Frugal(Scratch):
    """Takes every scope at its word."""

    ids_follow_time = True
    limits = True
    result_ends = True

    def observations(self, _connection, scope):
        self.scopes.append(scope)
        conditions, parameters = ["1"], []
        for column, ids in (
            ("datastream_id", scope.datastreams),
            ("id", scope.ids),
            ("feature_id", scope.features),
        ):
            if ids is not None:
                conditions.append(f"{column} IN ({', '.join('?' * len(ids))})")
                parameters += ids
        for condition, bound in (
            ("coalesce(phenomenon_end, phenomenon_begin) >= ?", scope.begin_us),
            ("phenomenon_begin <= ?", scope.end_us),
            ("id > ?", scope.id_above),
            ("id < ?", scope.id_below),
        ):
            if bound is not None:
                conditions.append(condition)
                parameters.append(bound)
        place = f"PARTITION BY datastream_id ORDER BY phenomenon_begin {'DESC' if scope.newest_first else ''}"
        numbered = f"SELECT *, row_number() OVER ({place}) AS place FROM observations"
        found = f"{numbered} WHERE {' AND '.join(conditions)}"
        limit = -1 if scope.limit is None else scope.limit
        return Sql(f"(SELECT * FROM ({found}) WHERE ? < 0 OR place <= ?)", (*parameters, limit, limit))


class Whole(Scratch):
    ids_follow_time = True
    limits = True
    result_ends = True


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    path = tmp_path_factory.mktemp("scopes") / "sta.db"
    whole = fill(Whole(path))
    whole.execute("DELETE FROM observations")
    rows = []
    for stream in (1, 2, 4):
        for place in range(40):
            begin = T0 + place * QUARTER
            end = begin + QUARTER if stream == 2 else None
            rows.append(
                (
                    *(stream * 1000 + place, begin, end, place * 7 % 11, None, end or begin, *[None] * 4),
                    *(stream, 1 + stream % 2),
                )
            )
    whole.insert("observations", *rows)
    frugal = Frugal.__new__(Frugal)
    frugal._path = path
    return whole, frugal


def read(source, path, query):
    address = f"{BASE}/{path}"
    return answer(source, Asked(BASE, address, query, parse_path(path), parse_options(query)), {}).body


PATHS = [
    *("Observations", "Datastreams(1)/Observations", "Datastreams(2)/Observations", "Observations(2003)"),
    *("FeaturesOfInterest(1)/Observations", "Datastreams", "Things(1)/Datastreams(4)/Observations"),
    *("Observations(1003)/Datastream/Observations", "Datastreams(2)/Observations(2039)/FeatureOfInterest"),
]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "$orderby": st.sampled_from(
            [
                *("id", "id desc", "phenomenonTime", "phenomenonTime desc", "phenomenonTime desc,id asc"),
                *("result desc", "phenomenonTime,result", "Datastream/name,phenomenonTime"),
            ]
        ),
        "$filter": st.sampled_from(
            [
                *("result gt 5", "phenomenonTime ge 2026-07-14T20:30:00Z", "id gt 1010 and id lt 4020"),
                *(
                    "Datastream/id eq 2 and phenomenonTime lt 2026-07-14T20:30:00Z",
                    "Datastream/name eq 'Regen'",
                ),
                *("not (phenomenonTime ge 2026-07-14T20:30:00Z)", "FeatureOfInterest/id eq 2"),
                *("resultTime gt 2026-07-14T20:45:00Z", "resultTime le 2026-07-14T20:45:00Z"),
                *("resultTime eq 2026-07-14T20:45:00Z", "date(resultTime) eq 2026-07-14"),
            ]
        ),
        "$top": st.integers(7, 50).map(str),
        "$skip": st.integers(0, 5).map(str),
        "$count": st.just("true"),
    },
)


def text(options, separator):
    return separator.join(f"{name}={value}" for name, value in options.items())


@settings(max_examples=80)
@given(st.sampled_from(PATHS), OPTIONS)
def test_a_scope_leaves_nothing_out_that_a_page_needs(sources, path, options):
    whole, frugal = sources
    query = text(options, "&")
    if path == "Datastreams":
        query = f"$expand=Observations({text(options, ';')})"
    for _ in range(30):
        frugal.scopes = []
        expected = read(whole, path, query)
        assert read(frugal, path, query) == expected
        _, found, link = expected.partition(b'"@iot.nextLink":"')
        if not found or path == "Datastreams":
            break
        query = link.partition(b'"')[0].decode().partition("?")[2]
    else:
        pytest.fail("the pages never end")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("Datastreams(1)/Observations", "$top=5"),
        ("Datastreams(1)/Observations", "$top=5&$orderby=phenomenonTime desc"),
        ("Observations", "$top=5&$orderby=phenomenonTime desc"),
        ("Datastreams", "$expand=Observations($top=5;$orderby=phenomenonTime desc)"),
        ("Datastreams(1)", "$expand=Observations($top=5)"),
        ("Observations", "$top=5"),
        ("Observations(1003)", ""),
        ("Observations", "$filter=Datastream/id eq 1 and phenomenonTime ge 2026-07-14T20:30:00Z"),
    ],
)
def test_a_scope_is_narrow(sources, path, query):
    _, frugal = sources
    frugal.scopes = []
    read(frugal, path, query)
    used = [each for each in frugal.scopes if each.limit != 0]
    assert used
    for scope in used:
        assert scope.limit == 6 or scope.ids is not None or scope.begin_us is not None
