"""What the API is given: every collaborator injected, none looked up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerts.areal_rain import AreaRain
from alerts.areas import Areas
from alerts.audit import AuditLog
from alerts.board import WarningBoard
from alerts.cap.publisher import CapPublisher
from alerts.city.city_warning import CityWarning
from alerts.city.office import CityOffice
from alerts.delivery.delivery import Receipt
from alerts.delivery.mailings import MailingSummary
from alerts.drill import Drills
from alerts.event import Event
from alerts.incidents.board import IncidentBoard
from alerts.incidents.decision import Decision
from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark, Correction
from alerts.outlook import LevelOutlook
from alerts.routing.silences import Silences
from alerts.scale import Scale, shipped_scale
from alerts.subscriptions.address_book import AddressBook
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.words import Words
from alerts.texts.texts import Texts
from alerts.watch.outages import Sight
from alerts.web_push.browser import PushServices
from api.archive import Archive
from api.dcat.publisher import Publisher
from api.limits import CallerLimit
from api.mobility.history import CountHistory, NoCounts, OccupancyHistory
from api.mobility.roads_now import NoRoads, RoadsNow
from api.mobility.sites import ParkingSite
from api.public_rule import PublicRule
from api.sta.writer import Writer
from api.terms import Terms
from devices.catalogue import Catalogue
from devices.properties import ObservedProperty
from devices.registration import Registration
from devices.registry import Registry, Station
from ingest.device_event_log import DeviceEventLog
from ingest.health import Health
from ingest.http_push import PushServer
from ingest.inbox import Inbox
from ingest.journal import Journal
from ingest.latest import LatestValues
from ingest.loss_book import Losses
from ingest.neighbours.official_warning import Official
from ingest.store import Store

if TYPE_CHECKING:
    from api.sta.source import EntitySource
    from api.visibility import View


Corrections = Callable[[str | None, int, int, tuple[int, str, str] | None], Sequence[Correction]]


@dataclass(frozen=True, slots=True)
class City:
    """Whose data this is. `license` is an IRI or an identifier; every payload carries both."""

    name: str
    ars: str = ""
    timezone: str = "Europe/Berlin"
    license: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class BaseMap:
    """Map tiles from a host of the city's choice: `https://host/{z}/{x}/{y}.png`."""

    url: str
    attribution: str


@dataclass(frozen=True, slots=True)
class TokenHash:
    """A bearer token by the SHA-256 of its text, 64 hex digits."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PushDoor:
    """A network server that sends by HTTP, and the SHA-256 of its token, 64 hex digits."""

    server: PushServer
    sha256: str


@dataclass(frozen=True, slots=True)
class PushDesk:
    """Browsers as addresses: the city's public VAPID key, and the push services that are believed."""

    public_key: str
    services: PushServices = field(default_factory=PushServices)


