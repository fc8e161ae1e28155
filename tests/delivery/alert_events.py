"""Events as the engine would write them, for the delivery tests."""

from alerts.event import Event, to_row

NOW_US = 1_130_000_000_000_000


def make_event(  # noqa: PLR0913 - an event's fields
    event="e1",
    kind="raise",
    *,
    episode="ep1",
    measure="dwd_starkregen",
    level=3,
    value=27.4,
    time_us=NOW_US,
    window_min=60,
    audience="staff",
):
    if kind in {"step_down", "clear"}:
        audience = None
    return Event(
        id=event,
        episode=episode,
        time_us=time_us,
        station="s1",
        kind=kind,
        measure=measure,
        level=0 if kind == "clear" else level,
        window_min=window_min,
        value=value,
        rule="rain",
        reason="27.4 mm in 60 min",
        audience=audience,
    )


def write_events(journal, *events):
    part = journal.load("engine")
    journal.commit(
        "engine",
        part.fence,
        part.cursor,
        events=[to_row(event) for event in events],
    )
