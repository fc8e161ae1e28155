"""Every error of this package.

AlertsError
 ├── AlertsConfigError   rules, texts or channels that a person wrote cannot be used; lists all faults
 ├── DecisionRefusedError  a decision cannot be taken: incident unknown or over (decision.py)
 ├── OrderRefusedError   an order about a warning of the city cannot be carried out (city/order.py)
 ├── DrillError          a recording cannot be played as a drill
 │    └── DrillBusyError not now: another drill runs, or a real alarm is in force
 ├── DeliveriesError     the file of deliveries cannot be used (damaged, disk full, held by another process)
 ├── SilencesError       the file of silences cannot be used
 ├── SilenceRefusedError a silence that would hide too much
 ├── SubscriptionsError  residents' subscriptions cannot be read or kept (damaged, disk full, key missing)
 │    └── BusyError      too many ask at the moment
 ├── ContactError        no address or number that messages can be sent to
 ├── MailError           a message could not be handed over
 ├── MobilityError       the file of counts and car parks cannot be used (damaged, disk full)
 ├── CountRefusedError   a person's count of a car park cannot be taken
 ├── AuditError          the file of the audit log cannot be used
 ├── CapError            the file of CAP documents cannot be used, or a document cannot be signed or verified
 └── TextError           a text for people cannot be made
"""

from devices.errors import Fault


class AlertsError(Exception):
    """Base of this package's errors."""


class AlertsConfigError(AlertsError):
    """Rules, texts or channels that a person wrote cannot be used; `faults` lists everything found."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class DrillError(AlertsError):
    """A recording cannot be played as a drill; says why and what to do."""


class DrillBusyError(DrillError):
    """Not now: another drill runs, or a real alarm is in force."""


class DeliveriesError(AlertsError):
    """The file of deliveries cannot be used (damaged, disk full, held by another process)."""


class SilencesError(AlertsError):
    """The file of silences cannot be used (damaged, disk full)."""


class SilenceRefusedError(AlertsError):
    """A silence that would hide too much; says what it may."""


class SubscriptionsError(AlertsError):
    """Residents' subscriptions cannot be read or kept (damaged, disk full, key missing)."""


class BusyError(SubscriptionsError):
    """Too many ask at the moment; `seconds` until it is worth trying again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many people ask at the moment: try again later")
        self.seconds = seconds


class ContactError(AlertsError):
    """No address or number that messages can be sent to; never shows it."""


class MailError(AlertsError):
    """A message could not be handed over; `for_good`: nor will it be later.

    `gone`: the address does not exist any more, so that no message ever will be; `retry_after_s`: not before
    that, where the other side says so.
    """

    def __init__(
        self, text: str, *, for_good: bool = False, gone: bool = False, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(text)
        self.for_good = for_good or gone
        self.gone = gone
        self.retry_after_s = retry_after_s


class AuditError(AlertsError):
    """The file of the audit log cannot be used (damaged, disk full, held by another process)."""


class TextError(AlertsError):
    """A text for people cannot be made."""


class CapError(AlertsError):
    """The file of CAP documents cannot be used, or a document cannot be signed or verified."""


class CountRefusedError(AlertsError):
    """A person's count of a car park cannot be taken; `reason` is a word, the text says why."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class MobilityError(AlertsError):
    """The file of counts and car parks cannot be used (damaged, disk full)."""
