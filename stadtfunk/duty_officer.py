"""The demo's duty officer: a script that decides what in a city only a person decides."""

import threading
from collections.abc import Callable

import structlog

from alerts.city.city_warning import CityWarning
from alerts.city.order import Order, OrderAction, OrderRefusedError
from alerts.incidents.decision import Action, Decision, DecisionRefusedError
from alerts.incidents.incident import Incident
from alerts.scale import rank
from stadtfunk.service import Service

NAME = "A. Beispiel (Demo)"
_MINUTE_US = 60_000_000
LOOKS_US = 2 * _MINUTE_US
"""So long, by the demo's clock, the officer looks at something before deciding."""
WAITS_US = 10 * _MINUTE_US
"""So long after values fell below Severe the officer gives the all-clear."""
_POLL_S = 0.05
_STOP_S = 11.0
_log = structlog.get_logger(__name__)


class DutyOfficer:
    """Acknowledges incidents, releases what is proposed, declines what a witness contradicts, calls off.

    The demo's clock is the officer's; decisions are those of any person, through the same doors.
    """

    def __init__(self, service: Service, clock: Callable[[], int]) -> None:
        self._service = service
        self._clock = clock
        self._acknowledged: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-duty-officer", daemon=False)

    def start(self) -> None:
        """Come on duty."""
        self._thread.start()

    def stop(self) -> None:
        """Go off duty, once the decision under way is taken."""
        self._stopping.set()
        self._thread.join(_STOP_S)

    def look(self) -> None:
        """Decide what is to be decided now."""
        now = self._clock()
        for incident in self._service.incidents.incidents():
            if incident.exercise or incident.status == "closed":
                continue
            if incident.id not in self._acknowledged and now - incident.began_us >= LOOKS_US:
                self._acknowledged.add(incident.id)
                self._say(incident, "acknowledge", "I am on it")
        for warning in self._service.office.warnings():
            self._decide(warning, now)

    def _decide(self, warning: CityWarning, now: int) -> None:
        asked = warning.status == "proposed" or warning.pending is not None
        incident = self._service.incidents.get(warning.incident)
        if warning.exercise or incident is None:
            return
        if asked and now - warning.changed_us >= LOOKS_US:
            doubted = _contradicted(incident)
            action: OrderAction = "decline" if doubted else "release"
            reason = "the gauges around say otherwise" if doubted else "seen on the spot"
            self._order(warning, action, reason)
        elif warning.in_force and _over(incident, now):
            self._say(incident, "all_clear", "checked on the spot: the water is going down")

    def _say(self, incident: Incident, action: Action, reason: str) -> None:
        try:
            self._service.engine.decide(Decision(incident.id, action, NAME, reason, self._clock()))
        except DecisionRefusedError as refused:
            _log.info("demo_decision_refused", incident=incident.id, action=action, why=str(refused))

    def _order(self, warning: CityWarning, action: OrderAction, reason: str) -> None:
        try:
            self._service.office.decide(Order(action, NAME, reason, self._clock(), warning.id))
        except OrderRefusedError as refused:
            _log.info("demo_order_refused", warning=warning.id, action=action, why=str(refused))

    def _run(self) -> None:
        while not self._stopping.wait(_POLL_S):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the demo goes on without its officer
                _log.exception("demo_officer_failed")


def _contradicted(incident: Incident) -> bool:
    """Whether a single gauge is all there is, and no witness agrees with it."""
    highest = max((rank(each.severity) for each in incident.in_force), default=0)
    high = [each for each in incident.in_force if rank(each.severity) == highest]
    return len({each.station for each in incident.in_force}) == 1 and all(
        each.confirmation == "unconfirmed" for each in high
    )


def _over(incident: Incident, now: int) -> bool:
    """Whether nothing is Severe any more, for a while."""
    since = incident.falling_us or incident.ended_us
    return not incident.severe and since is not None and now - since >= WAITS_US
