"""Who hears that we judge, and whose stand-by we are."""

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from alerts.liveness.heartbeat import HeartbeatKind
from stadtfunk.settings.addresses import mqtt_url, topic_name, with_valid_port
from stadtfunk.settings.table import Table


class HeartbeatTable(Table):
    """A second place that hears that we judge; `topic`, `client_id`, `ca_file` are of kind mqtt."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    kind: HeartbeatKind
    url: str
    every_s: float = Field(default=60.0, ge=5, le=3600, allow_inf_nan=False)
    topic: str = ""
    client_id: str = ""
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.kind == "mqtt":
            mqtt_url(self.url)
            if self.topic:
                topic_name(self.topic)
        elif not re.fullmatch(r"https?://[^\s/]+(/\S*)?", self.url):
            raise ValueError(f"url: a {self.kind} goes to https://host/path")
        elif with_valid_port(self.url) and (self.topic or self.client_id or self.ca_file):
            raise ValueError("topic, client_id and ca_file are of kind mqtt")
        return self


def _watched(url: str) -> str:
    if url.startswith("mqtt"):
        parts = urlsplit(url)
        mqtt_url(parts._replace(path="", query="", fragment="").geturl())
        topic_name(url.partition("://")[2].partition("/")[2])
    elif not re.fullmatch(r"https?://[^\s/]+/\S*", url):
        raise ValueError("expected mqtt://user:password@host/TOPIC of its heartbeat, or https://host/readyz")
    return with_valid_port(url)


class StandbyTable(Table):
    """The first instance, of which this one is the stand-by; `watch`: where it can be heard."""

    of: str = Field(min_length=1, max_length=80, pattern=r"^\S.*$")
    watch: tuple[Annotated[str, AfterValidator(_watched)], ...] = Field(min_length=1)
    after_s: float = Field(default=180.0, ge=5, le=3600, allow_inf_nan=False)
    residents: bool = False
    client_id: str = Field(default="stadtfunk-standby", min_length=1)
    ca_file: Path | None = None
