"""Orders of a person about warnings of the city."""

from warned_city import TEXTS

from alerts.city.order import Order

WHO = "A. Beispiel"


def order(city, action, warning="", **changes):
    known = {"by": WHO, "reason": "seen"} | changes
    return city.office.decide(
        Order(action, known.pop("by"), known.pop("reason"), city.now_us, warning, **known)
    )


def warned(city, **changes):
    known = {"severity": "Severe", "areas": ("gierath",), "texts": TEXTS} | changes
    return order(city, "release", **known)
