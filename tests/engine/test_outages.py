"""One dead gateway is one cause; a catchment with too few live gauges is blind; each server for itself."""

from dataclasses import replace

from engine_city import MIN, T0, kernels, readings, registry
from hypothesis import given
from hypothesis import strategies as st

from alerts.catchments import Catchment, Catchments, Reach
from alerts.engine import Engine
from alerts.event import from_row
from alerts.kernels.kernels import BEGINNING_US, Kernels
from alerts.rules import load_rules, parse_rules
from alerts.watch.outages import Hearing
from devices.registry import Registry
from ingest.gateways import GatewayBook
from ingest.journal import Accepted, newest_uplinks
from ingest.reading import Measured, Series
from ingest.uplink import Gateway, TimeSource, Uplink

LEVELS = [Series(f"pegel-{i}", "water_level", "", f"{i + 1:016x}") for i in range(6)]
RAIN = [Series(f"regen-{i}", "precipitation", "", f"{i + 101:016x}") for i in range(3)]
CITY = [*LEVELS, *RAIN]
MARKS = {"stages_cm": (50.0, 100.0)}
HOUR = 60


def uplink(series, minute, *gateways, server="ns"):
    time = T0 + minute * MIN
    return Uplink(
        server,
        series.dev_eui,
        1,
        0,
        "",
        b"",
        time,
        time,
        time,
        TimeSource.SERVER,
        gateways=tuple(Gateway(each) for each in gateways),
    )


class Town:
    """Kernels that hear by gateways: `ways` says which gateways hear a series, and `down` which are dead."""

    def __init__(self, ways=None, catchments=None, servers=None, state=None):
        self.ways = ways or {}
        self.server = servers or {}
        self.book = GatewayBook()
        self.down = set()
        self.dead = set()
        self.away = set()
        self.listening = {"ns": T0}
        self.started = T0
        self.catchments = catchments
        self.kernels = self.machine(state)
        self.events = []

    def machine(self, state=None):
        return Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, state, catchments=self.catchments)

    def hour(self, begin, end, values=None):
        """Every series reports every five minutes from `begin` to before `end`, with a look each minute."""
        for minute in range(begin, end):
            for number, series in enumerate(CITY):
                if (minute - number) % 5 or number in self.dead:
                    continue
                server = self.server.get(number, "ns")
                gateways = [g for g in self.ways.get(number, ("g",)) if g not in self.down]
                if not gateways or server in self.away:
                    continue
                self.book.hear([uplink(series, minute, *gateways, server=server)])
                value = (values or {}).get(number, 20.0 + minute % 2 if number < len(LEVELS) else 0.0)
                self.events += self.kernels.step(readings((number, T0 + minute * MIN, value)))
            hearing = Hearing(
                self.started,
                {name: since for name, since in self.listening.items() if name not in self.away},
                self.away,
                self.book.reception(),
            )
            self.events += self.kernels.tick(T0 + minute * MIN, T0, BEGINNING_US, hearing)
        return self

    def told(self, *kinds):
        return [(e.kind, e.station) for e in self.events if not kinds or e.kind in kinds]


WAYS = {0: ("a",), 1: ("a",), 2: ("a",), 3: ("a", "b"), 4: ("b",), 5: ("b",), 6: ("b",), 7: ("b",), 8: ("b",)}


def test_a_dead_gateway_is_one_cause_and_its_devices_events_name_it_and_tell_nobody():
    town = Town(WAYS).hour(0, 60, {0: 60.0})
    assert town.told("gateway_lost", "sensor_stale", "sensor_lost") == []
    town.down = {"a"}
    town.hour(60, 180)
    assert town.told("gateway_lost", "gateway_back") == [("gateway_lost", "a")]
    (lost,) = (e for e in town.events if e.kind == "gateway_lost")
    assert (lost.audience, lost.measure, lost.value) == ("staff", "gateway", 3.0)
    assert lost.severity == "Moderate"
    assert lost.id == "ns.a.gateway.20250615T160800Z.lost"
    assert "pegel-0" in lost.reason  # the warning there stands
    silent = [e for e in town.events if e.kind in ("sensor_stale", "sensor_lost")]
    assert {e.station for e in silent} == {"pegel-0", "pegel-1", "pegel-2"}
    assert all("gateway a " in e.reason and e.audience is None for e in silent)
    assert {e.kind for e in silent} == {"sensor_stale", "sensor_lost"}
    assert not any("000000000000000" in e.id + e.reason for e in town.events)


