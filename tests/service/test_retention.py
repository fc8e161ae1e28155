"""Old raw uplinks leave the journal day after day, whatever went wrong in between."""

import pytest
from servers import wait_for

from ingest.errors import JournalError
from stadtfunk import retention

DAY_US = 86_400_000_000


@pytest.mark.parametrize("fault", [JournalError("locked"), OSError("disk"), ValueError("a bug")], ids=str)
def test_it_goes_on_after_any_fault_and_does_not_wait_a_day(journal, monkeypatch, fault):
    monkeypatch.setattr(retention, "_AGAIN_S", 0.01)
    asked, prune = [], journal.prune

    def faulty(before_us):
        asked.append(before_us)
        if len(asked) < 3:
            raise fault
        return prune(before_us)

    monkeypatch.setattr(journal, "prune", faulty)
    part = retention.Retention(journal, 7, lambda: 100 * DAY_US)
    part.start()
    try:
        wait_for(lambda: len(asked) == 3)
    finally:
        part.stop()
    assert asked == [93 * DAY_US] * 3
    wait_for(lambda: not part._thread.is_alive())
