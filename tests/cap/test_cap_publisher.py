"""What is issued when, what is not, and that what is out stays as it is."""

from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from validators import faults
from warned_city import BASIS, MINUTE, T0, TEXTS, step, warned

from alerts.board import WarningBoard
from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.cap.rules import check
from alerts.city.city_warning import fold
from alerts.event import CityText, Event


def raised(desk, kind="raise", level=3, *, at_us=T0, **where):
    audience, station = where.get("audience", "public"), where.get("station", "strunde-gierath")
    desk.board.apply(
        [
            Event(
                f"e.{station}.{kind}.{level}",
                f"water_level:{station}:1",
                at_us,
                station,
                kind,
                "water_level",
                level,
                None,
                120.0 + level,
                "rule",
                "why",
                audience=audience,
            )
        ]
    )


def test_a_release_is_listed_at_once_and_a_proposal_is_not(desk):
    publisher = desk.open()
    desk.warnings = [warned("propose")]
    assert publisher.listed() == ()
    desk.warnings = [fold(desk.warnings[0], step(2, "release"))]
    (listed,) = publisher.listed()
    assert (listed.in_force, listed.latest.message) == (True, "Alert")
    desk.warnings = [fold(desk.warnings[0], step(3, "all_clear"))]
    (listed,) = publisher.listed()
    assert (listed.in_force, listed.latest.ends, len(listed.documents)) == (False, True, 2)
    assert publisher.document(listed.documents[0].identifier) == listed.documents[0]
    desk.warnings = []
    assert publisher.listed() == ()
    assert publisher.document(listed.latest.identifier) == listed.latest


def test_what_is_out_does_not_change_with_the_configuration(desk):
    desk.warnings = [warned("release")]
    (before,) = desk.open().listed()
    desk.basis = replace(BASIS, issuer=replace(BASIS.issuer, name="Umbenannt"))
    (after,) = desk.open().listed()
    assert after == before
    desk.warnings = [fold(desk.warnings[0], step(2, "update"))]
    (later,) = desk.open().listed()
    assert later.documents[0] == before.latest
    assert b"Umbenannt" in later.latest.xml


def test_a_document_that_fails_is_not_published_and_said_to_be(desk):
    desk.warnings = [warned("release", texts={"de": CityText("", "Die Strunde steigt.", "")})]
    publisher = desk.open()
    assert publisher.listed() == ()
    assert not publisher.health.ok
    assert "headline is missing" in publisher.health.detail
    # corrected: the public hears of it for the first time
    desk.warnings = [fold(desk.warnings[0], step(2, "update"))]
    (listed,) = publisher.listed()
    assert (listed.latest.message, listed.latest.number) == ("Alert", 2)
    assert not publisher.health.ok
    # after a restart it is not published behind its correction's back
    again = desk.open()
    assert [each.number for each in again.listed()[0].documents] == [2]
    assert again.health.ok


def test_an_end_after_an_older_journal_was_restored_has_its_document(desk):
    desk.warnings = [warned("release", "update", "update")]
    (before,) = desk.open(drafts=True).listed()
    # the journal of before the updates, beside the archive that knows them
    desk.warnings = [warned("release")]
    publisher = desk.open(drafts=True)
    assert publisher.listed()[0].documents == before.documents
    desk.warnings = [fold(desk.warnings[0], step(2, "all_clear", minute=9))]
    (ended,) = publisher.listed()
    assert (ended.latest.ends, ended.latest.number) == (True, 4)
    text = ended.latest.xml.decode()
    assert all(each.reference in text for each in before.documents)
    assert publisher.name(desk.warnings[0], 2) == ended.latest.identifier
    # and once only
    assert desk.open(drafts=True).listed() == (ended,)


def test_a_step_after_an_older_journal_was_restored_is_another_one(desk):
    """The number and the action are those of a document that is out, the decision is not."""
    desk.warnings = [warned("release", "update")]
    desk.open().listed()
    desk.warnings = [fold(warned("release"), step(2, "update", minute=7, severity="Extreme"))]
    publisher = desk.open()
    assert b"<severity>Extreme</severity>" in publisher.listed()[0].latest.xml
    desk.warnings = [fold(desk.warnings[0], step(3, "cancel", minute=8))]
    assert [each.number for each in publisher.listed()[0].documents] == [1, 2, 3, 4]


def test_a_warning_that_never_got_out_is_not_called_off(desk):
    desk.warnings = [warned("release", valid_min=0)]
    publisher = desk.open()
    assert publisher.listed() == ()
    desk.warnings = [fold(desk.warnings[0], step(2, "all_clear"))]
    assert publisher.listed() == ()


