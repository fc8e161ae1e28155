"""The small town of the API's tests, with a SensorThings source."""

import contextlib
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "api"))

from small_town import TOKEN, Town

__all__ = ["TOKEN", "town_of"]


@contextlib.contextmanager
def town_of(folder, **changes):
    town = Town(folder)
    town.changes |= changes
    yield town
    town.store.close()
    town.journal.close()
    town.audit.close()
