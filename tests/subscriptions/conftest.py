"""Real parts: a file of subscriptions, an SMTP server, the thread that sends."""

import pytest
from post_office import PostOffice
from subscribers import Desk, words

from alerts.delivery.smtp import Mailer, SmtpServer
from alerts.subscriptions.mails import EmailWay, SubscriptionMails


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.file.close()


@pytest.fixture
def post():
    office = PostOffice()
    yield office
    office.stop()


@pytest.fixture
def mails(desk, post):
    """The thread that sends, to the SMTP server of the test."""
    way = EmailWay(
        Mailer(SmtpServer(False, "127.0.0.1", post.port)), "warnungen@example.org", "Stadt Teststadt"
    )
    mails = SubscriptionMails(desk.file, words(), lambda _: {"email": way})
    mails.start()
    yield mails
    mails.stop()
