"""Every error of this package; none of them leaves it.

LimitReached   a call ended otherwise than by an answer
NotNow         there was no call, or its end was not awaited
"""


class LimitReached(Exception):  # noqa: N818 - an outcome, not a fault of ours
    """A call ended otherwise than by an answer.

    `kind`: `timeout`, `memory` or `crash`; `words`: more for operators, may be empty.
    """

    def __init__(self, kind: str, words: str = "") -> None:
        super().__init__(f"{kind}: {words}")
        self.kind, self.words = kind, words


class NotNow(Exception):  # noqa: N818 - an outcome, not a fault of ours
    """There was no call, or its end was not awaited: no codec and no frame is to blame.

    `words` say why; another try is worth while after `wait_s` seconds.
    """

    def __init__(self, words: str, wait_s: float = 0.0) -> None:
        super().__init__(words)
        self.words, self.wait_s = words, wait_s
