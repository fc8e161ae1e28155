"""Whether a codec may be kept warm from one frame to the next."""

import random
from collections.abc import Sequence

from devices.decoded import Frame
from devices.javascript.sandbox import Sandbox, Source


def warm_differs(sandbox: Sandbox, source: Source, frames: Sequence[Frame]) -> bool:
    """Whether a codec keeps something from one frame for the next.

    Compares answers in a fresh context each with those of a warm one: in their order, backwards and shuffled
    (the same way every time).
    """
    alone = sandbox.run(source, frames, fresh=True)
    order = list(range(len(frames)))
    shuffled = random.Random(source.sha256).sample(order, len(order))  # noqa: S311 - an order, no secret
    for each in (order, order[::-1], shuffled):
        warm = sandbox.run(source, [frames[i] for i in each])
        if warm != [alone[i] for i in each]:
            return True
    return False