@dataclass(frozen=True, slots=True)
class SubscriptionDesk:
    """Where residents subscribe. `privacy`: address of the city's privacy notice, "" for none.

    `callers`: how often one of them may ask.
    """

    subscriptions: Subscriptions
    words: Words
    addresses: AddressBook = field(default_factory=AddressBook)
    privacy: str = ""
    push: PushDesk | None = None
    callers: CallerLimit = field(default_factory=CallerLimit)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes read. Callables return immutable snapshots and may be called from any thread.

    `decide` takes a person's decision or raises DecisionRefusedError.
    `health` maps the parts of the service to their state; `loss_window` says, per network server, in which
    window an uplink can be lost before it reaches us ("" values are left out). `deliveries(limit, after)`:
    receipts of alerts, newest first, on from the (seq, channel) of the last one seen. `rules` are the city's
    decisions by property. `levels(station)`: what its level gauges are heading for.
    `areal_rain(stations)`: area id to its rain over areal_rain.HOURS, from the gauges at these stations.
    `official`: an authority's warnings, None where no source is configured.
    `silences`: what staff need not hear of, `unsilence(id)` tells of what one held back that has ended.
    `city_warnings`: the city's own, in force, proposed and ended in the last 24 hours; `office` decides about
    them. `cap`: their
    documents, None where no sender is configured; `cap_url`: what links in the feed begin with, `url`: what
    other links do, see `base`.
    `mailings(limit, before)`: what residents were sent, newest first, on from an id.
    `pushes`: network servers that send by HTTP, by name. `device_events`: what they tell beside uplinks.
    `losses(devices)`: how many uplinks of some devices arrived, and how many were lost on the air.
    `audit`: where decisions and operators' entries are noted.
    `inbox`: devices that nobody has registered; `registration`: where they are.
    `publisher`: what the catalogue of the open data says of the city.
    `sta`: what SensorThings serves to a caller, who is an operator or not, None for none; `sta_writer`: takes
    what is written to it where that is possible; `sta_mqtt`: addresses of brokers that tell of new entities.
    `archive`: files of days that are closed; without one no day ever is.
    `roads`: the state of the traffic, and congestions.
    `history`: what is kept of counts, `occupancy`: of car parks. `parking_sites`: what the city says of its
    car parks, by station; `static_us`: when that, or the list of stations, was changed last.
    `corrections(station, from_us, limit, before)`: what was put right in car parks, newest first, on from the
    (time_us, station, reason) of the last one seen. `count_by_hand(station, time_us, occupied, by)`: what a
    person counted there; raises CountRefusedError, MobilityError.
    """

    city: City
    registry: Callable[[], Registry]
    properties: Mapping[str, ObservedProperty]
    catalogue: Catalogue
    store: Store
    latest: LatestValues
    journal: Journal
    board: WarningBoard
    incidents: IncidentBoard
    decide: Callable[[Decision], Event]
    texts: Texts
    parking: Callable[[], Sequence[CarPark]]
    traffic: Callable[[], Sequence[SiteCounts]]
    deliveries: Callable[[int, tuple[int, str] | None], Sequence[Receipt]]
    health: Callable[[], Mapping[str, Health]]
    metrics: Callable[[], bytes]
    clock: Callable[[], int]
    tokens: Sequence[TokenHash] = ()
    rules: Mapping[str, PublicRule] = field(default_factory=dict)
    basemap: BaseMap | None = None
    levels: Callable[[str], Sequence[LevelOutlook]] = lambda _: ()
    drills: Drills | None = None
    areas: Areas = field(default_factory=Areas)
    areal_rain: Callable[[Mapping[str, Station]], Mapping[str, Sequence[AreaRain]]] = lambda _: {}
    loss_window: Callable[[], Mapping[str, str]] = dict
    scale: Scale = field(default_factory=shipped_scale)
    official: Callable[[], Official | None] = lambda: None
    official_public: bool = False
    catchments: Callable[[], Sequence[Sight]] = tuple
    subscriptions: SubscriptionDesk | None = None
    mailings: Callable[[int, int | None], Sequence[MailingSummary]] = lambda _limit, _before: ()
    city_warnings: Callable[[], Sequence[CityWarning]] = tuple
    office: CityOffice | None = None
    cap: CapPublisher | None = None
    audit: AuditLog | None = None
    silences: Silences | None = None
    unsilence: Callable[[str], None] = lambda _: None
    cap_url: str = ""
    url: str = ""
    pushes: Mapping[str, PushDoor] = field(default_factory=dict)
    device_events: DeviceEventLog | None = None
    losses: Callable[[Iterable[str]], Mapping[str, Losses]] = lambda _: {}
    inbox: Inbox | None = None
    registration: Registration | None = None
    publisher: Publisher = field(default_factory=Publisher)
    sta: "Callable[[View], EntitySource] | None" = None
    sta_writer: Writer | None = None
    sta_mqtt: Sequence[str] = ()
    archive: Archive | None = None
    roads: RoadsNow = field(default_factory=NoRoads)
    history: CountHistory = field(default_factory=NoCounts)
    occupancy: OccupancyHistory = lambda *_: ()
    parking_sites: Mapping[str, ParkingSite] = field(default_factory=dict)
    static_us: Callable[[], int] = lambda: 0
    corrections: Corrections = lambda *_: ()
    count_by_hand: Callable[[str, int, int, str], Correction] | None = None

    def parking_site(self, station: str) -> ParkingSite:
        """What the city says of a car park; without a word of it the usual."""
        return self.parking_sites.get(station) or ParkingSite(station)

    def base(self, asked: str, own: str = "") -> str:
        """What absolute links begin with, without a slash at the end.

        `own`: what the configuration says for these alone; else [api] url, else the address that was asked.
        """
        return (own or self.url or asked).rstrip("/")

    def rule(self, property_: str) -> PublicRule:
        """What the city decides about a property; without a word of it, what is not internal is public."""
        rule = self.rules.get(property_)
        if rule is not None:
            return rule
        known = self.properties.get(property_)
        return PublicRule(public=known is not None and not known.internal)

    @property
    def terms(self) -> Terms:
        """Licence and attribution of what is public, unless a property has its own."""
        return Terms(self.city.license, self.city.attribution)

    def terms_of(self, property_: str) -> Terms:
        """Licence and attribution of the readings of a property, wherever they are given out."""
        rule, common = self.rule(property_), self.terms
        return Terms(rule.license or common.license, rule.attribution or common.attribution)
