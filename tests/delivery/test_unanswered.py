"""Messages a service gave no answer about: tried three times, and not remembered for ever."""

from alerts.delivery.bulk import Unanswered


def test_the_third_time_without_an_answer_is_the_last():
    unanswered = Unanswered()
    assert [unanswered.again("e1", 7) for _ in range(3)] == ["unknown", "unknown", "lost"]
    assert len(unanswered) == 0


def test_each_message_to_each_counts_for_itself_and_an_answer_ends_it():
    unanswered = Unanswered()
    for event, to in (("e1", 7), ("e1", 7), ("e1", 8), ("e2", 7)):
        assert unanswered.again(event, to) == "unknown"
    unanswered.over("e1", 7)
    unanswered.over("e1", 7)
    assert len(unanswered) == 2
    assert [unanswered.again("e1", to) for to in (7, 8)] == ["unknown", "unknown"]
