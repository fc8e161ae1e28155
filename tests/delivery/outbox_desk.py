"""An outbox worked by hand."""

from alert_events import NOW_US, write_events

from alerts.delivery.channels import Outcome
from alerts.delivery.outbox import Outbox

MIN = 60_000_000


class Sender:
    """Keeps what it gets, with the time, and answers as told."""

    def __init__(self, clock):
        self.texts, self.times, self.answers, self._clock = [], [], [], clock
        self.outcomes = []

    def send(self, text, **_):
        self.texts.append(text)
        self.times.append(self._clock())
        self.outcomes.append(self.answers.pop(0) if self.answers else "sent")
        return Outcome(self.outcomes[-1])


class Desk:
    """An outbox worked by hand: no threads, and its clock is ours."""

    def __init__(self, path, journal, texts, *channels):
        self.now = NOW_US
        self.journal = journal
        self.senders = {channel.name: Sender(lambda: self.now) for channel in channels}
        self.outbox = Outbox(
            journal,
            path,
            channels,
            texts,
            lambda: self.now,
            open_sender=lambda channel: self.senders[channel.name],
        )
        self.outbox._deliveries.recover()

    def tell(self, *events, after_min=0):
        self.now += after_min * MIN
        write_events(self.journal, *events)
        self.work()

    def wait(self, minutes):
        self.now += round(minutes * MIN)
        self.work()

    def again(self):
        """Try once more what failed."""
        for worker in self.outbox._workers:
            worker._paused.clear()
        self.work()

    def work(self):
        while self.outbox._follow():
            pass
        for worker in self.outbox._workers:
            while (found := worker._next()[0]) is not None:
                worker._deliver(found)

    def titles(self, channel="wache"):
        return [text.title for text in self.senders[channel].texts]

    def bodies(self, channel="wache"):
        return [text.body for text in self.senders[channel].texts]

    def receipts(self, channel="wache"):
        return {r.event: (r.status, r.detail) for r in self.outbox.receipts(limit=1000, channel=channel)}

    def close(self):
        self.outbox._deliveries.close()
