"""Which number the document of a step has: its step's, as long as journal and archive tell the same story.

Where an older journal was restored beside a newer cap.db, the archive knows documents whose steps the journal
does not; what is decided then goes on from their numbers, so that no identifier is used twice.
"""

from collections.abc import Sequence

from alerts.cap.document import Document, heard, told_by
from alerts.city.city_warning import CityWarning


def numbers(warning: CityWarning, issued: Sequence[Document]) -> list[int]:
    """The number of each step's document, whether there is one or not. `issued`: oldest first."""
    known = {each.step: each.number for each in issued}
    steps = {told_by(each) for each in warning.steps}
    taken = max((each.number for each in issued if each.step not in steps), default=0)
    found, ahead = [], 0
    for place, each in enumerate(warning.steps, 1):
        number = known.get(told_by(each))
        if number is None:
            number = place + ahead if place + ahead > taken else taken + 1
        ahead = number - place
        found.append(number)
    return found


def due(warning: CityWarning, issued: Sequence[Document]) -> list[int]:
    """The steps (from 1) that want a document: none that is older than one that has its own, its time is
    over."""  # noqa: D205, D209 - one thought
    known = {each.step for each in issued}
    done = max((place for place, each in enumerate(warning.steps, 1) if told_by(each) in known), default=0)
    return [place for place, _ in heard(warning) if place > done]