def test_it_is_back_with_the_next_uplink_it_forwards_whosever_that_is():
    town = Town(WAYS).hour(0, 60)
    town.down = {"a"}
    town.hour(60, 120)
    foreign = Series("nowhere", "water_level", "", "ffffffffffffffff")
    town.book.hear([uplink(foreign, 120, "a")])
    town.hour(120, 121)
    assert town.told("gateway_lost", "gateway_back") == [("gateway_lost", "a"), ("gateway_back", "a")]
    lost, back = (e for e in town.events if e.measure == "gateway")
    assert (back.episode, back.time_us, back.audience) == (lost.episode, T0 + 120 * MIN, "staff")


def test_a_device_that_two_gateways_hear_is_not_taken_down_by_one():
    both = dict.fromkeys(range(9), ("a", "b"))
    town = Town(both).hour(0, 60)
    town.down = {"a"}
    town.hour(60, 240)
    assert town.events == [e for e in town.events if e.measure == "dwd_starkregen"] == []


def test_sensors_that_die_while_their_gateway_forwards_others_are_their_own_cause():
    town = Town(dict.fromkeys(range(9), ("a",))).hour(0, 60)
    town.dead = {0, 1, 2, 3, 4, 5, 6, 7}
    town.hour(60, 180)
    assert town.told("gateway_lost") == []
    assert len(town.told("sensor_lost")) == 8


def test_two_devices_are_too_few_to_blame_their_gateway():
    town = Town({0: ("a",), 1: ("a",)}).hour(0, 60)
    town.down = {"a"}
    town.hour(60, 240)
    assert town.told("gateway_lost") == []
    assert town.told("sensor_lost") == [("sensor_lost", "pegel-0"), ("sensor_lost", "pegel-1")]


def test_a_lost_gateway_survives_a_restart_and_is_told_once():
    town = Town(WAYS).hour(0, 60)
    town.down = {"a"}
    town.hour(60, 90)
    again = Town(WAYS, state=town.kernels.pages())
    again.started = T0 + 90 * MIN
    again.book, again.down = town.book, {"a"}
    again.hour(90, 180)
    assert again.told("gateway_lost") == []
    assert all("gateway a " in e.reason for e in again.events if e.kind == "sensor_lost")
    again.down = set()
    again.hour(180, 190)
    assert again.told("gateway_back") == [("gateway_back", "a")]


def test_while_one_server_is_away_its_devices_are_not_silent_and_the_others_are():
    servers = dict.fromkeys(range(4), "tts")
    town = Town(servers=servers)
    town.listening["tts"] = T0
    town.hour(0, 60)
    town.away, town.dead = {"tts"}, {5}
    town.hour(60, 180)
    assert {e.station for e in town.events if e.kind.startswith("sensor")} == {"pegel-5"}
    assert town.told("gateway_lost") == []
    # heard again since three hours, and still not a word from them
    town.away, town.dead, town.listening["tts"] = set(), {0, 1, 5}, T0 + 180 * MIN
    town.hour(180, 190)
    assert {e.station for e in town.events if e.kind.startswith("sensor")} == {"pegel-5"}
    town.hour(190, 260)
    assert {e.station for e in town.events if e.kind == "sensor_lost"} == {"pegel-0", "pegel-1", "pegel-5"}


TWO = Catchments(
    "c",
    (
        Catchment(id="strunde", name="Strunde", stations=("pegel-[0-3]", "regen-0"), min_live=3),
        Catchment(id="far", stations=("pegel-[45]", "regen-[12]"), min_live=1),
    ),
)


def sights(town):
    return {each.id: (each.live, each.blind_since_us is not None) for each in town.kernels.outages.sights}


