from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import NOW_US, chirpstack, message, tts

from ingest.dedup import HOUR_US, RecentKeys, keys, message_keys
from ingest.network_servers import PARSERS

UPLINK = PARSERS["chirpstack-v4"].parse(message(chirpstack(f_cnt=7)))


def same(one, other):
    return not set(keys(one)).isdisjoint(keys(other))


def test_a_second_delivery_has_the_same_transport_key():
    again = replace(UPLINK, f_cnt=8, payload=b"other")  # it would not even matter what is inside
    assert same(UPLINK, again)
    assert not same(UPLINK, replace(again, server="another"))


def test_the_same_frame_under_another_id_has_the_same_semantic_key():
    assert same(UPLINK, replace(UPLINK, transport_id="other"))
    assert same(UPLINK, replace(UPLINK, transport_id="", server="another", arrived_us=0, time_us=0))


def test_another_frame_shares_no_key():
    other = replace(UPLINK, transport_id="other")
    for change in (
        {"payload": b"other"},  # same session and counter: it wrapped, or the device was reset
        {"f_cnt": 8},
        {"f_port": 2},
        {"session": "01087310"},
        {"dev_eui": "a84041ffff000002"},
    ):
        assert not same(UPLINK, replace(other, **change)), change


@given(st.binary(max_size=3), st.text(max_size=3), st.binary(max_size=3), st.text(max_size=3))
def test_session_and_payload_do_not_run_into_each_other(payload, session, payload2, session2):
    one = replace(UPLINK, transport_id="", payload=payload, session=session)
    other = replace(UPLINK, transport_id="", payload=payload2, session=session2)
    assert same(one, other) == ((payload, session) == (payload2, session2))


def test_things_stack_key_is_the_gateway_servers_id():
    parse = PARSERS["tts-v3"].parse
    body = tts(f_cnt=1)
    again = {**body, "correlation_ids": ["as:up:1", *body["correlation_ids"], "ns:uplink:2"]}
    assert same(parse(message(body)), parse(message(again)))
    assert len(keys(parse(message({**body, "correlation_ids": ["as:up:1"]})))) == 1


def test_message_without_an_uplink_is_known_by_all_of_it():
    one = message(b"{", topic="ab")
    assert message_keys(one) == message_keys(replace(one, arrived_us=0, qos=0))
    for other in (replace(one, topic="a"), replace(one, payload=b"{{"), replace(one, server="b")):
        assert message_keys(one) != message_keys(other)


def test_a_key_is_known_for_48_hours():
    recent = RecentKeys([1], now_us=NOW_US)
    recent.remember([2], NOW_US + HOUR_US)
    recent.remember([3], NOW_US + 47 * HOUR_US)
    assert recent.seen([99, 1])
    recent.remember([4], NOW_US + 48 * HOUR_US)
    assert recent.seen([1])
    recent.remember([5], NOW_US + 50 * HOUR_US)
    assert [key in recent for key in (1, 2, 3, 4, 5)] == [False, False, True, True, True]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=300, unique=True), st.integers(10, 50))
def test_memory_is_bounded_and_the_newest_stay(some, most):
    recent = RecentKeys(most=most)
    for key in some:
        recent.remember([key], NOW_US)
        assert key in recent
        assert len(recent) <= most
    assert len(recent) + recent.forgotten_early == len(some)
    assert all(key in recent for key in some[-(most - most // 10) :])
