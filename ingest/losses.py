"""What was lost on the air: uplinks that a device numbered and that never came.

Within a session a device counts its uplinks, so a gap is a loss. A function of what arrived, of nothing else:
in which order it arrived, in which portions, and whether some of it twice, changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FRAME = np.dtype([("time_s", "<u4"), ("counter", "<u4"), ("session", "<u4")])
"""When the network server received it, Unix time; its counter; a hash of its session."""
Frames = npt.NDArray[np.void]

MOST_GAP = 16_384
"""A network server takes no greater step (MAX_FCNT_GAP of LoRaWAN 1.0): more is another count, no loss."""
MOST_LATE = 64
"""So far back is a straggler; farther back, or what was there already, is a device that begins anew."""
_TURN = 1 << 16
_MOST_TURNED = 1_024


@dataclass(frozen=True, slots=True)
class Tally:
    """Uplinks that arrived, and those that are missing between the first and the last of each session."""

    arrived: int = 0
    lost: int = 0


def tally(frames: Frames) -> Tally:
    """Count FRAMEs of one device, in any order; the same one several times is one."""
    order = np.lexsort((frames["counter"], frames["time_s"], frames["session"]))
    sessions = frames["session"][order]
    steps = np.diff(frames["counter"][order].astype(np.int64))[sessions[1:] == sessions[:-1]]
    # nothing twice, late, wrapped or begun anew: nearly every device
    if not len(steps) or (steps.min() > 0 and steps.max() <= MOST_GAP):
        return Tally(len(frames), int(steps.sum()) - len(steps))
    return _one_by_one(frames[order].tolist())


def _one_by_one(frames: Iterable[tuple[int, int, int]]) -> Tally:
    """The same of frames by session, then in time."""
    arrived = lost = 0
    session, run = -1, _Run(0)
    before: tuple[int, int, int] | None = None
    for frame in frames:
        if frame == before:
            continue
        before = frame
        _, counter, own = frame
        if own != session or not run.take(counter):
            lost += run.lost
            session, run = own, _Run(counter)
        arrived += 1
    return Tally(arrived, lost + run.lost)


class _Run:
    """One count from its beginning, or from where we see it, until the device begins anew."""

    def __init__(self, counter: int) -> None:
        self._low = self._high = counter
        self._turned = 0
        self._seen = {counter}

    @property
    def lost(self) -> int:
        """How many are missing."""
        return self._high - self._low + 1 - len(self._seen)

    def take(self, counter: int) -> bool:
        """Whether it belongs to this count, which then has it."""
        counter += self._turned
        high = self._high
        if self._turned and counter - high > MOST_GAP:
            counter -= _TURN  # late, from before the counter of 16 bits wrapped
        elif high - self._turned < _TURN and 0 < counter + _TURN - high <= _MOST_TURNED:
            counter += _TURN
            self._turned += _TURN
        if counter - high > MOST_GAP or high - counter > MOST_LATE or counter in self._seen:
            return False
        self._seen.add(counter)
        self._low, self._high = min(self._low, counter), max(high, counter)
        return True
