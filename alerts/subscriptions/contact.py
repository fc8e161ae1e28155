"""Who can be told: an e-mail address, a telephone number or a browser, never an address of any other kind."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType

from alerts.errors import ContactError
from alerts.web_push.browser import Browser, read_browser

WrittenChannel = Literal["email", "sms", "voice"]
"""Whose addresses people can write down."""
ContactChannel = Literal[WrittenChannel, "push"]
CHANNELS: tuple[ContactChannel, ...] = get_args(ContactChannel)

_REGION = "DE"
_MOST = 254
_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_SPOKEN = _MOBILE | {PhoneNumberType.FIXED_LINE, PhoneNumberType.VOIP, PhoneNumberType.PERSONAL_NUMBER}


@dataclass(frozen=True, slots=True)
class Contact:
    """A checked address: e-mail in ASCII (RFC 5321), a number in E.164 (`+49...`), or a browser's text."""

    channel: ContactChannel
    address: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The same text for every way of writing the address."""
        same = self.address if self.channel == "push" else self.address.casefold()
        return f"{self.channel}:{same}"

    @property
    def masked(self) -> str:
        """Enough to recognise one's own address by."""
        if self.channel == "push":
            return read_browser(self.address).host
        if self.channel != "email":
            return f"{self.address[:3]}…{self.address[-3:]}"
        local, _, domain = self.address.rpartition("@")
        return f"{local[0]}…@{domain}"


def push_contact(browser: Browser) -> Contact:
    """The contact of a browser. Who knows all of its text is that browser, or was given it by it."""
    return Contact("push", browser.text)


def contact(channel: WrittenChannel, text: str, *, anywhere: bool = False) -> Contact:
    """The contact that a text means; nothing is asked of the network. Raises ContactError, without the text.

    Numbers are German ones unless `anywhere`; expensive ones (premium, shared cost) never.
    """
    text = text.strip()
    if len(text) > _MOST or not text.isprintable():
        raise ContactError("this is no address")
    return Contact(channel, _email(text) if channel == "email" else _number(text, channel, anywhere=anywhere))


def _email(text: str) -> str:
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ContactError("this is no e-mail address") from error
    if "=?" in text:  # an encoded word (RFC 2047) in a header: whoever decodes it finds what is in it
        raise ContactError("this is no e-mail address")
    assert found.ascii_email is not None  # noqa: S101 - without SMTPUTF8 there is always one
    return found.ascii_email


def _number(text: str, channel: WrittenChannel, *, anywhere: bool) -> str:
    try:
        number = phonenumbers.parse(text, _REGION)
    except phonenumbers.NumberParseException as error:
        raise ContactError("this is no telephone number") from error
    if not phonenumbers.is_valid_number(number) or number.extension:
        raise ContactError("this is no telephone number")
    if not anywhere and phonenumbers.region_code_for_number(number) != _REGION:
        raise ContactError("only German numbers can be entered here")
    if phonenumbers.number_type(number) not in (_MOBILE if channel == "sms" else _SPOKEN):
        raise ContactError("not a number of this kind: a mobile one for SMS, no service number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
