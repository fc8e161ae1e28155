"""Who publishes, and where harvesters find it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publisher:
    """The city as a publisher; what is "" is left out of the catalogue.

    `name`: "" for the city's own; `contributor_id`: the IRI of who delivers to GovData; `base`: what the
    IRIs of the catalogue begin with, "" for the address somebody asks with.
    """

    name: str = ""
    homepage: str = ""
    contact_name: str = ""
    contact_mail: str = ""
    contributor_id: str = ""
    base: str = ""
