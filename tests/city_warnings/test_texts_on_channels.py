"""What the channels make of the city's texts: what to do is never cut in the middle."""

import itertools

import pytest
from situations import NOW, situation
from test_city_texts import shipped
from warned_city import AREAS, step

from alerts.cap.cell_broadcast import gsm
from alerts.city.city_warning import fold
from alerts.city.short_texts import SMS_SEGMENTS, beginning, sentences, sms_segments, told
from alerts.city.warning_file import TEXT_KINDS
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mailings import Mailing
from alerts.scale import READ_IN, SEVERITIES
from alerts.texts.text import BODY_LIMIT
from alerts.texts.texts import Texts

LINK = f"https://warnungen.bergisch-gladbach.example/subscriptions/{'k' * 43}"
EVERY = list(itertools.product(TEXT_KINDS, SEVERITIES))


def released(kind, severity):
    texts = shipped().write(situation(kind, severity), "release").texts
    return fold(None, step(0, "release", texts=texts, severity=severity))


def whole_pieces(said, instruction):
    """How many of the pieces of advice there are in it; none of them in part."""
    pieces = sentences(instruction)
    kept = [each for each in pieces if each in said]
    assert kept == pieces[: len(kept)]
    for left in pieces[len(kept) :]:
        assert left[:25] not in said
    return len(kept)


@pytest.mark.parametrize(("kind", "severity"), EVERY)
def test_sms_to_residents(kind, severity):
    texts = MailingTexts(lambda *_: None, "Bergisch Gladbach", "Europe/Berlin", AREAS)
    warning = released(kind, severity)
    for language in READ_IN:
        mailing = Mailing(
            event=warning.steps[-1].event,
            event_us=NOW,
            kind="release",
            severity=severity,
            ends=False,
            until_us=NOW,
            what=warning,
            id=1,
        )
        short = told(texts.bulletin(mailing, language).sms, "sms", tail=LINK)
        sent = sms_segments(short)
        assert (sent.encoding, sent.segments <= SMS_SEGMENTS) == ("GSM-7", True)
        assert short.endswith(LINK)
        assert gsm(warning.texts[language].headline) in short
        assert "112" in short
        assert whole_pieces(short, gsm(warning.texts[language].instruction)) >= 3


@pytest.mark.parametrize("action", ["all_clear", "cancel", "expire"])
def test_the_title_of_an_end_says_it_once(action):
    texts = MailingTexts(lambda *_: None, "Bergisch Gladbach", "Europe/Berlin", AREAS)
    now = situation("level", "Extreme")
    warning = fold(released("level", "Extreme"), step(1, action, texts=shipped().write(now, action).texts))
    for language in READ_IN:
        mailing = Mailing(
            event=warning.steps[-1].event,
            event_us=NOW,
            kind=action,
            severity="Extreme",
            ends=True,
            until_us=NOW,
            what=warning,
            id=1,
        )
        title = texts.bulletin(mailing, language).text.title
        assert ":" not in title.replace("Ort:", "")
        assert title.endswith("Gierath")


@pytest.mark.parametrize(("kind", "severity"), EVERY)
def test_messages_of_the_citys_channels(kind, severity):
    texts = Texts(str, "Europe/Berlin", "Bergisch Gladbach")
    warning = released(kind, severity)
    for language in READ_IN:
        body = texts.render_city(warning, language, staff=False).body
        assert len(body) <= BODY_LIMIT
        assert whole_pieces(body, warning.texts[language].instruction) >= 3


def test_as_much_as_fits_from_the_beginning():
    assert beginning("Eins. Zwei. Drei.", 11) == "Eins. Zwei."
    assert beginning("Eins. Zwei. Drei.", 10) == "Eins."
    assert beginning("Ein sehr langer Satz.", 12) == "Ein sehr…"
