"""Every error of this package; none of them leaves it.

LimitReached   a call ended otherwise than by an answer
"""


class LimitReached(Exception):  # noqa: N818 - an outcome, not a fault of ours
    """A call ended otherwise than by an answer.

    `kind`: `timeout`, `memory` or `crash`; `words`: more for operators, may be empty.
    """

    def __init__(self, kind: str, words: str = "") -> None:
        super().__init__(f"{kind}: {words}")
        self.kind, self.words = kind, words
