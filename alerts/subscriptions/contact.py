"""Who can be told: an e-mail address or a telephone number, never an address of any other kind."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType

from alerts.errors import ContactError

ContactChannel = Literal["email", "sms", "voice"]
CHANNELS: tuple[ContactChannel, ...] = get_args(ContactChannel)

_REGION = "DE"
_MOST = 254
_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
_SPOKEN = _MOBILE | {PhoneNumberType.FIXED_LINE, PhoneNumberType.VOIP, PhoneNumberType.PERSONAL_NUMBER}


@dataclass(frozen=True, slots=True)
class Contact:
    """A checked address: e-mail in ASCII (RFC 5321), or a number in E.164 (`+49...`)."""

    channel: ContactChannel
    address: str = field(repr=False)

    @property
    def identity(self) -> str:
        """The same text for every way of writing the address."""
        return f"{self.channel}:{self.address.casefold()}"

    @property
    def masked(self) -> str:
        """Enough to recognise one's own address by."""
        if self.channel != "email":
            return f"{self.address[:3]}…{self.address[-3:]}"
        local, _, domain = self.address.rpartition("@")
        return f"{local[0]}…@{domain}"


def contact(channel: ContactChannel, text: str, *, anywhere: bool = False) -> Contact:
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
    assert found.ascii_email is not None  # noqa: S101 - without SMTPUTF8 there is always one
    return found.ascii_email


def _number(text: str, channel: ContactChannel, *, anywhere: bool) -> str:
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
