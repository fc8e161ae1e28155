"""Who publishes."""

from api.formats import Item
from api.services import City


def creator(city: City) -> Item:
    """The city, by its Regionalschlüssel where it is known, else by its name."""
    return {"country": "DE", "nationalIdentifier": f"DE-{city.ars or city.name}"}
