"""Shapes of the inbox and of registering devices."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class GuessedValue(BaseModel):
    """A value that a device type reads from the newest payload."""

    property: str = Field(examples=["water_distance"])
    name: dict[Literal["de", "en"], str]
    channel: str
    value: float | None
    unit: str = Field(description="UCUM")
    quality: int = Field(description="QARTOD")


class GuessItem(BaseModel):
    """A device type that reads all of the device's recent payloads."""

    model_config = ConfigDict(title="Guess")

    type: str = Field(examples=["decentlab-dl-mbx"])
    maker: str
    model: str
    name: dict[Literal["de", "en"], str]
    fit: float = Field(ge=0, le=1, description="Best first; named types stand before the others")
    named: Literal["model", "maker", ""] = Field(description="What the network server's words name")
    reason: str
    frames: int = Field(description="Different payloads it read")
    readings: int = Field(description="Values within the sensor's limits")
    failed: int = Field(description="Values outside them")
    missing: int = Field(description="Values that the sensor did not have")
    strictness: float = Field(description="Share of random payloads of these lengths that would not pass")
    heeded: float = Field(description="Share of the payloads' bytes that count for the values")
    properties: int = Field(description="So many things the type measures")
    seen: int = Field(description="So many of them have a value here")
    values: list[GuessedValue]


class UnregisteredItem(BaseModel):
    """A device that sends and stands in no list. Its names are the network server's: not to be trusted."""

    model_config = ConfigDict(title="Unregistered")

    device: str = Field(description="DevEUI", examples=["70b3d57ed00012ab"])
    count: int
    first: AwareDatetime
    last: AwareDatetime
    servers: list[str]
    name: str = Field(description="As the network server calls it")
    profile: str = Field(description="Its device profile or codec there")
    f_ports: list[int]
    f_port: int | None = Field(description="Of the newest payload")
    payload: str = Field(description="The newest, hexadecimal")
    rssi: float | None = Field(description="The best of the recent ones, dBm")
    snr: float | None = Field(description="The best of the recent ones, dB")
    gateways: list[str]
    guesses: list[GuessItem]
    untried: int = Field(description="Types that are not tried yet for want of time: ask again")
    type: str = Field(default="", description="The first guess, in the list only")


class RecentUplink(BaseModel):
    """One of the newest uplinks of an unregistered device."""

    time: AwareDatetime
    f_port: int
    f_cnt: int
    payload: str = Field(description="Hexadecimal")
    rssi: float | None
    snr: float | None
    spreading_factor: int | None


class UnregisteredDevice(UnregisteredItem):
    """One device with its newest uplinks, newest first."""

    model_config = ConfigDict(title="UnregisteredDevice")

    uplinks: list[RecentUplink]


class DeviceBody(BaseModel):
    """A row of the device list. Values of the station need to stand in one of its rows only."""

    model_config = ConfigDict(title="DeviceRow")

    dev_eui: str = Field(description="16 hex digits", examples=["70b3d57ed00012ab"])
    type: str = Field(examples=["decentlab-dl-mbx"])
    station: str = Field(examples=["kippemuehle"])
    name: str = Field(default="", description="The station's")
    lat: float | None = Field(default=None, description="WGS 84 degrees; once for each station")
    lon: float | None = None
    public: bool | None = None
    interval_s: float | None = Field(default=None, description="Seconds between uplinks; null: the type's")
    gauge_zero_m: float | None = Field(default=None, description="m NHN")
    sensor_height_cm: float | None = Field(default=None, description="Above the gauge zero")
    stages_cm: list[float] = Field(default=[], description="Ascending, above the gauge zero")
    stages_m_nhn: list[float] = Field(default=[], description="The same in m NHN, instead")
    capacity: int | None = Field(default=None, description="Parking spaces that everybody may take")
    reserved: Literal["", "disabled", "charging"] = Field(default="", description="Whom a space is for")
    water: str = ""
    direction: str = Field(default="", description="Channel of a counter that knows only one")
    note: str = ""


class RowFault(BaseModel):
    """What is wrong with a row, and what to do. `line` of the import, null for a single device."""

    line: int | None
    field: str
    problem: str
    remedy: str


class Registered(BaseModel):
    """What was written, or in a dry run: what would be."""

    dry_run: bool
    written: int
    version: str = Field(description="Of the device list; a later import may demand that it is still this")
    devices: list[DeviceBody]
    errors: list[RowFault]
