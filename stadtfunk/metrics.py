"""Prometheus metrics, read from the parts when somebody asks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.delivery.bulk import Handed
from alerts.subscriptions.contact import CHANNELS

if TYPE_CHECKING:
    from stadtfunk.service import Service

_US = 1e-6
_HOUR_US = 3_600_000_000


class Metrics(Collector):
    """The metrics of one service; several services do not meet."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """The text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: a scrape must not begin while the service is being built."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every figure, now."""
        yield from self._intake()
        yield from self._network_servers()
        yield from self._journal()
        yield from self._readers()
        yield from self._alerts()
        yield from self._neighbours()
        yield from self._subscriptions()
        health = self._service.health()
        yield _gauge(
            "part_ok", "1 when a part of the service works", "part", {k: h.ok for k, h in health.items()}
        )

    def _intake(self) -> Iterator[Metric]:
        stats, decoding = self._service.intake.stats, self._service.intake.decoding
        yield _counter("messages", "MQTT messages received", stats.messages)
        yield _counter("message_bytes", "Bytes of MQTT payloads received", stats.bytes)
        yield _counter("intake_batches", "Journal transactions of the intake", stats.batches)
        yield _counter("uplinks_accepted", "Uplinks decoded and stored in the journal", stats.accepted)
        yield _counter("readings", "Readings stored in the journal", stats.readings)
        yield _counter("uplinks_duplicate", "Uplinks that had arrived before", stats.duplicates)
        yield _counter("uplinks_completed", "Uplinks whose gateways were told later", stats.completed)
        yield _counter("uplinks_lost", "Uplinks missing by their counters", self._service.losses.lost)
        yield _counters("uplinks_rejected", "Uplinks rejected", "reason", stats.refused)
        yield _counters("messages_ignored", "Messages that carry nothing for us", "reason", stats.ignored)
        yield _counters("device_events", "What network servers told of devices", "kind", stats.events)
        yield _counter("device_events_lost", "Events that could not be recorded", stats.events_lost)
        yield _counters("event_time", "Uplinks by the clock their time is from", "source", stats.time_sources)
        yield _counters("decoder_errors", "Decoders that raised", "type", decoding.errors)
        yield _counter("payload_times_corrected", "Times in payloads not believed", decoding.times_corrected)
        yield _counter("values_not_finite", "Decoded values that were NaN or infinite", decoding.not_finite)
        yield _counter("journal_failures", "Attempts to append that failed", stats.journal_failures)
        yield _counter("messages_lost", "Messages that could not even be refused", stats.lost)
        yield _counters("messages_qos0", "Messages published at QoS 0", "network_server", stats.qos0)
        yield _gauge(
            "last_message_seconds",
            "Arrival of the newest message, Unix time",
            "network_server",
            {name: time_us * _US for name, time_us in stats.last_message_us.copy().items()},
        )

    def _network_servers(self) -> Iterator[Metric]:
        since = self._service.clock() - _HOUR_US
        heard = Counter(
            server for (server, _), at in self._service.gateways.reception().gateways.items() if at >= since
        )
        pushes = {each.name: each.stats for each in self._service.pushes}
        names = (*(each.server.name for each in self._service.consumers), *pushes)
        counts = {name: heard[name] for name in names}
        yield _gauge("gateways_heard", "Gateways heard in the last hour", "network_server", counts)
        stats = {each.server.name: each.stats for each in self._service.consumers}
        for field, text in (
            ("connections", "Connections to the broker"),
            ("sessions_lost", "Connections at which the broker had forgotten the session"),
            ("acks_void", "Acknowledgements void because the connection was gone"),
        ):
            values = {name: getattr(each, field) for name, each in stats.items()}
            yield _counters(f"mqtt_{field}", text, "network_server", values)
        for field, text in (
            ("requests", "Requests for uplinks that were missed"),
            ("failures", "Requests for uplinks that were missed without a usable answer"),
            ("uplinks", "Uplinks fetched after a gap, those that had arrived before among them"),
        ):
            fetched = {name: getattr(each.stats, field) for name, each in self._service.storages.items()}
            yield _counters(f"storage_{field}", text, "network_server", fetched)
        for field, text in (
            ("messages", "Messages taken by HTTP"),
            ("turned_away", "Messages by HTTP that had to be sent again"),
        ):
            taken = {name: getattr(each, field) for name, each in pushes.items()}
            yield _counters(f"push_{field}", text, "network_server", taken)

    def _journal(self) -> Iterator[Metric]:
        counts = self._service.journal.counts()
        yield _one("journal_uplinks", "Uplinks in the journal", counts.stored)
        yield _one("journal_rejected", "Rejected uplinks in the journal", counts.rejected)
        yield _one("journal_readings", "Readings in the journal", counts.readings)

    def _readers(self) -> Iterator[Metric]:
        store, engine = self._service.writer.stats, self._service.engine.stats
        newest = self._service.journal.last_seq()
        yield _counter("store_readings_written", "Readings written to the store", store.written)
        yield _counter("store_readings_refused", "Readings that the store refused for good", store.refused)
        yield _counter("store_failures", "Failed attempts to write to the store", store.failures)
        behind = self._service.writer.behind
        yield _one("store_uplinks_behind", "Uplinks in the journal, not yet in the store", behind)
        yield _counter("engine_readings", "Readings judged by the rules", engine.readings)
        yield _counter("engine_events", "Events that the rules concluded", engine.events)
        yield _counter("engine_readings_skipped", "Readings that a kernel could not digest", engine.skipped)
        untaken = ("ahead", "undated", "too_late", "implausible", "counter_breaks")
        reasons = {reason: getattr(engine, reason) for reason in untaken}
        yield _counters(
            "engine_readings_not_taken", "Readings that changed no sum or state", "reason", reasons
        )
        yield _one(
            "gateways_lost", "Gateways that have fallen silent with what they hear", engine.gateways_lost
        )
        sights = self._service.engine.catchments()
        yield _gauge("gauges_live", "Gauges that give values", "catchment", {s.id: s.live for s in sights})
        blind = {each.id: each.blind_since_us is not None for each in sights}
        yield _gauge("catchment_blind", "1 when too few gauges of a catchment live", "catchment", blind)
        types = Counter(
            device.type if (device := self._service.registry.current.devices.get(eui)) else ""
            for eui in self._service.required.away
        )
        text = "Devices that report without a property they must give"
        yield _gauge("devices_required_missing", text, "type", types)
        behind = max(0, newest - self._service.engine.cursor)
        yield _one("engine_uplinks_behind", "Uplinks in the journal, not yet judged", behind)
        yield from self._mobility(untaken, newest)

    def _mobility(self, untaken: Iterable[str], newest: int) -> Iterator[Metric]:
        stats = self._service.mobility.stats
        yield _counter("mobility_readings", "Readings that traffic and parking have seen", stats.readings)
        text = "Readings that made the counting of traffic and parking fail"
        yield _counter("mobility_readings_skipped", text, stats.skipped)
        reasons = {reason: getattr(stats, reason) for reason in untaken}
        text = "Readings that changed no count"
        yield _counters("mobility_readings_not_taken", text, "reason", reasons)
        behind = max(0, newest - self._service.mobility.cursor)
        yield _one("mobility_uplinks_behind", "Uplinks in the journal, not yet counted", behind)
        yield _counter("congestions_told", "Congestions begun, worse or ended", stats.congestions)
        states = Counter[str](each.state for each in self._service.mobility.segments())
        yield _gauge("street_segments", "Street segments by the state of the traffic", "state", states)
        yield from self._forecasts()

    def _forecasts(self) -> Iterator[Metric]:
        text = "Mean absolute error of what was expected of a car park in the last two weeks, in spaces"
        errors = GaugeMetricFamily(
            "stadtfunk_parking_forecast_error_spaces", text, labels=("station", "minutes", "method")
        )
        text = "Share of the free spaces that lay in the interval, which is meant to hold 0.8"
        coverage = GaugeMetricFamily(
            "stadtfunk_parking_forecast_coverage", text, labels=("station", "minutes")
        )
        for each in self._service.mobility.forecast_scores():
            place = [each.station, str(each.minutes)]
            for method, error in each.errors.items():
                errors.add_metric([*place, method], error)
            if each.coverage is not None:
                coverage.add_metric(place, each.coverage)
        yield from (errors, coverage)

    def _alerts(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "stadtfunk_deliveries", "Deliveries of alerts", labels=("channel", "status")
        )
        for labels, count in self._service.outbox.stats.deliveries.items():
            family.add_metric(labels, count)
        yield family
        in_force = [each.exercise for each in self._service.board.snapshot().in_force]
        yield _gauge(
            "warnings_in_force",
            "Warnings in force; exercise: those of a drill",
            "exercise",
            {"false": in_force.count(False), "true": in_force.count(True)},
        )

    def _subscriptions(self) -> Iterator[Metric]:
        """How many, never who."""
        if self._service.subscriptions is None:
            return
        counts = self._service.subscriptions.desk.subscriptions.counts()
        channels: dict[str, float] = {each: counts[each] for each in CHANNELS}
        yield _gauge("subscriptions", "Confirmed subscriptions", "channel", channels)
        yield _one("subscriptions_unconfirmed", "Subscriptions nobody has confirmed", counts["unconfirmed"])
        yield _one("subscription_mails_waiting", "Messages about subscriptions to send", counts["waiting"])
        yield _one(
            "subscription_places_unknown",
            "Places of subscriptions whose area or gauge does not exist any more",
            counts["places_unknown"],
        )
        stats = self._service.subscriptions.mails.stats
        by_end = {"sent": stats.sent, "failed": stats.failed, "given_up": stats.given_up}
        yield _counters("subscription_mails", "Messages about subscriptions by outcome", "outcome", by_end)
        yield from self._mass_mail()

    def _mass_mail(self) -> Iterator[Metric]:
        """What residents are sent about warnings."""
        mass_mail = self._service.mass_mail
        if mass_mail is None:
            return
        family = CounterMetricFamily(
            "stadtfunk_mass_mails", "Messages to residents about warnings", labels=("way", "outcome")
        )
        for way, stats in mass_mail.stats.items():
            for outcome in get_args(Handed):
                family.add_metric((way, outcome), getattr(stats, outcome))
        yield family
        waiting: dict[str, float] = dict(mass_mail.waiting.items())
        rates: dict[str, float] = dict(mass_mail.rates.items())
        yield _gauge("mass_mails_waiting", "Residents still to be told, in quiet hours too", "way", waiting)
        yield _gauge("mass_mails_per_second", "Messages taken a second, over the last 10 s", "way", rates)

    def _neighbours(self) -> Iterator[Metric]:
        stats = self._service.neighbours.stats
        for field, text in (
            ("requests", "Requests to official sources"),
            ("unchanged", "Answers of official sources that there is nothing new"),
            ("failures", "Requests to official sources without a usable answer"),
            ("values", "Values handed over from official sources"),
            ("rejected", "Values and files of official sources that could not be used"),
        ):
            values = {name: getattr(each, field) for name, each in stats.items()}
            yield _counters(f"neighbour_{field}", text, "source", values)
        newest = {name: each.newest_us * _US for name, each in stats.items() if each.newest_us}
        yield _gauge("neighbour_newest_seconds", "Time of the newest value, Unix time", "source", newest)


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(f"stadtfunk_{name}", text)
    family.add_metric((), value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"stadtfunk_{name}", text, labels=(label,))
    for key, value in dict(values).items():
        family.add_metric((key,), value)
    return family


def _one(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"stadtfunk_{name}", text)
    family.add_metric((), value)
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"stadtfunk_{name}", text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