def test_a_catchment_is_blind_with_too_few_live_gauges_and_sighted_with_enough():
    town = Town(catchments=TWO).hour(0, 60)
    assert sights(town) == {"strunde": (5, False), "far": (4, False)}
    town.dead = {0, 1, 6}
    town.hour(60, 121)
    assert town.told("blind", "sighted") == [("blind", "strunde")]
    (blind,) = (e for e in town.events if e.kind == "blind")
    assert (blind.audience, blind.measure, blind.value) == ("staff", "catchment", 2.0)
    # five gauges, three must live: when the third last good value became too old
    assert blind.time_us == T0 + (56 + 60) * MIN
    assert sights(town) == {"strunde": (2, True), "far": (4, False)}
    town.dead = {0, 1}
    town.hour(121, 130)
    assert town.told("blind", "sighted") == [("blind", "strunde"), ("sighted", "strunde")]
    assert town.events[-1].episode == blind.episode
    town.hour(130, 200)
    assert town.told("blind", "sighted") == [("blind", "strunde"), ("sighted", "strunde")]


def test_while_it_rains_near_a_gauge_must_be_younger():
    near = Catchments(
        "c", TWO.catchments, (Reach(**{"from": "pegel-0", "to": "pegel-5", "travel_min": [1, 2]}),)
    )
    for catchments, when in ((near, 56 + 12.5), (TWO, 56 + 60)):
        town = Town(catchments=catchments).hour(0, 60)
        town.dead = {0, 1, 6}
        town.hour(60, 130, {7: 1.0})  # rain in the other catchment
        (blind,) = (e for e in town.events if e.kind == "blind")
        assert blind.time_us == T0 + when * MIN


def test_tighter_while_it_rains_is_the_catchments_own_and_its_neighbours():
    near = Catchments(
        "c", TWO.catchments, (Reach(**{"from": "pegel-0", "to": "pegel-5", "travel_min": [1, 2]}),)
    )
    for catchments, stale in ((near, 7.5), (TWO, 12.5), (None, 7.5)):
        it = Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, catchments=catchments)
        it.step(readings((7, T0, 1.0), (0, T0, 20.0)))
        found = [e for minute in range(60) for e in it.tick(T0 + minute * MIN)]
        assert next(e for e in found if e.station == "pegel-0").time_us == T0 + stale * MIN


def test_values_that_are_not_believed_and_gauges_in_maintenance_do_not_count():
    town = Town(catchments=TWO).hour(0, 60)
    town.hour(60, 130, dict.fromkeys((0, 1, 2), 5000.0))
    assert town.told("blind") == [("blind", "strunde")]
    rules = parse_rules(
        {
            "rule": [{"id": "l", "kind": "water_level"}],
            "maintenance": [
                {"stations": "pegel-*", "from": "2025-06-15T00:00:00Z", "to": "2025-06-16T00:00:00Z"}
            ],
        },
        "r",
    )
    it = Kernels(rules, registry(CITY), None, CITY, catchments=TWO)
    hearing = Hearing(T0 - 3 * HOUR * MIN)
    it.step(readings(*((n, T0, 1.0) for n in range(9))))
    assert [(e.kind, e.station) for e in it.tick(T0 + MIN, hearing=hearing)] == [("blind", "strunde")]


def test_no_catchment_is_blind_before_its_gauges_had_the_time_to_report():
    town = Town(catchments=TWO)
    town.dead = set(range(9))
    assert town.hour(0, 60).events == []
    assert town.hour(60, 62).told() == [("blind", "strunde"), ("blind", "far")]
    # and after a restart they are blind still, and are not told again
    again = Town(catchments=TWO, state=town.kernels.pages())
    again.dead = town.dead
    again.started = T0 + 62 * MIN
    assert again.hour(62, 200).events == []
    again.dead = set()
    assert again.hour(200, 206).told("sighted") == [("sighted", "far"), ("sighted", "strunde")]


def test_a_city_without_gauges_is_not_blind():
    series = [Series("p", "parking_occupied", "", "0000000000000001")]
    it = kernels(series)
    assert it.tick(T0 + 1000 * MIN, hearing=Hearing(T0)) == []
    assert it.outages.sights == ()


