"""The network servers we understand, one module each; a new one is a module and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from ingest.network_servers import chirpstack_v4, tts_v3
from ingest.network_servers.kind import Ignored, NetworkServerKind

PARSERS: Mapping[str, NetworkServerKind] = MappingProxyType(
    {module.KIND.kind: module.KIND for module in (chirpstack_v4, tts_v3)}
)
"""By the `kind` of a [[network_server]]."""

__all__ = ["PARSERS", "Ignored", "NetworkServerKind"]
