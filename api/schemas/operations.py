"""What operators see: uplinks, devices, deliveries, the audit log, readiness."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.measurements import Reading
from ingest.device_event import EventKind


class RejectedUplink(BaseModel):
    """A message that was not taken."""

    id: int
    time: AwareDatetime
    reason: str
    detail: str
    server: str
    topic: str
    device: str | None
    payload: str = Field(description="UTF-8 text, cut at 4,000 characters")


class AdminUplink(BaseModel):
    """A stored uplink and what was read from it."""

    seq: int
    device: str
    server: str
    time: AwareDatetime
    time_source: str
    arrived: AwareDatetime
    f_port: int
    f_cnt: int
    payload: str = Field(description="Hexadecimal")
    spreading_factor: int | None
    gateways: list[dict[str, object]]
    readings: list[Reading]
    unmapped: dict[str, object] = Field(
        description="What the codec decoded and no field map gives a meaning, by path"
    )
    codec_warnings: list[str] = Field(description="What codec and field map had to say")


class AdminDevice(BaseModel):
    """An installed device."""

    device: str
    type: str
    station: str
    name: str
    public: bool
    interval_s: float | None
    last_time: AwareDatetime | None
    last_join: AwareDatetime | None
    battery_percent: float | None
    last_error: str | None
    note: str
    uplinks_24h: int | None = Field(
        description="Uplinks that arrived in the last 24 hours, refused ones among them; null where none is "
        "known or they have no counter"
    )
    lost_24h: int | None = Field(
        description="Uplinks lost on the air: missing by their counters between the first and the last of "
        "those, per session"
    )
    uplinks_7d: int | None
    lost_7d: int | None


class DeviceEventItem(BaseModel):
    """What a network server told of a device beside its uplinks."""

    id: int
    time: AwareDatetime
    device: str
    kind: EventKind
    error: bool
    detail: str
    battery_percent: float | None
    external_power: bool
    margin_db: int | None
    server: str
    arrived: AwareDatetime


class Delivery(BaseModel):
    """What became of one alert on one channel. `interrupted` attempts may have arrived all the same."""

    event: str
    warning: str
    channel: str
    kind: str
    status: str
    attempts: int
    interrupted: int
    detail: str
    event_time: str
    created: str
    started: str | None
    ended: str | None


class MailingRun(BaseModel):
    """How far a mailing is by one way; a count of recipients each."""

    way: str = Field(examples=["email"])
    state: Literal["open", "done", "superseded", "expired"]
    wanted: int
    sent: int
    refused: int
    first: str | None
    last: str | None


class Mailing(BaseModel):
    """One step that residents who subscribed were told of."""

    id: int
    event: str
    warning: str
    told: Literal["notice", "warning"]
    kind: str
    severity: str
    event_time: str
    created: str
    ways: list[MailingRun]


class AuditEntry(BaseModel):
    """What somebody decided or entered. `detail` names the token it was done with; never contact data."""

    seq: int
    time: AwareDatetime
    by: str
    action: str = Field(examples=["incident all_clear"])
    subject: str = Field(examples=["strunde.20260714T181000Z"])
    reason: str
    detail: str
    previous: str = Field(description="Hash of the entry before: SHA-256, 64 hex digits")
    hash: str


class AuditChain(BaseModel):
    """Whether the audit log is as it was written."""

    entries: int
    head: str = Field(description="Hash of the last entry")
    broken_at: int | None = Field(description="`seq` of the first entry that does not fit")


class Part(BaseModel):
    """One part of the service; `detail` for operators only."""

    ok: bool
    detail: str = ""


class Readiness(BaseModel):
    """Whether uplinks can be taken and alerts can go out; `degraded`: yes, but the store is away."""

    state: Literal["ready", "degraded", "unready"]
    parts: dict[str, Part]
    loss_window: dict[str, str] = Field(
        description="Per network server: in which window an uplink can be lost before it reaches us"
    )
