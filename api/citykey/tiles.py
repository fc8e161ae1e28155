"""The tile that opens the residents' page."""

from typing import Any

from api.citykey.forms import paragraphs
from api.services import City

_CATEGORY = "1"
_SERVICE, _ACTION = 1, 1
_TITLE = "Pegel, Regen, Parken"
_ICON, _IMAGE = "ic_poi.png", "default.jpg"
"""Names on Citykey's own picture server: the apps load none from elsewhere in a tile."""


def services(city: City, address: str) -> list[dict[str, Any]]:
    """One category with one tile; both apps open `address` in their browser."""
    action = {
        "actionId": _ACTION,
        "actionOrder": 1,
        "action": "1",
        "actionType": "Öffnen",
        "type": 1,
        "buttonDesign": "1",
        "visibleText": "Messwerte und Warnungen ansehen",
        "androidUri": address,
        "iosUri": address,
        "iosAppStoreUri": address,
    }
    tile = {
        "serviceId": _SERVICE,
        "service": _TITLE,
        "description": paragraphs(
            f"Was die Sensoren gerade messen: {city.name}.",
            "Wasserstände, Regen, freie Stellplätze und Verkehr, mit den Warnungen, die in Kraft sind.",
        ),
        "image": _IMAGE,
        "header_image": _IMAGE,
        "icon": _ICON,
        "function": "NA",
        "serviceType": "Sensordaten",
        "restricted": False,
        "residence": False,
        "isNew": False,
        "rank": 1,
        "templateId": -1,
        "helpLinkTitle": None,
        "serviceParams": {},
        "serviceAction": [action],
    }
    category = {
        "categoryId": _CATEGORY,
        "category": "Sensordaten",
        "description": "Messwerte und Warnungen der Stadt",
        "image": _IMAGE,
        "icon": _ICON,
        "parent_id": None,
        "cityServiceList": [tile],
    }
    return [{"cityServiceCategoryList": [category]}]
