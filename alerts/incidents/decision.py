"""What a person decides about an incident."""

from dataclasses import dataclass
from typing import Literal, get_args

from alerts.errors import AlertsError

Action = Literal["acknowledge", "confirm", "decline", "all_clear"]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""acknowledge: somebody takes care · confirm: a person has seen it happen · decline: a person has seen that
it does not · all_clear: the danger is over."""
Refusal = Literal["unknown", "closed", "too_early", "late"]


@dataclass(frozen=True, slots=True)
class Decision:
    """`by`: the person's name; `time_us`: when it was decided, µs since the epoch, UTC."""

    incident: str
    action: Action
    by: str
    reason: str
    time_us: int


class DecisionRefusedError(AlertsError):
    """A decision that cannot be taken: `why` for programs, the text for people.

    unknown: there is no such incident · closed: it is over · too_early: an all-clear while values are still
    Severe · late: the engine did not answer in time; the decision may still be taken.
    """

    def __init__(self, why: Refusal, text: str) -> None:
        super().__init__(text)
        self.why = why