def test_the_notices_in_its_areas_say_what_it_rests_on(desk):
    raised(desk)
    raised(desk, station="geheim-pegel", level=4)
    desk.warnings = [warned("release")]
    (listed,) = desk.open(notices="off").listed()
    assert listed.latest.hazards == ("flood",)
    assert b"strunde-gierath" not in listed.latest.xml
    assert b"Pegel Gierath: 123 cm" in listed.latest.xml
    assert b"geheim" not in listed.latest.xml


def test_notices_are_for_few_for_all_or_not_at_all(desk):
    raised(desk)
    raised(desk, station="geheim-pegel", level=4)
    restricted = desk.open()
    assert {(each.latest.status, each.latest.scope) for each in restricted.listed()} == {
        ("Test", "Restricted")
    }
    assert desk.open(notices="off").listed() == ()


def test_the_city_may_publish_its_observations(desk):
    raised(desk)
    raised(desk, station="geheim-pegel", level=4)
    raised(desk, station="regen-gierath", audience="staff")
    scopes = {each.latest.warning: each.latest.scope for each in desk.open(notices="public").listed()}
    assert scopes == {
        "water_level:strunde-gierath:1": "Public",
        "water_level:geheim-pegel:1": "Restricted",
        "water_level:regen-gierath:1": "Restricted",
    }


def test_a_notice_is_issued_again_before_it_runs_out_and_ends_without_an_all_clear(desk):
    publisher = desk.open()
    raised(desk)
    for minutes in range(0, 300, 10):
        desk.now_us = T0 + minutes * MINUTE
        (listed,) = publisher.listed()
        assert listed.latest.expires_us > desk.now_us + 10 * MINUTE
    assert 3 <= len(listed.documents) <= 5
    raised(desk, "clear", 0, at_us=desk.now_us)
    (listed,) = publisher.listed()
    assert listed.latest.ends
    assert b"AllClear" not in listed.latest.xml
    assert all(check(each.xml) == [] and faults(each.xml) == [] for each in listed.documents)


def test_drafts_are_made_beside_and_never_listed(desk):
    desk.warnings = [warned("release", "update")]
    publisher = desk.open(drafts=True)
    (listed,) = publisher.listed()
    assert {each.scope for each in listed.documents} == {"Public"}
    drafts = publisher.archive.of("w1", draft=True)
    assert [each.status for each in drafts] == ["Draft", "Draft"]


def test_a_file_that_cannot_be_written_shows_in_the_health(desk):
    publisher = desk.open()
    publisher.archive.close()
    desk.warnings = [warned("release")]
    assert publisher.listed() == ()
    assert not publisher.health.ok


ACTIONS = ("propose", "release", "update", "decline", "all_clear", "cancel", "expire")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("release", "update", *ACTIONS)), st.booleans(), st.sampled_from((0, 0, 1, 2, 3))
        ),
        max_size=9,
    )
)
def test_whatever_happens_and_fails_and_restarts_what_is_named_exists(tmp_path_factory, steps):
    """Steps, whether each can be published, and whether the service restarts before it: with the journal as
    it was (1), or as it was one or two steps before (2, 3)."""
    archive = CapArchive(tmp_path_factory.mktemp("cap") / "cap.db")
    warnings, events = [], []
    board = WarningBoard(lambda: T0)

    def publisher():
        return CapPublisher(
            archive, lambda: BASIS, lambda: warnings, board, None, clock=lambda: T0, notices="off"
        )

    running = publisher()
    released = False
    for minute, (action, fine, restart) in enumerate(steps, 1):
        texts = TEXTS if fine else {"de": CityText("", "", "")}
        if restart:
            running = publisher()
            del events[len(events) - restart + 1 :]
        events.append(step(len(events) + 1, action, minute=minute, texts=texts))
        warning = reduce(fold, events, None)
        warnings[:] = [warning] if warning else []
        listed = running.listed()
        assert not running._fault.detail
        released = released or bool(warning and warning.released_us is not None)
        if listed and action in {"all_clear", "cancel"} and warning.ended_us == events[-1].time_us:
            assert listed[0].latest.ends
    issued = archive.of("w1")
    known = set()
    for each in issued:
        assert check(each.xml) == []
        references = each.xml.decode().partition("<references>")[2].partition("</references>")[0].split()
        assert set(references) <= known
        assert bool(references) == (each.message != "Alert") == bool(known)
        known.add(each.reference)
    assert released or not issued
    assert len({each.identifier for each in issued}) == len(issued)
    archive.close()
