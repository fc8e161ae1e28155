"""Whether a series still says something: its device stands there, and counts in that direction."""

from alerts.kernels.plan import Place
from alerts.mobility.counted import counted_properties


def stands(place: Place, number: int) -> bool:
    """Whether the device of a series is at its station now, and turned as it was.

    A counter that knows only one direction gets it from the device list. Turned round there, it is heard in
    the other one; what it said of the first is over, as if it had been taken away.
    """
    if not place.stands(number):
        return False
    series, device, type_ = place.series[number], place.device(number), place.type(number)
    if device is None or type_ is None or series.property not in type_.undirected & counted_properties():
        return True
    return series.channel == device.direction