@given(
    st.lists(st.tuples(st.integers(0, 8), st.sets(st.sampled_from("abc"), min_size=1), st.integers(0, 99)))
)
def test_the_book_names_as_alone_only_who_was_alone_lately(heard):
    book = GatewayBook()
    book.hear([uplink(CITY[s], minute, *sorted(gateways)) for s, gateways, minute in heard])
    reception = book.reception()
    for s, series in enumerate(CITY):
        mine = [gateways for number, gateways, _ in heard if number == s]
        if not mine:
            continue
        lately = mine[-3:] if len(mine) > 3 and len({*map(frozenset, mine)}) > 1 else mine
        same = all(each == lately[0] for each in lately) and len(lately[0]) == 1
        assert reception.devices[series.dev_eui].alone == ("".join(lately[0]) if same else "")
    for gateway in "abc":
        times = [T0 + minute * MIN for _, gateways, minute in heard if gateway in gateways]
        assert reception.gateways.get(("ns", gateway), 0) == max(times, default=0)


def test_the_book_is_bounded_and_forgets_who_was_silent_longest():
    book = GatewayBook(gateways=10, devices=5)
    for i in range(100):
        book.hear([uplink(Series("s", "p", "", f"{i:016x}"), i, f"g{i}")])
    reception = book.reception()
    assert len(reception.gateways) <= 10
    assert ("ns", "g99") in reception.gateways
    assert set(reception.devices) == {f"{i:016x}" for i in range(95, 100)}


def test_several_antennas_of_one_gateway_are_one_gateway():
    book = GatewayBook()
    book.hear([uplink(CITY[0], 0, "a", "a")])
    assert book.reception().devices[CITY[0].dev_eui].alone == "a"


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from("ab"), min_size=1)), min_size=1))
def test_an_uplink_whose_gateways_are_told_later_counts_once(heard):
    one, other = GatewayBook(), GatewayBook()
    for minute, (in_halves, gateways) in enumerate(heard):
        whole = uplink(CITY[0], minute, *sorted(gateways))
        one.hear([whole])
        if in_halves:
            other.hear([replace(whole, gateways=())])
        other.hear([whole])
        assert one.reception() == other.reception()


def test_a_device_of_which_no_gateway_is_told_any_more_is_nobodys():
    book = GatewayBook()
    book.hear([uplink(CITY[0], minute, "a") for minute in range(5)])
    assert book.reception().devices[CITY[0].dev_eui].alone == "a"
    for minute in range(5, 9):
        book.hear([uplink(CITY[0], minute)])
        assert book.reception().devices[CITY[0].dev_eui].alone == ""


def test_the_book_is_rebuilt_from_the_journal(journal):
    ups = [uplink(CITY[i % 9], i, "a", *(["b"] if i % 9 == 4 else [])) for i in range(60)]
    journal.append([Accepted(each, (), (i,)) for i, each in enumerate(ups)])
    one, other = GatewayBook(), GatewayBook()
    one.hear(ups)
    other.hear(newest_uplinks(journal))
    assert one.reception() == other.reception()


def test_the_engine_tells_of_a_gateway_once(journal):
    now = [T0]
    book = GatewayBook()

    def engine():
        return Engine(
            journal,
            load_rules(),
            lambda: Registry(registry(CITY).devices, registry(CITY).stations),
            lambda: now[0],
            hears=lambda: {"ns": True},
            heard_by=book.reception,
            checkpoint_s=0,
        )

    it = engine()
    for minute in range(100):
        now[0] = T0 + minute * MIN
        if minute < 20:
            ups = [uplink(series, minute, "a") for series in CITY]
            book.hear(ups)
            rows = [
                Accepted(each, (Measured(series, each.time_us, 1.0, 1),), ())
                for each, series in zip(ups, CITY, strict=True)
            ]
            journal.append(rows)
        if minute == 50:
            it = engine()
        while it.run_once():
            pass
    events = [from_row(row) for _, row in journal.events(0, 1000)]
    assert [e.id for e in events if e.measure == "gateway"] == ["ns.a.gateway.20250615T152900Z.lost"]
    assert it.stats.gateways_lost == 1
