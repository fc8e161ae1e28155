"""The network servers we understand: one module each, or one file in mappings/; a new one is a line here."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ingest.network_servers import actility, chirpstack_v3, chirpstack_v4, tts_v3
from ingest.network_servers.json_mapping import mapped_kind
from ingest.network_servers.kind import Found, Ignored, NetworkServerKind
from ingest.network_servers.mapping_file import read_mapping

JSON = "json"
"""The kind that a mapping file of the city's own describes."""
_MAPPINGS = Path(__file__).with_name("mappings")
_MAPPED = ("loriot", "helium", "element-iot", "everynet", "multitech")

PARSERS: Mapping[str, NetworkServerKind] = MappingProxyType(
    {
        **{module.KIND.kind: module.KIND for module in (chirpstack_v4, chirpstack_v3, tts_v3, actility)},
        **{kind: mapped_kind(read_mapping(_MAPPINGS / f"{kind}.toml"), kind) for kind in _MAPPED},
    }
)
"""By the `kind` of a [[network_server]]."""


def network_server_kind(kind: str, mapping: Path | None = None) -> NetworkServerKind:
    """The kind of a [[network_server]]; one of JSON is what its mapping says.

    Raises MappingError with every fault of the mapping.
    """
    return PARSERS[kind] if mapping is None else mapped_kind(read_mapping(mapping))


__all__ = ["JSON", "PARSERS", "Found", "Ignored", "NetworkServerKind", "network_server_kind"]
