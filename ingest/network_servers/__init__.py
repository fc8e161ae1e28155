"""The network servers we understand, one module each; a new one is a module and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from ingest.network_servers import actility, chirpstack_v3, chirpstack_v4, tts_v3
from ingest.network_servers.kind import Ignored, NetworkServerKind

PARSERS: Mapping[str, NetworkServerKind] = MappingProxyType(
    {module.KIND.kind: module.KIND for module in (chirpstack_v4, chirpstack_v3, tts_v3, actility)}
)
"""By the `kind` of a [[network_server]]."""

__all__ = ["PARSERS", "Ignored", "NetworkServerKind"]
